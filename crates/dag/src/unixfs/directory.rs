//! A directory on its way into blocks: one node, or a HAMT where it would be large.

use std::collections::BTreeMap;

use super::hamt;
use super::node::directory_data;
use super::pb::{Link, Node};
use super::profile::Profile;
use super::write::{Written, put_node};
use crate::limits::DIRECTORY_PLAIN_BYTES_MAX;
use crate::{Cid, Error};

/// What a name in a directory stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Its address.
    pub cid: Cid,
    /// Bytes of all its blocks.
    pub blocks_bytes: u64,
}

/// Writes a directory and hands over its blocks, the root last.
///
/// # Errors
/// What `put` fails with; [`Error::UnixFs`] when no HAMT can hold the names.
pub fn write_directory<E: From<Error>>(
    profile: Profile,
    children: BTreeMap<String, Child>,
    put: &mut impl FnMut(&Cid, &[u8]) -> Result<(), E>,
) -> Result<Written, E> {
    let links: Vec<Link> = children
        .into_iter()
        .map(|(name, child)| Link {
            cid: child.cid,
            name: name.into_bytes(),
            size: child.blocks_bytes,
        })
        .collect();
    if weight(profile, &links) > DIRECTORY_PLAIN_BYTES_MAX {
        return hamt::write(profile, links, put);
    }
    put_node(profile, &links, &directory_data(), 0, put)
}

/// The size that decides whether a directory becomes a HAMT.
fn weight(profile: Profile, links: &[Link]) -> usize {
    if profile.weighs_block() {
        return Node::encode(links, &directory_data()).len();
    }
    links.iter().map(|link| link.name.len() + link.cid.to_bytes().len()).sum()
}
