//! Whatever bytes come as an identity block: an error or a value, and the same bytes again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use optimusdb_dag::{LogCid, Identity};

fuzz_target!(|data: &[u8]| {
    if let Ok(identity) = Identity::decode(LogCid::of(data), data) {
        assert_eq!(identity.block, data);
    }
});
