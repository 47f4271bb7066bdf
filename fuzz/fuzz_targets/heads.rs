//! Whatever bytes come on a heads stream, in whatever pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((piece, stream)) = data.split_first() else { return };
    optimusdb_swarm::fuzzing::heads(stream, usize::from(*piece));
});
