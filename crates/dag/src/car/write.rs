//! Writing a CAR of version 1.

use crate::cbor::{BYTES, LIST, MAP, put_head, put_text};
use crate::{Cid, varint};

/// What a CAR of these roots begins with.
pub fn header(roots: &[Cid]) -> Vec<u8> {
    let mut header = Vec::with_capacity(64);
    put_head(&mut header, MAP, 2);
    put_text(&mut header, "roots");
    put_head(&mut header, LIST, roots.len() as u64);
    for root in roots {
        let cid = root.to_bytes();
        // Tag 42.
        header.extend_from_slice(&[0xd8, 0x2a]);
        put_head(&mut header, BYTES, cid.len() as u64 + 1);
        header.push(0);
        header.extend_from_slice(&cid);
    }
    put_text(&mut header, "version");
    header.push(1);
    let mut out = Vec::with_capacity(header.len() + 2);
    varint::put(&mut out, header.len() as u64);
    out.extend_from_slice(&header);
    out
}

/// What stands before the bytes of a block.
pub fn section(cid: &Cid, block_bytes: usize) -> Vec<u8> {
    let cid = cid.to_bytes();
    let mut out = Vec::with_capacity(cid.len() + 4);
    varint::put(&mut out, (cid.len() + block_bytes) as u64);
    out.extend_from_slice(&cid);
    out
}
