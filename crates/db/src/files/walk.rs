//! What is below an address, block after block, with bounds: on its levels, its blocks, its bytes and on what is
//! remembered of it. Without IO: who walks brings the blocks.

use super::of_block;
use crate::error::Error;
use crate::limits::{DAG_BLOCKS_MAX, DAG_LEVELS_MAX, DAG_WAITING_BLOCKS_MAX};
use optimusdb_dag::unixfs::links_of;
use optimusdb_dag::{Cid, Codec};
use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

/// A block that a walk comes to.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Its address.
    pub(super) cid: Cid,
    level: u32,
}

impl Place {
    /// Whether nothing is below it.
    pub(super) fn is_leaf(&self) -> bool {
        !matches!(self.cid.codec(), Codec::DAG_PB | Codec::DAG_CBOR | Codec::DAG_JSON)
    }
}

/// A walk.
#[derive(Debug)]
pub(super) struct Walk {
    /// What it still has to come to, the next one last.
    waiting: Vec<Place>,
    /// What it came to or will, by a secret hash of the whole address: one block may be named as bytes and as a
    /// node, and nobody is to find two addresses that are taken for one.
    seen: HashSet<u64>,
    hashing: RandomState,
    bytes: u64,
    bytes_max: u64,
}

impl Walk {
    /// A walk over what is below `root`, which has at most `bytes_max` bytes.
    pub(super) fn new(root: Cid, bytes_max: u64) -> Walk {
        let (seen, hashing) = (HashSet::new(), RandomState::new());
        let mut walk = Walk { waiting: Vec::new(), seen, hashing, bytes: 0, bytes_max };
        walk.is_new(&root);
        walk.waiting.push(Place { cid: root, level: 0 });
        walk
    }

    fn is_new(&mut self, cid: &Cid) -> bool {
        let hash = cid.hash();
        let known_by = (cid.codec().code(), hash.code().code(), hash.digest());
        self.seen.insert(self.hashing.hash_one(known_by))
    }

    /// How many bytes the blocks have that it came to.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next block, in the order of the file as far as blocks come in it.
    pub(super) fn next(&mut self) -> Option<Place> {
        self.waiting.pop()
    }

    /// A leaf of so many bytes is there.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond the bounds.
    pub(super) fn pass(&mut self, bytes: u64) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.bytes_max {
            return Err(Error::TooLarge(format!(
                "what is below the address has more than {} bytes",
                self.bytes_max
            )));
        }
        Ok(())
    }

    /// A block is there: what it names comes next.
    ///
    /// # Errors
    /// As [`Walk::pass`], and for a node of dag-pb that is none.
    pub(super) fn take(&mut self, place: &Place, block: &[u8]) -> Result<(), Error> {
        self.pass(block.len() as u64)?;
        let links = links_of(place.cid.codec(), block).map_err(of_block)?;
        if !links.is_empty() && place.level + 1 >= DAG_LEVELS_MAX {
            return Err(too_large(format!("more than {DAG_LEVELS_MAX} levels")));
        }
        for cid in links.into_iter().rev() {
            if !self.is_new(&cid) {
                continue;
            }
            if self.seen.len() > DAG_BLOCKS_MAX {
                return Err(too_large(format!("more than {DAG_BLOCKS_MAX} blocks")));
            }
            self.waiting.push(Place { cid, level: place.level + 1 });
        }
        if self.waiting.len() > DAG_WAITING_BLOCKS_MAX {
            return Err(too_large(format!(
                "nodes that name more than {DAG_WAITING_BLOCKS_MAX} blocks"
            )));
        }
        Ok(())
    }
}

fn too_large(what: String) -> Error {
    Error::TooLarge(format!("below the address there are {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use optimusdb_dag::HashCode;

    /// A block of dag-cbor with these links, and its address.
    fn node(links: &[Cid]) -> (Cid, Vec<u8>) {
        let mut block = vec![0x99, (links.len() >> 8) as u8, links.len() as u8];
        for link in links {
            let bytes = link.to_bytes();
            block.extend([0xd8, 0x2a, 0x58, bytes.len() as u8 + 1, 0]);
            block.extend(bytes);
        }
        (Cid::of(Codec::DAG_CBOR, HashCode::Sha2_256, &block).unwrap(), block)
    }

    fn leaf(n: u64) -> Cid {
        Cid::of(Codec::RAW, HashCode::Sha2_256, &n.to_be_bytes()).unwrap()
    }

    #[test]
    fn blocks_come_in_order_and_each_once() {
        let (low, low_block) = node(&[leaf(1), leaf(2)]);
        let (root, root_block) = node(&[leaf(0), low.clone(), low.clone(), leaf(1)]);
        let mut walk = Walk::new(root.clone(), 1_000);
        let mut came = Vec::new();
        while let Some(place) = walk.next() {
            came.push(place.cid.clone());
            match &place.cid {
                cid if *cid == root => walk.take(&place, &root_block).unwrap(),
                cid if *cid == low => walk.take(&place, &low_block).unwrap(),
                _ => walk.pass(8).unwrap(),
            }
        }
        assert_eq!(came.len(), 5, "{came:?}");
        assert_eq!(came[..2], [root, leaf(0)]);
    }

    #[test]
    fn what_is_too_deep_too_wide_or_too_large_ends_the_walk() {
        let (mut below, mut blocks) = (leaf(0), Vec::new());
        for _ in 0..DAG_LEVELS_MAX + 1 {
            let (cid, block) = node(&[below]);
            blocks.push(block);
            below = cid;
        }
        let mut walk = Walk::new(below, u64::MAX);
        let mut deep = Ok(());
        while let (Ok(()), Some(place)) = (&deep, walk.next()) {
            deep = walk.take(&place, &blocks.pop().unwrap());
        }
        assert!(deep.unwrap_err().to_string().contains("levels"));
        let (root, block) = node(&[leaf(1), leaf(2)]);
        let mut walk = Walk::new(root, block.len() as u64 + 8);
        let place = walk.next().unwrap();
        walk.take(&place, &block).unwrap();
        walk.pass(8).unwrap();
        assert!(matches!(walk.pass(8), Err(Error::TooLarge(_))));
    }
}
