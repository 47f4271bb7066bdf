//! A path on its way to a block: one block a segment, and one a level in a HAMT. Through dag-cbor and
//! dag-json it leads along links; within a block several segments may pass.

use super::hamt::{Found, Place};
use super::node::Part;
use crate::ipld::{self, Step};
use crate::limits::{PATH_BLOCKS_MAX, PATH_BYTES_MAX, PATH_SEGMENTS_MAX};
use crate::{Cid, Error};

/// Follows a path from a root.
#[derive(Debug)]
pub struct Resolver {
    at: Cid,
    /// The names that are left, the next one last.
    names: Vec<String>,
    /// Where the next name belongs in the HAMT whose node is wanted.
    place: Option<Place>,
    /// The blocks that were taken.
    passed: Vec<Cid>,
    /// The root, and what the names led to so far.
    roots: Vec<Cid>,
}

/// The segments of a path, whose slashes at its ends and beside each other count for nothing.
///
/// # Errors
/// [`Error::FilesTooLarge`] beyond the limits of paths.
pub fn path_segments(path: &str) -> Result<Vec<String>, Error> {
    if path.len() > PATH_BYTES_MAX {
        return Err(Error::FilesTooLarge("a path has more than 4,096 bytes"));
    }
    let names: Vec<String> =
        path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.len() > PATH_SEGMENTS_MAX {
        return Err(Error::FilesTooLarge("a path has more than 128 segments"));
    }
    Ok(names)
}

impl Resolver {
    /// Follows these names, the first one first.
    pub fn new(root: Cid, mut names: Vec<String>) -> Resolver {
        names.reverse();
        let roots = vec![root.clone()];
        Resolver { at: root, names, place: None, passed: Vec::new(), roots }
    }

    /// The block that is wanted next; none when the path is at its end.
    pub fn wanted(&self) -> Option<&Cid> {
        if self.names.is_empty() { None } else { Some(&self.at) }
    }

    /// Takes the block that is wanted.
    ///
    /// # Errors
    /// [`Error::NoEntry`] and [`Error::NotADirectory`] where the path leads nowhere,
    /// [`Error::PathIntoCodec`] where it leaves what holds files, and what is wrong with the block.
    pub fn take(&mut self, block: &[u8]) -> Result<(), Error> {
        let Some(name) = self.names.last() else { return Ok(()) };
        if self.passed.len() == PATH_BLOCKS_MAX {
            return Err(Error::TooDeep);
        }
        self.passed.push(self.at.clone());
        if self.place.is_none() && ipld::is_walked(self.at.codec()) {
            return self.follow_links(block);
        }
        let found = match (Part::read(&self.at, block)?, self.place) {
            (Part::Shard(shard), place) => {
                let place = place.unwrap_or_else(|| Place::of(name.as_bytes()));
                shard.look_up(name.as_bytes(), place)?
            }
            (_, Some(_)) => return Err(Error::UnixFs("a node of a HAMT is something else")),
            (Part::Directory(links), None) => links
                .into_iter()
                .find(|link| link.name == name.as_bytes())
                .map_or(Found::Nothing, |link| Found::Entry(link.cid)),
            (Part::File { .. } | Part::Symlink(_), None) => {
                return Err(Error::NotADirectory(name.clone()));
            }
        };
        match found {
            Found::Nothing => return Err(Error::NoEntry(name.clone())),
            Found::Below(cid, place) => (self.at, self.place) = (cid, Some(place)),
            Found::Entry(cid) => {
                self.names.pop();
                self.reached(cid);
            }
        }
        Ok(())
    }

    fn follow_links(&mut self, block: &[u8]) -> Result<(), Error> {
        let names: Vec<String> = self.names.iter().rev().cloned().collect();
        match ipld::step(self.at.codec(), block, &names)? {
            Step::Link(cid, used) => {
                self.names.truncate(self.names.len() - used);
                // Names before the last one lead to values of this block.
                self.roots.extend((1..used).map(|_| self.at.clone()));
                self.reached(cid);
                Ok(())
            }
            Step::Inside => Err(Error::PathIntoCodec(self.at.codec().code())),
            Step::Missing(at) => Err(Error::NoEntry(names[at].clone())),
        }
    }

    fn reached(&mut self, cid: Cid) {
        self.roots.push(cid.clone());
        (self.at, self.place) = (cid, None);
    }

    /// What the path led through: the blocks on the way, without the one at its end, and the addresses
    /// that its root and its names stand for, the last one being that of its end.
    pub fn into_way(self) -> (Vec<Cid>, Vec<Cid>) {
        (self.passed, self.roots)
    }
}
