//! Whatever bytes come as a vote: an error, or a vote about what was asked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use optimusdb_dag::{Cid, Codec, HashCode, Vote, VoteSubject};

fuzz_target!(|data: &[u8]| {
    let Ok(cid) = Cid::of(Codec::RAW, HashCode::Sha2_256, b"a file") else { return };
    let subject = VoteSubject { swarm: "swarm", peer: b"peer", cid: &cid };
    if let Ok(vote) = Vote::open(data, &subject) {
        assert!(!vote.voter.is_empty());
    }
});
