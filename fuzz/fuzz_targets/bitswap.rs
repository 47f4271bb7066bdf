//! Whatever bytes come as a bitswap message, or on a stream of them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| optimusdb_swarm::fuzzing::bitswap(data));
