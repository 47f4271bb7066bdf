//! Reading a tree of which nothing is certain: what has another shape than expected is absent.

use optimusdb_dag::Ipld;
use std::collections::BTreeMap;

/// The field of a map.
pub(super) fn field<'d>(of: &'d Ipld, name: &str) -> Option<&'d Ipld> {
    map(of)?.get(name)
}

/// The field of a map, if it is text.
pub(super) fn text_field<'d>(of: &'d Ipld, name: &str) -> Option<&'d str> {
    text(field(of, name)?)
}

/// A value, if it is text.
pub(super) fn text(value: &Ipld) -> Option<&str> {
    match value {
        Ipld::String(text) => Some(text),
        _ => None,
    }
}

/// A value, if it is a map.
pub(super) fn map(value: &Ipld) -> Option<&BTreeMap<String, Ipld>> {
    match value {
        Ipld::Map(fields) => Some(fields),
        _ => None,
    }
}

/// The only field of a map that has one.
pub(super) fn only(value: &Ipld) -> Option<(&str, &Ipld)> {
    let fields = map(value)?;
    let (name, value) = fields.first_key_value()?;
    (fields.len() == 1).then_some((name.as_str(), value))
}

/// What has names, in its order: TOSCA writes it as a map, or where the order counts as a list of maps
/// with one field each.
pub(super) fn named<'d>(
    of: Option<&'d Ipld>,
) -> Box<dyn Iterator<Item = (&'d str, &'d Ipld)> + 'd> {
    match of {
        Some(Ipld::Map(fields)) => {
            Box::new(fields.iter().map(|(name, value)| (name.as_str(), value)))
        }
        Some(Ipld::List(items)) => Box::new(
            items.iter().filter_map(map).flatten().map(|(name, value)| (name.as_str(), value)),
        ),
        _ => Box::new(std::iter::empty()),
    }
}

/// Whether the only key of a mapping makes it the call of a function: `{$get_input: x}` since TOSCA 2.0,
/// `{get_input: x}` before. A key with two dollars makes no call; it is meant with one.
pub fn is_function(key: &str) -> bool {
    const BEFORE_2_0: [&str; 9] = [
        "get_input",
        "get_property",
        "get_attribute",
        "get_operation_output",
        "get_nodes_of_type",
        "get_artifact",
        "concat",
        "join",
        "token",
    ];
    match key.strip_prefix('$') {
        Some(rest) => !rest.starts_with('$'),
        None => BEFORE_2_0.contains(&key),
    }
}

/// The name under which a function is called, without `$`, and its argument, if a value is a call.
pub(super) fn function(value: &Ipld) -> Option<(&str, &Ipld)> {
    let (name, argument) = only(value)?;
    is_function(name).then_some((name.strip_prefix('$').unwrap_or(name), argument))
}
