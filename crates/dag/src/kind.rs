//! The kinds of stores: what the operations of a log mean.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// What the operations of a log mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreKind {
    /// Documents with an `_id`: PUT and DEL.
    Documents,
    /// A list of events: ADD.
    Events,
    /// Values by key: PUT and DEL.
    KeyValue,
}

impl StoreKind {
    /// The name in manifests: `documents`, `events` or `keyvalue`.
    pub fn as_str(self) -> &'static str {
        match self {
            StoreKind::Documents => "documents",
            StoreKind::Events => "events",
            StoreKind::KeyValue => "keyvalue",
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StoreKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<StoreKind, Error> {
        match text {
            "documents" => Ok(StoreKind::Documents),
            "events" => Ok(StoreKind::Events),
            "keyvalue" => Ok(StoreKind::KeyValue),
            _ => Err(Error::StoreKind),
        }
    }
}
