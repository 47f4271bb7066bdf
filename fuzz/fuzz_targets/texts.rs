//! Whatever a peer says of itself, and whatever an operator writes as an address or a key.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| optimusdb_swarm::fuzzing::texts(data));
