//! The system's allocator, told what this process is like, and when it has held much.
//!
//! glibc gives every thread that meets another in malloc a heap of its own, up to eight for each
//! core, and keeps what is freed in them: after a node has sent 10,000 documents to five peers that
//! is a third of what it holds. One heap for each core serves as many threads as can run. And it
//! gives the end of a heap back to the system after each burst of work, only to fault it in again
//! page by page in the next one, which a single write from one node to another feels. Here it keeps
//! a few megabytes. Who sets that has to say, too, from which size on memory is mapped for one use and given
//! back after it: glibc leaves it at 128 KiB then, and each block of a file would fault its pages in anew, which
//! was a third of the processor time of a fetch.

/// Sets them. Only glibc has these choices; elsewhere it does nothing.
#[cfg(target_env = "gnu")]
pub(crate) fn set_up() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let heaps = libc::c_int::try_from(cores.max(HEAPS_MIN)).unwrap_or(libc::c_int::MAX);
    let choices = [
        (libc::M_ARENA_MAX, heaps),
        (libc::M_TRIM_THRESHOLD, KEPT_BYTES),
        (libc::M_TOP_PAD, GROWTH_BYTES),
        (libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN),
    ];
    for (choice, value) in choices {
        // SAFETY: mallopt takes two integers. It is called before there is a second thread.
        #[expect(unsafe_code, reason = "the standard library has no way to say it")]
        let taken = unsafe { libc::mallopt(choice, value) };
        debug_assert_eq!(taken, 1, "glibc takes any such number");
    }
}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn set_up() {}

/// Gives what is free in all heaps back to the system, also where something in use lies behind it: after a
/// burst of large requests that would be kept for minutes. Waits for nobody.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        // It walks the heaps, which takes milliseconds.
        runtime.spawn_blocking(|| {
            // SAFETY: it takes a number, and any thread may call it at any time.
            #[expect(unsafe_code, reason = "the standard library has no way to say it")]
            let _anything = unsafe { libc::malloc_trim(0) };
        });
    }
}

/// The writer and the tasks never wait for each other.
#[cfg(target_env = "gnu")]
const HEAPS_MIN: usize = 2;
/// What may be free at the end of a heap before it is given back, in bytes.
#[cfg(target_env = "gnu")]
const KEPT_BYTES: libc::c_int = 8 * 1024 * 1024;
/// By how much a heap grows at a time, in bytes.
#[cfg(target_env = "gnu")]
const GROWTH_BYTES: libc::c_int = 256 * 1024;
/// What is mapped for one use, in bytes: more than a block of a file, and than a message with some.
#[cfg(target_env = "gnu")]
const MAPPED_BYTES_MIN: libc::c_int = 4 * 1024 * 1024;
