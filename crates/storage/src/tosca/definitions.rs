//! The types that a file defines and uses, each with the one above it.
//!
//! A name with a prefix, `ns:Name`, is of what the file imports under that prefix. Where the import
//! names a profile, the type above is looked for in files of that profile alone; otherwise in all.

use super::derived::DerivedRow;
use super::kind::TYPE_KINDS;
use super::shape::{field, map, text_field};
use super::template::node_templates;
use optimusdb_dag::Ipld;
use std::collections::{BTreeMap, BTreeSet};

/// A type's name without the prefix of what it is imported from.
pub fn local_name(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// A row for every type that the file defines, and for every node type that it uses and does not
/// define.
pub(super) fn rows(document: &Ipld) -> Vec<DerivedRow<'_>> {
    let profiles = profiles(document);
    let profile_of = |name: &str| {
        let (prefix, _) = name.rsplit_once(':')?;
        profiles.get(prefix).copied()
    };
    let mut rows = Vec::new();
    for (kind, key) in TYPE_KINDS {
        let Some(types) = field(document, key).and_then(map) else { continue };
        for (name, definition) in types {
            let above = text_field(definition, "derived_from");
            rows.push(DerivedRow::Type {
                kind,
                name,
                parent: above.map(local_name),
                profile: above.and_then(profile_of),
                here: above.is_some_and(|above| types.contains_key(above)),
                defined: true,
            });
        }
    }
    let defined = field(document, "node_types").and_then(map);
    let used: BTreeSet<&str> = node_templates(document).filter_map(|n| n.type_name()).collect();
    for name in used {
        if defined.is_none_or(|defined| !defined.contains_key(name)) {
            rows.push(DerivedRow::Type {
                kind: "node",
                name,
                parent: Some(local_name(name)),
                profile: profile_of(name),
                here: false,
                defined: false,
            });
        }
    }
    rows
}

/// The profiles that the file imports, by prefix.
fn profiles(document: &Ipld) -> BTreeMap<&str, &str> {
    let Some(Ipld::List(imports)) = field(document, "imports") else { return BTreeMap::new() };
    let prefixed = imports.iter().filter_map(|import| {
        let prefix =
            text_field(import, "namespace").or_else(|| text_field(import, "namespace_prefix"))?;
        Some((prefix, text_field(import, "profile")?))
    });
    prefixed.collect()
}
