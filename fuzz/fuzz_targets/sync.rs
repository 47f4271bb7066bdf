//! Whatever bytes come as a request or a reply of fast sync: an error, or a message that is written
//! with the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use optimusdb_dag::sync::{Reply, Request};

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = Request::decode(data) {
        assert_eq!(request.encode(), data);
    }
    if let Ok(reply) = Reply::decode(data) {
        assert_eq!(reply.encode(), data);
    }
});
