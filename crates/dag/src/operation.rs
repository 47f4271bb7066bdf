//! Operations: what the payload of an entry says.
//!
//! A payload is a map of `op`, `key`, `value`, and in entries of this
//! implementation `at`: the writer's wall clock in milliseconds since 1970,
//! which is for people to read, takes part in no decision, and is ignored by
//! implementations that do not know it. A payload that is no operation of the
//! store's kind is carried and joined like any other; it just does nothing.

use std::collections::BTreeMap;

use ipld_core::ipld::Ipld;

use crate::cbor::Reader;
use crate::limits::CLOCK_TICKS_MAX;
use crate::{Error, StoreKind, value};

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

/// An operation as a payload has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OperationRef<'p> {
    /// As [`Operation::Put`].
    Put {
        /// The key.
        key: &'p str,
        /// The document or value.
        value: &'p Ipld,
    },
    /// As [`Operation::Del`].
    Del {
        /// The key.
        key: &'p str,
    },
    /// As [`Operation::Add`].
    Add {
        /// The event.
        value: &'p Ipld,
    },
}

impl<'p> OperationRef<'p> {
    /// The operation of a payload in a store of this kind, and its `at`.
    ///
    /// `None` for anything else: another operation, a key that is not text, a
    /// document that is not a map. An `at` that is no time is left out.
    pub fn of(kind: StoreKind, payload: &'p Ipld) -> Option<(OperationRef<'p>, Option<u64>)> {
        let Ipld::Map(fields) = payload else { return None };
        let Some(Ipld::String(op)) = fields.get("op") else { return None };
        let key = || match fields.get("key") {
            Some(Ipld::String(key)) => Some(key.as_str()),
            _ => None,
        };
        let value = fields.get("value");
        let operation = match (kind, op.as_str()) {
            (StoreKind::Documents, "PUT") => OperationRef::Put {
                key: key()?,
                value: value.filter(|value| matches!(value, Ipld::Map(_)))?,
            },
            (StoreKind::KeyValue, "PUT") => OperationRef::Put { key: key()?, value: value? },
            (StoreKind::Documents | StoreKind::KeyValue, "DEL") => {
                OperationRef::Del { key: key()? }
            }
            (StoreKind::Events, "ADD") => OperationRef::Add { value: value? },
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

impl From<OperationRef<'_>> for Operation {
    fn from(operation: OperationRef<'_>) -> Operation {
        match operation {
            OperationRef::Put { key, value } => {
                Operation::Put { key: key.to_owned(), value: value.clone() }
            }
            OperationRef::Del { key } => Operation::Del { key: key.to_owned() },
            OperationRef::Add { value } => Operation::Add { value: value.clone() },
        }
    }
}

/// A payload with its bytes, ready to be made an entry of.
#[derive(Debug, Clone)]
pub struct Payload {
    pub(crate) value: Ipld,
    pub(crate) cbor: Vec<u8>,
}

impl Payload {
    /// Brings a payload to its normal form and encodes it.
    ///
    /// # Errors
    /// As [`value::normalise`].
    pub fn new(payload: Ipld) -> Result<Payload, Error> {
        let value = value::normalise(payload)?;
        let cbor = value::encode(&value)?;
        Ok(Payload { value, cbor })
    }

    /// How many bytes its `value` has: the document, value or event. 0 if there is none.
    pub fn value_bytes(&self) -> usize {
        self.value_at().map_or(0, |at| self.cbor.len() - at)
    }

    /// Where its `value` begins, which no field of an operation comes after.
    fn value_at(&self) -> Result<usize, Error> {
        let mut reader = Reader::new(&self.cbor);
        let mut fields = reader.fields("payload")?;
        for name in ["at", "op", "key"] {
            if fields.optional(&mut reader, name)? {
                reader.skip()?;
            }
        }
        fields.field(&mut reader, "value")?;
        fields.end()?;
        Ok(reader.at())
    }
}

impl AsRef<Ipld> for Payload {
    fn as_ref(&self) -> &Ipld {
        &self.value
    }
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

    /// As [`OperationRef::of`], as a copy.
    pub fn from_payload(kind: StoreKind, payload: &Ipld) -> Option<(Operation, Option<u64>)> {
        let (operation, at_ms) = OperationRef::of(kind, payload)?;
        Some((operation.into(), at_ms))
    }
}
