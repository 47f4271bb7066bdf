//! Whatever bytes come as an access controller block: an error or a value, and the same bytes again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use optimusdb_dag::{AccessController, LogCid};

fuzz_target!(|data: &[u8]| {
    let cid = LogCid::of(data);
    if let Ok(access) = AccessController::decode(cid, data) {
        assert_eq!(access.encode(), (cid, data.to_vec()));
    }
});
