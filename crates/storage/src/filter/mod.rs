//! Which documents SQLite is asked for: a condition as a value, and the SQL made of it.
//!
//! A filter may let too many documents through; the caller matches each again.
//! Three rules keep it so. What SQLite cannot be told is no filter, which is dropped from an AND and
//! takes an OR with it. Wherever an array may stand, at the value or on the way to it, its presence
//! alone lets the document through. And numbers are compared with some slack, for SQLite's idea of a
//! decimal may differ from ours in the last bits.
//!
//! The text of the SQL depends on the shape of the filter alone, not on its values, so that prepared
//! statements are found again.

mod clause;
mod path;
mod sql;

use crate::limits::FILTER_TERMS_MAX;
use clause::Clause;
pub(crate) use path::quote;
pub use path::{Field, FieldPath};
pub(crate) use sql::Condition;

/// A condition on documents. It says something: where nothing can be said, there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// Every part holds; there are several.
    All(Vec<Filter>),
    /// At least one part holds; there are several.
    Any(Vec<Filter>),
    /// One of the clauses holds for what is there; with none, nothing but an array will do.
    Field(Field, Vec<Clause>),
}

/// What a value is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate<'p> {
    /// Whether there is one, null included.
    Exists,
    /// Whether it is of the type.
    Is(JsonType),
    /// Whether it is one of these texts.
    Texts(Vec<&'p str>),
    /// Whether it is one of these integers, however it is written.
    Integers(Vec<i128>),
    /// Whether it is a text from the first to the second, or from the first on.
    TextRange(&'p str, Option<&'p str>),
    /// Whether it is a number from the first to the second; infinities leave an end open.
    NumberRange(f64, f64),
}

/// A type of JSON values other than null; each boolean is one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonType {
    /// `true`.
    True,
    /// `false`.
    False,
    /// Any number.
    Number,
    /// A string.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Filter {
    /// Documents in which a value of the field may satisfy a predicate.
    pub fn field(field: Field, predicates: &[Predicate<'_>]) -> Option<Filter> {
        let mut clauses = Vec::new();
        for predicate in predicates {
            Clause::add(predicate, &mut clauses)?;
        }
        Filter(Node::Field(field, clauses)).within_limit()
    }

    /// Documents that pass every filter that is one. What would make it too large is left out.
    pub fn all(parts: impl IntoIterator<Item = Option<Filter>>) -> Option<Filter> {
        let mut terms = 0;
        let mut kept = Vec::new();
        for part in parts.into_iter().flatten() {
            let more = part.terms();
            if terms + more <= FILTER_TERMS_MAX {
                terms += more;
                kept.push(part);
            }
        }
        Filter::of(kept, Node::All)
    }

    /// Documents that pass one of the filters. There is none if one of them is none, or if it would
    /// be too large.
    pub fn any(parts: impl IntoIterator<Item = Option<Filter>>) -> Option<Filter> {
        Filter::of(parts.into_iter().collect::<Option<_>>()?, Node::Any)?.within_limit()
    }

    /// Whether it asks anything of the key, on which there is an index.
    pub fn asks_of_key(&self) -> bool {
        match &self.0 {
            Node::All(parts) | Node::Any(parts) => parts.iter().any(Filter::asks_of_key),
            Node::Field(field, _) => *field == Field::Key,
        }
    }

    fn of(mut parts: Vec<Filter>, node: fn(Vec<Filter>) -> Node) -> Option<Filter> {
        if parts.len() > 1 { Some(Filter(node(parts))) } else { parts.pop() }
    }

    fn within_limit(self) -> Option<Filter> {
        (self.terms() <= FILTER_TERMS_MAX).then_some(self)
    }

    fn terms(&self) -> usize {
        match &self.0 {
            Node::All(parts) | Node::Any(parts) => parts.iter().map(Filter::terms).sum(),
            Node::Field(field, clauses) => field.spellings() * clauses.len().max(1),
        }
    }
}

#[cfg(test)]
mod tests;
