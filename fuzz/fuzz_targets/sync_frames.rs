//! Whatever bytes come on a stream of fast sync.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| optimusdb_swarm::fuzzing::sync_frames(data));
