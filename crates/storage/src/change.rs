//! What an entry does to the documents of its store.

use crate::error::Error;
use crate::json::{document_text, pair_text};
use crate::limits::{AT_MS_MAX, AT_MS_MIN};
use optimusdb_dag::{Entry, Ipld, OperationRef, StoreKind};
use std::borrow::Cow;

/// Which document an entry changes, and what it becomes.
pub(crate) struct IndexChange<'e> {
    pub(crate) key: Cow<'e, str>,
    /// `None` is a deletion.
    pub(crate) value: Option<ShownValue<'e>>,
    /// The writer's wall clock, where the operation carries one that can be.
    pub(crate) at_ms: Option<u64>,
}

/// A value as reads and SQL see it.
#[derive(Clone, Copy)]
pub(crate) enum ShownValue<'e> {
    /// A document, as it is but for its `_id`, which is its key.
    Document(&'e Ipld),
    /// What is no document by itself: it is shown with its key.
    Value(&'e Ipld),
}

impl<'e> ShownValue<'e> {
    pub(crate) fn document(self) -> Option<&'e Ipld> {
        match self {
            ShownValue::Document(document) => Some(document),
            ShownValue::Value(_) => None,
        }
    }

    pub(crate) fn json(self, key: &str) -> Result<String, Error> {
        match self {
            ShownValue::Document(document) => document_text(key, document),
            ShownValue::Value(value) => pair_text(key, value),
        }
    }
}

/// What an entry does to the documents of a store of that kind, if it does anything.
pub(crate) fn change(kind: StoreKind, entry: &Entry) -> Option<IndexChange<'_>> {
    let (operation, at_ms) = OperationRef::of(kind, entry.payload())?;
    let at_ms = at_ms.filter(|at| (AT_MS_MIN..=AT_MS_MAX).contains(at));
    let (key, value) = match operation {
        OperationRef::Put { key, value } if kind == StoreKind::Documents => {
            (key.into(), Some(ShownValue::Document(value)))
        }
        OperationRef::Put { key, value } => (key.into(), Some(ShownValue::Value(value))),
        OperationRef::Del { key } => (key.into(), None),
        // An event is a document that nothing ever replaces, under the hash of its entry.
        OperationRef::Add { value } => {
            (entry.cid().to_string().into(), Some(ShownValue::Value(value)))
        }
    };
    Some(IndexChange { key, value, at_ms })
}
