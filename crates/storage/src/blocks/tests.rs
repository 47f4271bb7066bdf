//! All or none, whatever happens; what is wanted stays, and what nobody wants goes.

use super::*;
use optimusdb_dag::unixfs::{FileWriter, Profile, Written};
use optimusdb_dag::{Codec, HashCode};
use std::fs;

const MIB: usize = 1024 * 1024;

struct Home {
    directory: tempfile::TempDir,
    blocks: Option<Arc<FileBlocks>>,
}

impl Home {
    fn new() -> Home {
        let mut home = Home { directory: tempfile::tempdir().unwrap(), blocks: None };
        home.reopen();
        home
    }

    fn reopen(&mut self) {
        self.blocks = None;
        let blocks = FileBlocks::open_at(self.directory.path(), Durability::Full).unwrap();
        self.blocks = Some(Arc::new(blocks));
    }

    fn blocks(&self) -> &Arc<FileBlocks> {
        self.blocks.as_ref().unwrap()
    }

    /// Bytes of the segments on the disk.
    fn segments(&self) -> u64 {
        let entries = fs::read_dir(self.directory.path().join("blocks")).unwrap();
        entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }

    fn rows(&self) -> i64 {
        let count = "SELECT count(*) FROM blocks";
        self.blocks().writer().db.query_row(count, [], |row| row.get(0)).unwrap()
    }

    fn sweep(&self) -> SweepStep {
        let mut sweep = Sweep::begin(self.blocks()).unwrap().unwrap();
        loop {
            match sweep.step().unwrap() {
                SweepStep::More => {}
                end => return end,
            }
        }
    }
}

fn raw(bytes: &[u8]) -> Cid {
    Cid::of(Codec::RAW, HashCode::Sha2_256, bytes).unwrap()
}

/// Bytes of which no two blocks are the same, another for each `seed`.
fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x as u8
    };
    (0..length).map(next).collect()
}

fn write(adding: &mut Adding, bytes: &[u8]) -> Written {
    let mut put = |cid: &Cid, block: &[u8]| adding.put(cid, block);
    let mut writer = FileWriter::new(Profile::Kubo);
    writer.write(bytes, &mut put).unwrap();
    writer.finish(&mut put).unwrap()
}

fn add(home: &Home, bytes: &[u8], pinned: bool) -> Cid {
    let mut adding = home.blocks().add();
    let cid = write(&mut adding, bytes).cid;
    let pins = if pinned { std::slice::from_ref(&cid) } else { &[] };
    adding.finish(pins, "a file", 7).unwrap();
    cid
}

#[test]
fn blocks_of_any_size_are_read_again_also_after_a_restart() {
    let mut home = Home::new();
    let sizes = [1, 300, SMALL_BLOCK_BYTES_MAX, SMALL_BLOCK_BYTES_MAX + 1, 256 * 1024, 2 * MIB];
    let blocks: Vec<Vec<u8>> = sizes.iter().map(|size| bytes(*size, *size as u64)).collect();
    let mut adding = home.blocks().add();
    for block in &blocks {
        adding.put(&raw(block), block).unwrap();
        assert!(!home.blocks().has(&raw(block)).unwrap(), "seen before the end");
    }
    adding.finish(&[], "", 0).unwrap();
    for _ in 0..2 {
        for block in &blocks {
            assert_eq!(home.blocks().get(&raw(block)).unwrap().as_ref(), Some(block));
            let other = Cid::new(Codec::DAG_CBOR, raw(block).hash().clone());
            assert!(home.blocks().has(&other).unwrap(), "whatever the codec");
        }
        assert_eq!(home.blocks().get(&raw(b"no such")).unwrap(), None);
        home.reopen();
    }
    assert_eq!(home.blocks().get(&raw(b"")).unwrap(), Some(vec![]));
    let identity = Cid::of(Codec::RAW, HashCode::Identity, b"here").unwrap();
    assert_eq!(home.blocks().get(&identity).unwrap().unwrap(), b"here");
    assert!(home.blocks().has(&identity).unwrap() && home.blocks().has(&raw(b"")).unwrap());
}

#[test]
fn what_is_dropped_in_the_middle_leaves_nothing() {
    let home = Home::new();
    for length in [100, 5 * MIB, 70 * MIB] {
        let mut adding = home.blocks().add();
        write(&mut adding, &bytes(length, 1));
        drop(adding);
        assert_eq!((home.rows(), home.segments()), (0, 0), "{length}");
    }
}

#[test]
fn what_a_stop_leaves_in_the_middle_is_gone_at_the_next_start() {
    let mut home = Home::new();
    let kept = add(&home, &bytes(3 * MIB, 2), true);
    let (rows, segments) = (home.rows(), home.segments());
    let mut adding = home.blocks().add();
    let root = write(&mut adding, &bytes(70 * MIB, 3)).cid;
    // As a crash does it: nothing is undone, and the tables and segments are as they were.
    std::mem::forget(adding);
    assert!(home.rows() > rows && home.segments() > segments);
    // A segment that ends in bytes of which no row knows.
    let first = home.directory.path().join("blocks/1.blocks");
    let mut longer = fs::read(&first).unwrap();
    longer.extend([0; 1000]);
    fs::write(&first, longer).unwrap();
    home.blocks = None;
    home.reopen();
    assert_eq!((home.rows(), home.segments()), (rows, segments));
    assert!(home.blocks().has(&kept).unwrap() && !home.blocks().has(&root).unwrap());
    // Numbers of segments and of adds are not mixed up with those from before.
    let again = add(&home, &bytes(3 * MIB, 4), false);
    home.reopen();
    assert!(home.blocks().has(&kept).unwrap() && home.blocks().has(&again).unwrap());
}

#[test]
fn the_same_file_is_kept_once() {
    let home = Home::new();
    let file = bytes(2 * MIB, 5);
    let first = add(&home, &file, false);
    let (rows, segments) = (home.rows(), home.segments());
    assert_eq!(add(&home, &file, false), first);
    assert_eq!((home.rows(), home.segments()), (rows, segments));
    // A chunk that comes again and again is kept once, too.
    add(&home, &vec![9; 20 * MIB], false);
    assert!(home.segments() - segments <= 256 * 1024);
}

#[test]
fn damage_is_noticed() {
    let home = Home::new();
    let block = bytes(100_000, 6);
    add(&home, &block, true);
    let path = home.directory.path().join("blocks/1.blocks");
    let mut damaged = fs::read(&path).unwrap();
    damaged[50_000] ^= 1;
    fs::write(&path, &damaged).unwrap();
    assert!(matches!(home.blocks().get(&raw(&block)), Err(Error::Corrupt(_))));
    fs::write(&path, &damaged[..60_000]).unwrap();
    assert!(matches!(home.blocks().get(&raw(&block)), Err(Error::Corrupt(_))));
}

#[test]
fn what_no_pin_leads_to_goes_and_all_else_stays() {
    let home = Home::new();
    let kept = bytes(3 * MIB, 7);
    let (kept_cid, gone) = (add(&home, &kept, true), add(&home, &bytes(4 * MIB, 8), false));
    let small = add(&home, b"small and unwanted", false);
    let read = add(&home, &bytes(MIB, 9), false);
    let reading = home.blocks().reading(&read);
    let mut adding = home.blocks().add();
    let unfinished = write(&mut adding, &bytes(MIB, 10)).cid;
    // Part of what is being added is there already.
    let shared = bytes(256 * 1024, 11);
    add(&home, &shared, false);
    adding.put(&raw(&shared), &shared).unwrap();
    let SweepStep::Done(blocks, bytes_gone) = home.sweep() else { panic!("disturbed") };
    assert!(blocks >= 18 && bytes_gone > 4 * MIB as u64, "{blocks} {bytes_gone}");
    assert!(!home.blocks().has(&gone).unwrap() && !home.blocks().has(&small).unwrap());
    for cid in [&kept_cid, &read, &raw(&shared)] {
        assert!(home.blocks().has(cid).unwrap());
    }
    adding.finish(&[], "", 0).unwrap();
    assert!(home.blocks().has(&unfinished).unwrap());
    drop(reading);
    assert!(home.blocks().unpin(&kept_cid).unwrap() && !home.blocks().unpin(&kept_cid).unwrap());
    home.sweep();
    assert_eq!((home.rows(), home.segments()), (0, 0));
}

#[test]
fn a_segment_of_which_little_is_left_is_written_anew() {
    let mut home = Home::new();
    let mut adding = home.blocks().add();
    let (small, large) = (bytes(600_000, 12), bytes(9 * MIB, 13));
    let small_cid = write(&mut adding, &small).cid;
    write(&mut adding, &large);
    adding.finish(std::slice::from_ref(&small_cid), "", 0).unwrap();
    assert!(home.segments() > 9 * MIB as u64);
    home.sweep();
    assert_eq!(home.segments(), 600_000);
    home.reopen();
    for part in small.chunks(256 * 1024) {
        assert_eq!(home.blocks().get(&raw(part)).unwrap().as_deref(), Some(part));
    }
}

#[test]
fn who_wants_what_is_about_to_go_ends_the_sweep() {
    let home = Home::new();
    let file = add(&home, &bytes(MIB, 14), false);
    let mut sweep = Sweep::begin(home.blocks()).unwrap().unwrap();
    assert!(Sweep::begin(home.blocks()).unwrap().is_none(), "there is one at a time");
    home.blocks().pin(&file, "late", 1).unwrap();
    assert_eq!(sweep.step().unwrap(), SweepStep::Disturbed);
    drop(sweep);
    home.sweep();
    assert!(home.blocks().has(&file).unwrap());
}

#[test]
fn pins_have_names() {
    let mut home = Home::new();
    let file = add(&home, b"pinned", true);
    home.blocks().pin(&raw(b"elsewhere"), "later", 9).unwrap();
    home.blocks().pin(&file, "renamed", 10).unwrap();
    home.reopen();
    let pins = home.blocks().pins().unwrap();
    let shown: Vec<_> = pins.iter().map(|pin| (&pin.cid, &*pin.name, pin.created_ms)).collect();
    assert_eq!(shown, [(&file, "renamed", 7), (&raw(b"elsewhere"), "later", 9)]);
}
