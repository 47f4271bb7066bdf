//! A parsed criteria: what callers hold.

use std::collections::BTreeSet;

use serde_json::Value;

use super::matches;
use super::operators::{Expr, Test};
use super::parse::Parser;
use super::prefilter;
use super::refusals::wrong;
use crate::Error;
use optimusdb_storage::Filter;

/// A condition on documents, parsed and checked.
///
/// An array of objects is OR, the keys of one object are AND. A plain value is equality by value,
/// and on an array also containment; an object whose keys start with `$` holds operators. The
/// language is described in `docs/INTERFACE.md`. The default is the absent criteria.
#[derive(Debug, Clone, Default)]
pub struct Criteria {
    /// Joined by OR; none at all means that no criteria was given, which matches everything.
    branches: Vec<Expr>,
}

impl Criteria {
    /// Parses criteria as they stand in a request: `null`, one object, or an array of objects.
    ///
    /// # Errors
    /// [`Error::Invalid`] for any other shape, an unknown operator or one with a wrong argument, an
    /// invalid pattern, and for an expression over a limit of depth or size. The text names the
    /// operator or the limit.
    pub fn parse(value: &Value) -> Result<Criteria, Error> {
        let items = match value {
            Value::Null => &[],
            Value::Array(items) => items.as_slice(),
            _ => std::slice::from_ref(value),
        };
        let mut parser = Parser::default();
        let mut branches = Vec::with_capacity(items.len());
        for item in items {
            let Value::Object(object) = item else {
                return Err(wrong("criteria", "an object or an array of objects", item));
            };
            branches.push(parser.criteria(object, 1)?);
        }
        Ok(Criteria { branches })
    }

    /// What matches both.
    pub(crate) fn and(self, other: Criteria) -> Criteria {
        if self.branches.is_empty() || other.branches.is_empty() {
            return Criteria { branches: [self.branches, other.branches].concat() };
        }
        let both = [Expr::Any(self.branches), Expr::Any(other.branches)];
        Criteria { branches: vec![Expr::All(both.to_vec())] }
    }

    /// Whether no criteria was given: absent, `null` or `[]`. Reads take that as "all"; updates and
    /// deletes refuse it, and want `[{}]` to mean all documents.
    pub fn is_absent(&self) -> bool {
        self.branches.is_empty()
    }

    /// Whether every document matches, known without looking at one.
    pub fn matches_all(&self) -> bool {
        self.branches.is_empty()
            || self
                .branches
                .iter()
                .any(|branch| matches!(branch, Expr::All(parts) if parts.iter().all(is_any_id)))
    }

    /// Whether a document matches.
    pub fn matches(&self, document: &Value) -> bool {
        self.branches.is_empty()
            || self.branches.iter().any(|branch| matches::holds(branch, document))
    }

    /// The `_id`s that are the whole condition, in ascending order and each once: a document
    /// matches exactly when its `_id` is among them. `None` when the condition is about anything
    /// else. Values that are no strings are left out: every `_id` is a string.
    pub fn by_id(&self) -> Option<Vec<&str>> {
        if self.branches.is_empty() {
            return None;
        }
        let mut ids = BTreeSet::new();
        for branch in &self.branches {
            let Expr::All(parts) = branch else { return None };
            let [Expr::Field(path, tests)] = parts.as_slice() else { return None };
            match tests.as_slice() {
                _ if path.text() != "_id" => return None,
                [Test::Equal(Value::String(id))] => {
                    ids.insert(id.as_str());
                }
                [Test::Equal(_)] => {}
                [Test::OneOf(values)] => ids.extend(values.texts.iter().map(String::as_str)),
                _ => return None,
            }
        }
        Some(ids.into_iter().collect())
    }

    /// A filter that every document passes that can match, and as few others as SQLite can tell.
    /// `None` when nothing can be said: every document has to be looked at.
    ///
    /// Those that pass must still be asked with [`Criteria::matches`].
    pub(crate) fn prefilter(&self) -> Option<Filter> {
        if self.matches_all() { None } else { prefilter::prefilter(&self.branches) }
    }
}

/// Whether a part asks only for an `_id`, which every document has.
fn is_any_id(part: &Expr) -> bool {
    matches!(part, Expr::Field(path, tests)
        if path.text() == "_id" && tests.iter().all(|test| matches!(test, Test::Exists(true))))
}
