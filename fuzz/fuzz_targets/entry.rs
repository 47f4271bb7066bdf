//! Whatever bytes come as an entry block: an error or a value, and the same bytes again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use optimusdb_dag::{LogCid, Entry};

fuzz_target!(|data: &[u8]| {
    let cid = LogCid::of(data);
    let Ok(entry) = Entry::decode(cid, data) else { return };
    // What is kept in parts is made again byte for byte.
    let again = Entry::from_stored(&entry.to_stored()).expect("the parts make the block");
    assert_eq!((again.cid(), again.block()), (cid, data));
    let _ = entry.payload();
});
