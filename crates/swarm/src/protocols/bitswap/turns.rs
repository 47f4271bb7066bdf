//! A queue with one place for each content address.

use std::collections::{BTreeMap, HashMap};

use optimusdb_dag::Cid;

/// First in, first out; at most one value for each address, found by it.
pub(super) struct Turns<V> {
    by_turn: BTreeMap<i64, (Cid, V)>,
    turn_of: HashMap<Cid, i64>,
    /// The next turn at the end. Turns at the front are below zero.
    last: i64,
    first: i64,
}

impl<V> Turns<V> {
    pub(super) fn new() -> Turns<V> {
        Turns { by_turn: BTreeMap::new(), turn_of: HashMap::new(), last: 0, first: -1 }
    }

    pub(super) fn len(&self) -> usize {
        self.by_turn.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_turn.is_empty()
    }

    pub(super) fn get_mut(&mut self, cid: &Cid) -> Option<&mut V> {
        let turn = self.turn_of.get(cid)?;
        self.by_turn.get_mut(turn).map(|(_, value)| value)
    }

    /// Puts the value at the end, or in the place that its address has already.
    pub(super) fn push_back(&mut self, cid: Cid, value: V) {
        let turn = *self.turn_of.entry(cid.clone()).or_insert(self.last);
        self.last = self.last.max(turn + 1);
        self.by_turn.insert(turn, (cid, value));
    }

    /// Puts the value at the front, or in the place that its address has already.
    pub(super) fn push_front(&mut self, cid: Cid, value: V) {
        let turn = *self.turn_of.entry(cid.clone()).or_insert(self.first);
        self.first = self.first.min(turn - 1);
        self.by_turn.insert(turn, (cid, value));
    }

    pub(super) fn front(&self) -> Option<&V> {
        self.by_turn.first_key_value().map(|(_, (_, value))| value)
    }

    pub(super) fn into_values(self) -> impl Iterator<Item = (Cid, V)> {
        self.by_turn.into_values()
    }

    pub(super) fn pop_front(&mut self) -> Option<(Cid, V)> {
        let (_, (cid, value)) = self.by_turn.pop_first()?;
        self.turn_of.remove(&cid);
        Some((cid, value))
    }

    pub(super) fn remove(&mut self, cid: &Cid) -> Option<V> {
        let turn = self.turn_of.remove(cid)?;
        self.by_turn.remove(&turn).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use optimusdb_dag::LogCid;

    use super::*;

    #[test]
    fn an_address_has_one_place() {
        let [a, b, c] = [b"a", b"b", b"c"].map(|block| Cid::from(LogCid::of(block)));
        let mut turns = Turns::new();
        turns.push_back(a.clone(), 1);
        turns.push_back(b.clone(), 2);
        turns.push_back(a.clone(), 3);
        turns.push_front(c.clone(), 4);
        assert_eq!(turns.len(), 3);
        assert_eq!(turns.remove(&b), Some(2));
        assert_eq!(turns.remove(&b), None);
        turns.push_back(b.clone(), 5);
        let order: Vec<_> = std::iter::from_fn(|| turns.pop_front()).collect();
        assert_eq!(order, [(c, 4), (a, 3), (b, 5)]);
        assert!(turns.is_empty() && turns.turn_of.is_empty());
    }
}
