//! The decoders of this room, for the fuzz targets: those live outside of the workspace and see
//! only what is public. Each takes whatever bytes come; a panic is the finding.

use libp2p::futures::executor::block_on;
use libp2p::futures::io::Cursor;

use crate::limits::{AGENT_BYTES_MAX, SYNC_FRAME_BYTES_MAX};
use crate::peering::agent::Agent;
use crate::peering::target::DialTarget;
use crate::protocols::bitswap;
use crate::protocols::frames;
use crate::protocols::items::{ItemError, Items};
use crate::{PeerId, SwarmKey};

/// A head of a heads stream is at most this large here: small, so that the limit is met.
const HEAD_BYTES_MAX: usize = 256;

/// A bitswap message, and the stream that it comes on.
pub fn bitswap(bytes: &[u8]) {
    bitswap::fuzz(bytes);
}

/// A heads stream, which is cut at the same places in whatever pieces it comes.
pub fn heads(bytes: &[u8], piece_bytes: usize) {
    let whole = cut(bytes, bytes.len());
    assert!(whole.0.iter().all(|head| (1..=HEAD_BYTES_MAX).contains(&head.len())));
    assert!(bytes.starts_with(&whole.0.concat()));
    assert_eq!(cut(bytes, piece_bytes), whole);
}

/// The heads of a stream, and why its rest is no head.
fn cut(bytes: &[u8], piece_bytes: usize) -> (Vec<Vec<u8>>, Option<ItemError>) {
    let (mut items, mut heads) = (Items::new(HEAD_BYTES_MAX), Vec::new());
    for piece in bytes.chunks(piece_bytes.max(1)) {
        items.feed(piece);
        loop {
            match items.next() {
                Ok(Some(head)) => heads.push(head),
                Ok(None) => break,
                Err(error) => return (heads, Some(error)),
            }
        }
    }
    (heads, None)
}

/// The frames of a stream of fast sync.
pub fn sync_frames(bytes: &[u8]) {
    let (mut stream, mut inside) = (Cursor::new(bytes), 0);
    while let Ok(Some(frame)) = block_on(frames::read_frame(&mut stream, SYNC_FRAME_BYTES_MAX)) {
        inside += frame.len();
    }
    assert!(inside <= bytes.len());
}

/// What a peer says of itself, and what an operator writes.
pub fn texts(bytes: &[u8]) {
    let _ = SwarmKey::from_file(bytes);
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Some(agent) = Agent::parse(text) {
        let own = agent.text();
        let again = Agent::parse(&own).expect("its own text is one");
        // Names come back if they fit.
        let names = (&again.swarm, &again.region) == (&agent.swarm, &agent.region);
        assert!(names || own.len() > AGENT_BYTES_MAX);
    }
    let _ = text.parse::<PeerId>();
    if let Ok(target) = DialTarget::parse(text) {
        DialTarget::parse(&target.to_string()).expect("its own text is one");
    }
}

#[cfg(test)]
mod tests {
    proptest::proptest! {
        /// Whatever comes on a heads stream, in whatever pieces, is cut at the same places.
        #[test]
        fn pieces_make_no_difference(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600),
            piece in 1_usize..80,
        ) {
            super::heads(&bytes, piece);
        }
    }
}
