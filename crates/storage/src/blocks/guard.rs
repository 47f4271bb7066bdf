//! What a sweep may not take although no pin leads to it: what is being added or read.
//!
//! A sweep marks what is to stay and then removes the rest. Whoever wants something in between
//! says so here: what is not marked then ends the sweep, which begins anew later. Blocks that stay are
//! known by 64 bits of their hash; two that share them are kept together. Whether what is below an address
//! was looked for is another question: one block may have an address as bytes and another one as a node, and
//! who names the first must not hide the second. So nodes are known by their codec, too, and by a secret hash.

use crate::limits::SWEEP_TOUCHED_BLOCKS_MAX;
use optimusdb_dag::{Cid, Codec};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// 64 bits of a block's hash.
pub(super) type Mark = u64;

/// The mark of a block with this address.
pub(super) fn mark(cid: &Cid) -> Mark {
    mark_of(&super::tables::key(cid))
}

/// The mark of a block with this key.
pub(super) fn mark_of(key: &[u8]) -> Mark {
    // Two bytes in front name the hash. What is shorter is an identity, which is never stored.
    key.get(2..10).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes)
}

#[derive(Debug, Default)]
pub(super) struct Guard {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    adds: usize,
    /// What was met by who adds, here already or not, since nobody added and no sweep went on.
    touched: HashSet<Mark>,
    reading: HashMap<Cid, usize>,
    /// What the sweep that goes on has marked.
    marked: Option<Marked>,
    hashing: RandomState,
    /// Whether something is wanted that the sweep has not marked.
    disturbed: bool,
}

/// What a sweep keeps.
#[derive(Debug, Default)]
struct Marked {
    /// Blocks.
    blocks: HashSet<Mark>,
    /// Addresses below which it has looked, or will.
    nodes: HashSet<u64>,
}

impl State {
    /// Marks an address; true if there may be something below it that was not looked for.
    pub(super) fn mark(&mut self, cid: &Cid) -> bool {
        let node = self.node(cid);
        let marked = self.marked.get_or_insert_default();
        if !cid.is_identity() {
            marked.blocks.insert(mark(cid));
        }
        node.is_some_and(|node| marked.nodes.insert(node))
    }

    /// How many addresses are marked.
    pub(super) fn marked(&self) -> usize {
        self.marked.as_ref().map_or(0, |marked| marked.blocks.len() + marked.nodes.len())
    }

    /// What an address is known by that may have something below it.
    fn node(&self, cid: &Cid) -> Option<u64> {
        let is_leaf = cid.codec() == Codec::RAW;
        (!is_leaf).then(|| self.hashing.hash_one((cid.codec().code(), super::tables::key(cid))))
    }

    /// Whether the sweep that goes on, if one does, keeps an address with all below it.
    fn keeps(&self, cid: &Cid) -> bool {
        let node = self.node(cid);
        self.marked.as_ref().is_none_or(|marked| match node {
            Some(node) => marked.nodes.contains(&node),
            None => cid.is_identity() || marked.blocks.contains(&mark(cid)),
        })
    }

    /// Whether the sweep has to begin anew.
    pub(super) fn is_disturbed(&self) -> bool {
        self.disturbed || self.touched.len() >= SWEEP_TOUCHED_BLOCKS_MAX
    }

    /// Whether a block stays.
    pub(super) fn stays(&self, mark: Mark) -> bool {
        self.touched.contains(&mark)
            || self.marked.as_ref().is_none_or(|marked| marked.blocks.contains(&mark))
    }

    fn forget_touched(&mut self) {
        if self.adds == 0 && self.marked.is_none() {
            self.touched = HashSet::new();
        }
    }
}

impl Guard {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin_add(&self) {
        self.state().adds += 1;
    }

    pub(super) fn end_add(&self) {
        let mut state = self.state();
        state.adds -= 1;
        state.forget_touched();
    }

    /// Whoever adds needs this block.
    pub(super) fn touch(&self, cid: &Cid) {
        let mut state = self.state();
        if state.touched.len() < SWEEP_TOUCHED_BLOCKS_MAX {
            state.touched.insert(mark(cid));
        }
    }

    /// An address is wanted, with all below it.
    pub(super) fn wanted(&self, cid: &Cid) {
        let mut state = self.state();
        if !state.keeps(cid) {
            state.disturbed = true;
        }
    }

    pub(super) fn reading(guard: &Arc<Guard>, root: &Cid) -> Reading {
        *guard.state().reading.entry(root.clone()).or_insert(0) += 1;
        guard.wanted(root);
        Reading { guard: Arc::clone(guard), root: root.clone() }
    }

    /// Begins a sweep, and answers what is being read. False if one goes on.
    pub(super) fn begin_sweep(&self) -> Option<Vec<Cid>> {
        let mut state = self.state();
        if state.marked.is_some() {
            return None;
        }
        (state.marked, state.disturbed) = (Some(Marked::default()), false);
        Some(state.reading.keys().cloned().collect())
    }

    pub(super) fn end_sweep(&self) {
        let mut state = self.state();
        state.marked = None;
        state.forget_touched();
    }
}

/// While it lives, nothing below an address is removed.
#[derive(Debug)]
pub struct Reading {
    guard: Arc<Guard>,
    root: Cid,
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = self.guard.state();
        if let Some(count) = state.reading.get_mut(&self.root) {
            *count -= 1;
            if *count == 0 {
                state.reading.remove(&self.root);
            }
        }
    }
}
