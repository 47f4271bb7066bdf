//! Which blocks a block names, so that what belongs together is kept and checked together.
//!
//! Blocks of dag-cbor and dag-json are not parsed but searched for what a link looks like. A text
//! that looks like one keeps a block too many; none is ever overlooked.

use super::pb::Node;
use crate::{Cid, Codec, Error, ipld};

/// The addresses in a block, in their order. A block of a codec that is not read here names none.
///
/// # Errors
/// What is wrong with a block of dag-pb.
pub fn links_of(codec: Codec, block: &[u8]) -> Result<Vec<Cid>, Error> {
    match codec {
        Codec::DAG_PB => Ok(Node::decode(block)?.links.into_iter().map(|link| link.cid).collect()),
        Codec::DAG_CBOR => Ok(in_cbor(block)),
        Codec::DAG_JSON => Ok(in_json(block)),
        _ => Ok(Vec::new()),
    }
}

/// As [`links_of`], but of dag-cbor and dag-json what is a link and nothing else: for those who send
/// what belongs to a block, and no more.
///
/// # Errors
/// What is wrong with the block.
pub fn exact_links_of(codec: Codec, block: &[u8]) -> Result<Vec<Cid>, Error> {
    if ipld::is_walked(codec) { ipld::links(codec, block) } else { links_of(codec, block) }
}

/// What a link begins with: tag 42.
const CBOR_LINK: [u8; 2] = [0xd8, 0x2a];

fn in_cbor(block: &[u8]) -> Vec<Cid> {
    let mut found = Vec::new();
    for at in 0..block.len() {
        let Some(rest) = block[at..].strip_prefix(&CBOR_LINK) else { continue };
        // A text of bytes, its length in the head, in one byte or in two; a zero byte comes first.
        let (length, bytes) = match rest {
            [head @ 0x40..=0x57, bytes @ ..] => (usize::from(head - 0x40), bytes),
            [0x58, length, bytes @ ..] => (usize::from(*length), bytes),
            [0x59, high, low, bytes @ ..] => {
                (usize::from(u16::from_be_bytes([*high, *low])), bytes)
            }
            _ => continue,
        };
        let cid = bytes.get(..length).and_then(|bytes| bytes.strip_prefix(&[0]));
        found.extend(cid.and_then(|cid| Cid::from_bytes(cid).ok()));
    }
    found
}

fn in_json(block: &[u8]) -> Vec<Cid> {
    let text = String::from_utf8_lossy(block);
    let links = text.split("\"/\"").skip(1).filter_map(|rest| {
        let value = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
        value.split('"').next()?.parse().ok()
    });
    links.collect()
}
