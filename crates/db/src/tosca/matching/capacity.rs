//! What may be matched: everything in the named stores that has capabilities.

use serde_json::{Map, Value};
use std::rc::Rc;

/// A type with those above it, the nearest first.
pub(super) type Lineage = Rc<Vec<TypeName>>;

/// A type, as one that a file names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TypeName {
    /// Its name without a prefix.
    pub(super) name: String,
    /// The file whose definition of the name is meant; 0 for no file in particular.
    pub(super) file: i64,
}

/// A node, a node type or a resource, with what it offers.
#[derive(Debug)]
pub(super) struct Capacity {
    /// Which of the named stores it is in.
    pub(super) store: usize,
    /// The `_id` of its document.
    pub(super) key: String,
    /// Its name in the file; the `_id` of a resource.
    pub(super) node: String,
    /// Its type with those above; a resource has none.
    pub(super) lineage: Option<Lineage>,
    pub(super) properties: Map<String, Value>,
    pub(super) capabilities: Vec<Capability>,
}

/// A capability.
#[derive(Debug, Clone)]
pub(super) struct Capability {
    pub(super) name: String,
    /// Its type as it is written, if the file says it.
    pub(super) type_name: Option<String>,
    /// Its type with those above.
    pub(super) lineage: Option<Lineage>,
    pub(super) properties: Map<String, Value>,
}

/// The capabilities of an owner in a TOSCA file, `{"<name>":{"type":…,"properties":{…}}}`. What
/// storage holds is of that shape; were it not, it would be nothing.
pub(super) fn capabilities(json: &str) -> Vec<Capability> {
    let Ok(Value::Object(named)) = serde_json::from_str(json) else { return Vec::new() };
    let capability = |(name, body): (String, Value)| {
        let Value::Object(mut body) = body else { return None };
        let type_name = match body.remove("type") {
            Some(Value::String(name)) => Some(name),
            _ => None,
        };
        let properties = object(body.remove("properties")).unwrap_or_default();
        Some(Capability { name, type_name, lineage: None, properties })
    };
    named.into_iter().filter_map(capability).collect()
}

/// What a resource offers: of each capability its `properties`, or else its fields. One that is null or
/// false is none.
pub(super) fn offered(capabilities: Map<String, Value>) -> Vec<Capability> {
    let capability = |(name, body): (String, Value)| {
        let (type_name, properties) = match body {
            Value::Null | Value::Bool(false) => return None,
            Value::Object(mut body) => {
                let type_name = match body.get("type") {
                    Some(Value::String(name)) => Some(name.clone()),
                    _ => None,
                };
                match object(body.remove("properties")) {
                    Some(properties) => (type_name, properties),
                    None => (type_name, body),
                }
            }
            other => (None, Map::from_iter([("value".to_owned(), other)])),
        };
        Some(Capability { name, type_name, lineage: None, properties })
    };
    capabilities.into_iter().filter_map(capability).collect()
}

pub(super) fn object(value: Option<Value>) -> Option<Map<String, Value>> {
    match value {
        Some(Value::Object(object)) => Some(object),
        _ => None,
    }
}
