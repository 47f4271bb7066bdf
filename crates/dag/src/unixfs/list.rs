//! What is in a directory, node by node.

use super::hamt::{Target, Trail};
use super::node::Part;
use crate::{Cid, Error};

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEntry {
    /// Its name. Bytes that are no UTF-8 are shown as U+FFFD.
    pub name: String,
    /// Its address.
    pub cid: Cid,
    /// Bytes of all its blocks, as the directory says.
    pub blocks_bytes: u64,
}

/// Lists a directory.
#[derive(Debug)]
pub struct Lister {
    /// Nodes that are still to be read, the next one last.
    waiting: Vec<(Cid, Trail)>,
    root: bool,
}

impl Lister {
    /// Lists the directory at `cid`.
    pub fn new(cid: Cid) -> Lister {
        Lister { waiting: vec![(cid, Trail::default())], root: true }
    }

    /// The block that is wanted next; none at the end.
    pub fn wanted(&self) -> Option<&Cid> {
        self.waiting.last().map(|(cid, _)| cid)
    }

    /// Takes the block that is wanted, and answers the entries in it.
    ///
    /// # Errors
    /// [`Error::NotADirectory`] for a file, and what is wrong with the block: a name that is not in
    /// its place, or a node without any, so that no HAMT is larger than what is in it.
    pub fn take(&mut self, block: &[u8]) -> Result<Vec<ListedEntry>, Error> {
        let Some((cid, trail)) = self.waiting.pop() else { return Ok(Vec::new()) };
        let root = std::mem::replace(&mut self.root, false);
        let entry = |name: &[u8], cid: Cid, blocks_bytes| ListedEntry {
            name: String::from_utf8_lossy(name).into_owned(),
            cid,
            blocks_bytes,
        };
        let shard = match Part::read(&cid, block)? {
            Part::Directory(links) if root => {
                let entries = links.into_iter().map(|l| entry(&l.name, l.cid, l.size));
                return Ok(entries.collect());
            }
            Part::Shard(shard) => shard,
            _ if root => return Err(Error::NotADirectory(cid.to_string())),
            _ => return Err(Error::UnixFs("a node of a HAMT is something else")),
        };
        if shard.links.is_empty() && !root {
            return Err(Error::UnixFs("a node of a HAMT is empty"));
        }
        let mut entries = Vec::new();
        let mut below = Vec::new();
        for link in &shard.links {
            let (number, target) = shard.target(link)?;
            let trail = trail.child(number, shard.children_max)?;
            match target {
                Target::Node => below.push((link.cid.clone(), trail)),
                Target::Entry(name) if trail.leads_to(name) => {
                    entries.push(entry(name, link.cid.clone(), link.size));
                }
                Target::Entry(_) => {
                    return Err(Error::UnixFs("a name is not in its place in a HAMT"));
                }
            }
        }
        self.waiting.extend(below.into_iter().rev());
        Ok(entries)
    }
}
