//! A bounded memory of entries: beyond its capacity the oldest are forgotten.

use std::collections::{HashMap, VecDeque};

use crate::Cid;

#[derive(Debug)]
pub(super) struct Memory<V> {
    values: HashMap<Cid, V>,
    oldest_first: VecDeque<Cid>,
    capacity: usize,
}

impl<V> Memory<V> {
    pub(super) fn new(capacity: usize) -> Memory<V> {
        Memory { values: HashMap::new(), oldest_first: VecDeque::new(), capacity }
    }

    pub(super) fn get(&self, cid: &Cid) -> Option<&V> {
        self.values.get(cid)
    }

    pub(super) fn insert(&mut self, cid: Cid, value: V) {
        if self.values.insert(cid, value).is_some() {
            return;
        }
        self.oldest_first.push_back(cid);
        if self.oldest_first.len() > self.capacity
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.values.remove(&oldest);
        }
    }
}
