//! skeleton
#![allow(missing_docs, clippy::todo, unused)]
pub(crate) struct Template { pub(crate) id: String, pub(crate) filename: String, pub(crate) text: String, pub(crate) sha256: String, pub(crate) node_count: u64, pub(crate) kind: &'static str, pub(crate) document: serde_json::Map<String, serde_json::Value> }
pub(crate) fn read(bytes: &[u8], filename: Option<&str>, store_full_structure: bool) -> Result<Template, crate::Error> { Err(crate::Error::NotBuilt("TOSCA".into())) }
