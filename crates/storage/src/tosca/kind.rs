//! What a file is, by its top-level keys.

use std::fmt;

/// What types there are of; each has its own names.
pub(super) const TYPE_KINDS: [(&str, &str); 8] = [
    ("node", "node_types"),
    ("relationship", "relationship_types"),
    ("capability", "capability_types"),
    ("data", "data_types"),
    ("artifact", "artifact_types"),
    ("interface", "interface_types"),
    ("policy", "policy_types"),
    ("group", "group_types"),
];

/// Whether a key at the top of a file holds definitions of types.
fn holds_types(key: &str) -> bool {
    key == "workflow_types" || TYPE_KINDS.iter().any(|(_, known)| *known == key)
}

/// What a file is, by its top-level keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateKind {
    /// It has a topology (TOSCA 1.x) or a service template (2.0).
    ServiceTemplate,
    /// A profile, or definitions of types alone.
    Types,
    /// Values for the inputs of a template: no TOSCA, and `inputs` in the name.
    Inputs,
    /// Any other YAML.
    Yaml,
}

impl TemplateKind {
    /// What a file with these keys and that name is.
    pub fn of<'k>(keys: impl Iterator<Item = &'k str>, filename: &str) -> TemplateKind {
        let mut found = TemplateKind::Yaml;
        for key in keys {
            if matches!(key, "topology_template" | "service_template") {
                return TemplateKind::ServiceTemplate;
            }
            if key == "tosca_definitions_version" || holds_types(key) {
                found = TemplateKind::Types;
            }
        }
        let inputs =
            filename.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == "inputs");
        if found == TemplateKind::Yaml && inputs { TemplateKind::Inputs } else { found }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            TemplateKind::ServiceTemplate => "service template",
            TemplateKind::Types => "types",
            TemplateKind::Inputs => "inputs",
            TemplateKind::Yaml => "yaml",
        }
    }
}

impl fmt::Display for TemplateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
