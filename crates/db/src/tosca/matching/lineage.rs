//! Which types a type is derived from, over all uploaded files.
//!
//! Types are told apart by their names without prefixes; a name that the same file defines means that
//! one. Of the types that every node of TOSCA knows, only what a filter needs is known here: that
//! everything is derived from Root, and of which types the usual capabilities are.

use super::capacity::{Capability, Lineage, TypeName, capabilities};

use optimusdb_storage::tosca::{Owner, OwnerKind, TypeEdge, local_name};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::limits::TYPES_ABOVE_MAX;

/// The types that files define.
#[derive(Debug, Default)]
pub(super) struct Lineages {
    /// By what they are types of and their names: the file, what is above, and whether that is of the
    /// same file.
    edges: HashMap<(TypeOf, String), Vec<TypeAbove>>,
    /// By the name of the node type.
    declared: HashMap<String, Vec<Declared>>,
    known: HashMap<(TypeOf, TypeName), Lineage>,
}

/// The capabilities that a file gives a node type, and the length of their JSON.
#[derive(Debug)]
struct Declared {
    file: i64,
    bytes: usize,
    capabilities: Vec<Capability>,
}

/// What a type is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum TypeOf {
    Node,
    Capability,
}

#[derive(Debug)]
struct TypeAbove {
    file: i64,
    parent: Option<String>,
    here: bool,
}

/// Capabilities that nodes have by the types of TOSCA itself: the name, and the types that it has.
const USUAL: [(&str, &[&str]); 9] = [
    ("host", &["Compute", "Container"]),
    ("os", &["OperatingSystem"]),
    ("scalable", &["Scalable"]),
    ("endpoint", &["Endpoint", "Admin"]),
    ("admin_endpoint", &["Admin", "Endpoint"]),
    ("database_endpoint", &["Database", "Endpoint"]),
    ("binding", &["Bindable"]),
    ("attachment", &["Attachment"]),
    ("link", &["Linkable"]),
];

/// The type from which all are derived.
const ROOT: &str = "Root";

/// The name of a type without its prefix, and without the family of names before it that TOSCA gives its
/// own types: `tosca.nodes.Compute` is `Compute`.
pub(super) fn short(name: &str) -> &str {
    let local = local_name(name);
    match local.strip_prefix("tosca.") {
        Some(rest) => rest.rsplit_once('.').map_or(rest, |(_, short)| short),
        None => local,
    }
}

/// A type or capability that is asked for by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct WantedName {
    /// As it is written.
    pub(super) name: String,
    /// The same as [`short`] makes it.
    pub(super) short: String,
}

impl WantedName {
    pub(super) fn new(name: &str) -> WantedName {
        WantedName { name: name.to_owned(), short: short(name).to_owned() }
    }
}

/// Whether what has that lineage is of the type `wanted`, which is a short name.
pub(super) fn is_of(lineage: &[TypeName], wanted: &str) -> bool {
    wanted == ROOT || lineage.iter().any(|it| it.name == wanted)
}

/// Whether a capability is what is asked for by name or type.
pub(super) fn is_capability(capability: &Capability, wanted: &WantedName) -> bool {
    capability.name == wanted.name
        || match &capability.lineage {
            Some(lineage) => is_of(lineage, &wanted.short),
            // Nobody says of which type it is.
            None => USUAL.iter().any(|(name, types)| {
                *name == capability.name && types.contains(&wanted.short.as_str())
            }),
        }
}

impl Lineages {
    /// Takes up a type that a file defines.
    pub(super) fn add(&mut self, edge: &TypeEdge<'_>) {
        let of = if edge.kind == "capability" { TypeOf::Capability } else { TypeOf::Node };
        self.edges.entry((of, short(edge.name).to_owned())).or_default().push(TypeAbove {
            file: edge.file,
            parent: edge.parent.map(|parent| short(parent).to_owned()),
            here: edge.here,
        });
    }

    /// Takes up the capabilities of a node type.
    pub(super) fn declare(&mut self, owner: &Owner<'_>) {
        if owner.kind == OwnerKind::Type
            && let Some(json) = owner.capabilities_json
        {
            let declared = self.declared.entry(short(owner.name).to_owned()).or_default();
            let (bytes, capabilities) = (json.len(), capabilities(json));
            declared.push(Declared { file: owner.file, bytes, capabilities });
        }
    }

    /// A type that `file` names, and all above it.
    pub(super) fn of(&mut self, of: TypeOf, file: i64, name: &str) -> Lineage {
        let name = short(name).to_owned();
        // Only to a file that defines the name it means another type than to all others.
        let own =
            self.edges.get(&(of, name.clone())).is_some_and(|e| e.iter().any(|e| e.file == file));
        let key = (of, TypeName { name, file: if own { file } else { 0 } });
        if let Some(known) = self.known.get(&key) {
            return Rc::clone(known);
        }
        let found = Rc::new(self.climb(of, key.1.clone()));
        self.known.insert(key, Rc::clone(&found));
        found
    }

    /// It ends where types go in a circle, and after `TYPES_ABOVE_MAX`.
    fn climb(&self, of: TypeOf, from: TypeName) -> Vec<TypeName> {
        let mut found = vec![from];
        let mut seen: HashSet<TypeName> = found.iter().cloned().collect();
        let mut next = 0;
        while let Some(TypeName { name, file }) = found.get(next).cloned() {
            next += 1;
            let edges = self.edges.get(&(of, name)).map_or(&[][..], Vec::as_slice);
            let own = edges.iter().any(|edge| edge.file == file);
            for edge in edges.iter().filter(|edge| !own || edge.file == file) {
                let Some(parent) = &edge.parent else { continue };
                let file = if edge.here { edge.file } else { 0 };
                let above = TypeName { name: parent.clone(), file };
                if found.len() < TYPES_ABOVE_MAX && seen.insert(above.clone()) {
                    found.push(above);
                }
            }
        }
        found
    }

    /// What node types of that lineage declare, the nearest first, and the length of its JSON.
    pub(super) fn declared(&self, lineage: &Lineage) -> (usize, Vec<&Capability>) {
        let (mut bytes, mut found) = (0, Vec::new());
        for TypeName { name, file } in lineage.iter() {
            let declared = self.declared.get(name).map_or(&[][..], Vec::as_slice);
            let here = declared.iter().any(|it| it.file == *file);
            for it in declared.iter().filter(|it| !here || it.file == *file) {
                bytes += it.bytes;
                found.extend(&it.capabilities);
            }
        }
        (bytes, found)
    }
}

/// Adds a declared capability: as a whole, or to the one of its name what that does not say.
pub(super) fn take_up(own: &mut Vec<Capability>, declared: &Capability) {
    match own.iter_mut().find(|it| it.name == declared.name) {
        None => own.push(declared.clone()),
        Some(mine) => {
            if mine.type_name.is_none() {
                mine.type_name.clone_from(&declared.type_name);
            }
            for (name, value) in &declared.properties {
                if !mine.properties.contains_key(name) {
                    mine.properties.insert(name.clone(), value.clone());
                }
            }
        }
    }
}
