//! Operations: what the payload of an entry says.
//!
//! A payload is a map of `op`, `key`, `value`, and in entries of this
//! implementation `at`: the writer's wall clock in milliseconds since 1970,
//! which is for people to read, takes part in no decision, and is ignored by
//! implementations that do not know it. A payload that is no operation of the
//! store's kind is carried and joined like any other; it just does nothing.

use std::collections::BTreeMap;

use ipld_core::ipld::Ipld;

use crate::StoreKind;
use crate::limits::CLOCK_TICKS_MAX;

/// What an entry does to its store.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Sets the document or value under a key.
    Put {
        /// The key; of a document, its `_id`.
        key: String,
        /// The document or value.
        value: Ipld,
    },
    /// Removes what is under a key.
    Del {
        /// The key.
        key: String,
    },
    /// Adds an event.
    Add {
        /// The event.
        value: Ipld,
    },
}

impl Operation {
    /// The payload of this operation, with the writer's wall clock if given.
    pub fn into_payload(self, at_ms: Option<u64>) -> Ipld {
        let (op, key, value) = match self {
            Operation::Put { key, value } => ("PUT", Ipld::String(key), value),
            Operation::Del { key } => ("DEL", Ipld::String(key), Ipld::Null),
            Operation::Add { value } => ("ADD", Ipld::Null, value),
        };
        let mut payload = BTreeMap::from([
            ("op".to_owned(), Ipld::String(op.to_owned())),
            ("key".to_owned(), key),
            ("value".to_owned(), value),
        ]);
        if let Some(at_ms) = at_ms {
            payload.insert("at".to_owned(), Ipld::Integer(i128::from(at_ms)));
        }
        Ipld::Map(payload)
    }

    /// The operation of a payload in a store of this kind, and its `at`.
    ///
    /// `None` for anything else: another operation, a key that is not text, a
    /// document that is not a map. An `at` that is no time is left out.
    pub fn from_payload(kind: StoreKind, payload: &Ipld) -> Option<(Operation, Option<u64>)> {
        let Ipld::Map(fields) = payload else { return None };
        let Some(Ipld::String(op)) = fields.get("op") else { return None };
        let key = || match fields.get("key") {
            Some(Ipld::String(key)) => Some(key.clone()),
            _ => None,
        };
        let value = fields.get("value");
        let operation = match (kind, op.as_str()) {
            (StoreKind::Documents, "PUT") => Operation::Put {
                key: key()?,
                value: value.filter(|value| matches!(value, Ipld::Map(_)))?.clone(),
            },
            (StoreKind::KeyValue, "PUT") => Operation::Put { key: key()?, value: value?.clone() },
            (StoreKind::Documents | StoreKind::KeyValue, "DEL") => Operation::Del { key: key()? },
            (StoreKind::Events, "ADD") => Operation::Add { value: value?.clone() },
            _ => return None,
        };
        let at_ms = match fields.get("at") {
            Some(Ipld::Integer(at_ms)) => {
                u64::try_from(*at_ms).ok().filter(|at_ms| *at_ms <= CLOCK_TICKS_MAX)
            }
            _ => None,
        };
        Some((operation, at_ms))
    }
}
