//! Directories as HAMTs: hash array mapped tries over the murmur3 of the names.
//!
//! Each level takes as many bits of the hash as say which of a node's children a name belongs to,
//! the greatest first. A link is named after its child's number in hexadecimal; behind the number
//! of a link to an entry stands the entry's name, and a number alone leads to a node one level down.

use super::murmur::murmur3;
use super::node::{Shard, shard_data};
use super::pb::Link;
use super::profile::Profile;
use super::write::{Written, put_node};
use crate::limits::HAMT_WRITTEN_LINKS_MAX;
use crate::{Cid, Error};

const HASH_BITS: u32 = u64::BITS;

/// Where a name belongs in a HAMT: its hash, and how many bits of it are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    hash: u64,
    used_bits: u32,
}

impl Place {
    /// The place of a name in the root.
    pub(super) fn of(name: &[u8]) -> Place {
        Place { hash: murmur3(name), used_bits: 0 }
    }

    /// Which child of a node it is, and the place in that child.
    fn child(self, children_max: usize) -> Result<(usize, Place), Error> {
        let bits = children_max.trailing_zeros();
        if self.used_bits + bits > HASH_BITS {
            return Err(Error::UnixFs("a HAMT is deeper than its hash is long"));
        }
        let index = self.hash << self.used_bits >> (HASH_BITS - bits);
        // Below `children_max`, which is a usize.
        Ok((index as usize, Place { used_bits: self.used_bits + bits, ..self }))
    }
}

/// What a link of a HAMT leads to.
pub(super) enum Target<'l> {
    /// The node of a child.
    Node,
    /// An entry of this name.
    Entry(&'l [u8]),
}

/// Digits of a child's number.
fn digits(children_max: usize) -> usize {
    format!("{:X}", children_max - 1).len()
}

impl Shard {
    /// The number of the child that a link is for, and what it leads to.
    pub(super) fn target<'l>(&self, link: &'l Link) -> Result<(usize, Target<'l>), Error> {
        let wrong = Error::UnixFs("a link of a HAMT has no number in its name");
        let split = link.name.split_at_checked(digits(self.children_max));
        let (number, name) = split.ok_or(wrong.clone())?;
        let number = std::str::from_utf8(number).ok();
        let number = number.and_then(|number| usize::from_str_radix(number, 16).ok());
        let number = number.filter(|number| *number < self.children_max).ok_or(wrong)?;
        Ok((number, if name.is_empty() { Target::Node } else { Target::Entry(name) }))
    }

    /// Where a name leads: to its entry, to a node in which it is looked for from a place on, or
    /// nowhere.
    pub(super) fn look_up(&self, name: &[u8], place: Place) -> Result<Found, Error> {
        let (wanted, below) = place.child(self.children_max)?;
        for link in &self.links {
            match self.target(link)? {
                (number, _) if number != wanted => {}
                (_, Target::Node) => return Ok(Found::Below(link.cid.clone(), below)),
                (_, Target::Entry(entry)) if entry == name => {
                    return Ok(Found::Entry(link.cid.clone()));
                }
                (_, Target::Entry(_)) => return Ok(Found::Nothing),
            }
        }
        Ok(Found::Nothing)
    }
}

/// What a look-up in a node found.
pub(super) enum Found {
    /// The entry.
    Entry(Cid),
    /// The node to look in next, and the place in it.
    Below(Cid, Place),
    /// No entry of the name.
    Nothing,
}

/// The bits of a hash that lead to a node, so that what is found there can be checked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trail {
    bits: u64,
    count: u32,
}

impl Trail {
    /// The trail of a node's child.
    pub(super) fn child(self, number: usize, children_max: usize) -> Result<Trail, Error> {
        let bits = children_max.trailing_zeros();
        let count = self.count + bits;
        if count > HASH_BITS {
            return Err(Error::UnixFs("a HAMT is deeper than its hash is long"));
        }
        Ok(Trail { bits: self.bits | (number as u64) << (HASH_BITS - count), count })
    }

    /// Whether a name belongs at its end.
    pub(super) fn leads_to(self, name: &[u8]) -> bool {
        self.count == 0 || (murmur3(name) ^ self.bits) >> (HASH_BITS - self.count) == 0
    }
}

/// Writes a directory as a HAMT.
pub(super) fn write<E: From<Error>>(
    profile: Profile,
    links: Vec<Link>,
    put: &mut impl FnMut(&Cid, &[u8]) -> Result<(), E>,
) -> Result<Written, E> {
    let mut placed: Vec<(Place, Link)> =
        links.into_iter().map(|link| (Place::of(&link.name), link)).collect();
    placed.sort_by_key(|(place, _)| place.hash);
    write_node(profile, &mut placed, put)
}

/// Writes the node of these links and those below it, no deeper than the hash is long.
fn write_node<E: From<Error>>(
    profile: Profile,
    placed: &mut [(Place, Link)],
    put: &mut impl FnMut(&Cid, &[u8]) -> Result<(), E>,
) -> Result<Written, E> {
    let children_max = HAMT_WRITTEN_LINKS_MAX;
    let mut filled = [0_u8; HAMT_WRITTEN_LINKS_MAX / 8];
    let mut links = Vec::new();
    let mut rest = placed;
    while let Some((place, _)) = rest.first() {
        let (number, _) = place.child(children_max)?;
        let mut count = 0;
        while let Some((place, _)) = rest.get_mut(count) {
            match place.child(children_max)? {
                (of, below) if of == number => *place = below,
                _ => break,
            }
            count += 1;
        }
        let (own, others) = rest.split_at_mut(count);
        rest = others;
        let mut name = format!("{number:02X}").into_bytes();
        let link = if let [(_, entry)] = own {
            name.extend_from_slice(&entry.name);
            Link { name, cid: entry.cid.clone(), size: entry.size }
        } else {
            let node = write_node(profile, own, put)?;
            Link { name, cid: node.cid, size: node.blocks_bytes }
        };
        links.push(link);
        // The greatest number stands first.
        let last = filled.len() - 1;
        filled[last - number / 8] |= 1 << (number % 8);
    }
    let first = filled.iter().position(|byte| *byte != 0).unwrap_or(filled.len());
    put_node(profile, &links, &shard_data(&filled[first..], children_max), 0, put)
}
