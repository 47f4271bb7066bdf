//! The node templates of a file and what they require.

use super::shape::{field, function, map, named, text, text_field};
use optimusdb_dag::Ipld;
use std::collections::BTreeMap;

/// The service template, where TOSCA 1 and 2 put it.
pub(super) fn topology(document: &Ipld) -> Option<&Ipld> {
    field(document, "topology_template").or_else(|| field(document, "service_template"))
}

/// A node template.
#[derive(Debug, Clone, Copy)]
pub struct NodeTemplate<'d> {
    /// Its name, which is unique in the file.
    pub name: &'d str,
    pub(super) body: &'d Ipld,
}

/// What a node template requires of another node.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirement<'d> {
    /// Its name. Several of one node may have the same.
    pub name: &'d str,
    /// Which of those of its name it is, from 0 on.
    pub ordinal: usize,
    /// A node template of the same file, or a node type.
    pub target: Option<&'d str>,
    /// Which of the nodes that a template with a count stands for.
    pub target_index: Option<i128>,
    /// Name or type of a capability of the target.
    pub capability: Option<&'d str>,
    /// A relationship type, or a relationship template of the file.
    pub relationship: Option<&'d str>,
    /// How often it is to be met, as written.
    pub count: Option<&'d Ipld>,
    /// Whether it need not be met at all.
    pub optional: bool,
    /// What the target must be like.
    pub filter: Option<&'d Ipld>,
}

/// The node templates of a document, by name.
pub fn node_templates(document: &Ipld) -> impl Iterator<Item = NodeTemplate<'_>> {
    let nodes = topology(document).and_then(|topology| field(topology, "node_templates"));
    let nodes = nodes.and_then(map).into_iter().flatten();
    nodes.map(|(name, body)| NodeTemplate { name, body })
}

impl<'d> NodeTemplate<'d> {
    /// Its type, as it is written.
    pub fn type_name(&self) -> Option<&'d str> {
        text_field(self.body, "type")
    }

    /// What an existing node must be like to be taken for this one.
    pub fn filter(&self) -> Option<&'d Ipld> {
        field(self.body, "node_filter")
    }

    /// What it requires, in its order.
    pub fn requirements(&self) -> Vec<Requirement<'d>> {
        let mut seen = BTreeMap::new();
        let required = named(field(self.body, "requirements"));
        required
            .map(|(name, body)| {
                let ordinal = seen.entry(name).or_insert(0_usize);
                let requirement = requirement(name, *ordinal, body);
                *ordinal += 1;
                requirement
            })
            .collect()
    }
}

fn requirement<'d>(name: &'d str, ordinal: usize, body: &'d Ipld) -> Requirement<'d> {
    // The short form is the target alone.
    let node = field(body, "node").unwrap_or(body);
    let (target, target_index) = match node {
        Ipld::String(target) => (Some(target.as_str()), None),
        Ipld::List(pair) => match pair.as_slice() {
            [Ipld::String(target), Ipld::Integer(at)] => (Some(target.as_str()), Some(*at)),
            [Ipld::String(target)] => (Some(target.as_str()), None),
            _ => (None, None),
        },
        _ => (None, None),
    };
    let named_or_typed = |key| {
        let value = field(body, key)?;
        text(value).or_else(|| text_field(value, "type"))
    };
    let range = ["occurrences", "count_range"].iter().find_map(|key| field(body, key));
    let least = match range {
        Some(Ipld::List(range)) => range.first(),
        _ => None,
    };
    Requirement {
        name,
        ordinal,
        target,
        target_index,
        capability: named_or_typed("capability"),
        relationship: named_or_typed("relationship"),
        count: field(body, "count").or(range),
        optional: field(body, "optional") == Some(&Ipld::Bool(true))
            || least == Some(&Ipld::Integer(0)),
        filter: field(body, "node_filter"),
    }
}

/// The value that a definition of a property gives: its default, or what a refinement fixes. What does
/// not look like a definition is a value itself.
pub(super) fn defined_value(definition: &Ipld) -> Option<&Ipld> {
    const WORDS: [&str; 9] = [
        "type",
        "description",
        "required",
        "constraints",
        "validation",
        "status",
        "entry_schema",
        "key_schema",
        "metadata",
    ];
    let Some(fields) = map(definition).filter(|_| function(definition).is_none()) else {
        return Some(definition);
    };
    let given = fields.get("value").or_else(|| fields.get("default"));
    given.or_else(|| {
        let is_definition =
            fields.is_empty() || fields.keys().any(|key| WORDS.contains(&key.as_str()));
        (!is_definition).then_some(definition)
    })
}

/// The value that a template gives a property: what stands there.
#[allow(clippy::unnecessary_wraps, reason = "it stands where `defined_value` does")]
pub(super) fn assigned_value(value: &Ipld) -> Option<&Ipld> {
    Some(value)
}
