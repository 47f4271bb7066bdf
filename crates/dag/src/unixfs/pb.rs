//! Nodes of dag-pb, and the fields of protobuf that they are made of.
//!
//! A node is written as everybody writes it: links first, then data. One with its data before its
//! links is read too, for old ones are like that.

use crate::{Cid, Error, varint};

/// A link of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) cid: Cid,
    /// Its name, usually UTF-8; empty in files.
    pub(super) name: Vec<u8>,
    /// What is below it, in bytes of blocks, as its writer says.
    pub(super) size: u64,
}

/// A node, its data borrowed from the block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Node<'b> {
    pub(super) links: Vec<Link>,
    pub(super) data: Option<&'b [u8]>,
}

impl<'b> Node<'b> {
    /// Reads a block.
    pub(super) fn decode(mut block: &'b [u8]) -> Result<Node<'b>, Error> {
        let mut node = Node { links: Vec::new(), data: None };
        while !block.is_empty() {
            match take_field(&mut block)? {
                (1, Field::Bytes(data)) if node.data.is_none() => node.data = Some(data),
                (1, Field::Bytes(_)) => return Err(Error::DagPb("it has data twice")),
                (2, Field::Bytes(link)) => node.links.push(link_of(link)?),
                _ => return Err(Error::DagPb("it has a field that no node has")),
            }
        }
        Ok(node)
    }

    /// Writes a block.
    pub(super) fn encode(links: &[Link], data: &[u8]) -> Vec<u8> {
        let mut block = Vec::with_capacity(data.len() + 16 + links.len() * 64);
        let mut inner = Vec::with_capacity(128);
        for link in links {
            inner.clear();
            put_bytes(&mut inner, 1, &link.cid.to_bytes());
            put_bytes(&mut inner, 2, &link.name);
            put_number(&mut inner, 3, link.size);
            put_bytes(&mut block, 2, &inner);
        }
        put_bytes(&mut block, 1, data);
        block
    }
}

fn link_of(mut bytes: &[u8]) -> Result<Link, Error> {
    let (mut cid, mut name, mut size) = (None, None, None);
    while !bytes.is_empty() {
        match take_field(&mut bytes)? {
            (1, Field::Bytes(hash)) if cid.is_none() => cid = Some(Cid::from_bytes(hash)?),
            (2, Field::Bytes(text)) if name.is_none() => name = Some(text.to_vec()),
            (3, Field::Number(n)) if size.is_none() => size = Some(n),
            _ => return Err(Error::DagPb("a link has a field twice, or one that no link has")),
        }
    }
    let cid = cid.ok_or(Error::DagPb("a link names no block"))?;
    Ok(Link { cid, name: name.unwrap_or_default(), size: size.unwrap_or(0) })
}

/// The value of a field of protobuf.
pub(super) enum Field<'b> {
    Number(u64),
    Bytes(&'b [u8]),
    /// A number of 4 or 8 bytes, which UnixFS has no use for but in times.
    Fixed,
}

/// Takes a field off the front.
pub(super) fn take_field<'b>(bytes: &mut &'b [u8]) -> Result<(u64, Field<'b>), Error> {
    let key = varint::take(bytes)?;
    let field = match key & 7 {
        0 => Field::Number(varint::take(bytes)?),
        2 => {
            let length = usize::try_from(varint::take(bytes)?).map_err(|_| Error::Truncated)?;
            Field::Bytes(take_bytes(bytes, length)?)
        }
        1 => take_bytes(bytes, 8).map(|_| Field::Fixed)?,
        5 => take_bytes(bytes, 4).map(|_| Field::Fixed)?,
        _ => return Err(Error::DagPb("it has a field of an unknown form")),
    };
    Ok((key >> 3, field))
}

fn take_bytes<'b>(bytes: &mut &'b [u8], length: usize) -> Result<&'b [u8], Error> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(Error::Truncated)?;
    *bytes = rest;
    Ok(taken)
}

/// Writes a field that holds bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint::put(out, field << 3 | 2);
    varint::put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes a field that holds a number.
pub(super) fn put_number(out: &mut Vec<u8>, field: u64, number: u64) {
    varint::put(out, field << 3);
    varint::put(out, number);
}
