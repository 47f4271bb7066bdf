//! Whatever bytes come as a manifest block: an error or a value, and the same bytes again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use optimusdb_dag::{LogCid, Manifest};

fuzz_target!(|data: &[u8]| {
    let cid = LogCid::of(data);
    if let Ok(manifest) = Manifest::decode(cid, data) {
        assert_eq!(manifest.encode().expect("it was read"), (cid, data.to_vec()));
    }
});
