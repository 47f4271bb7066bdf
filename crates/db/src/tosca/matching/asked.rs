//! What all conditions of a match ask of a capacity, each thing once: the types that it may be of, the
//! capabilities that it may have, and the places where values are looked for.
//!
//! A question is a number here. Thousands of conditions may share one, and a capacity answers each once
//! ([`super::facts`]).

use super::lineage::WantedName;
use std::collections::HashMap;
use std::hash::Hash;

/// Where a value is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct AskedPlace {
    pub(super) whose: Whose,
    /// Empty where it is enough that the capability is there.
    pub(super) path: Vec<String>,
}

/// Whose property it is: as [`optimusdb_storage::tosca::TermPlace`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    Node,
    Capability(WantedName),
    AnyCapability,
    Either(WantedName),
}

/// Things of one kind that are asked for, by number.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    all: Vec<T>,
    numbers: HashMap<T, usize>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Numbered<T> {
        Numbered { all: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    /// The number of a thing.
    pub(super) fn number(&mut self, thing: T) -> usize {
        *self.numbers.entry(thing).or_insert_with_key(|thing| {
            self.all.push(thing.clone());
            self.all.len() - 1
        })
    }
}

impl<T> Numbered<T> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// All of them, by number.
    pub(super) fn all(&self) -> &[T] {
        &self.all
    }
}

/// All that is asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) types: Numbered<WantedName>,
    pub(super) capabilities: Numbered<WantedName>,
    pub(super) places: Numbered<AskedPlace>,
}

impl Asked {
    /// Whether anything is asked of properties that are not of a capability.
    pub(super) fn asks_nodes(&self) -> bool {
        let of_node = |place: &AskedPlace| matches!(place.whose, Whose::Node | Whose::Either(_));
        self.places.all().iter().any(of_node)
    }
}
