//! What is kept of a file, as rows that are not yet in a table. They borrow from the document.

use super::kind::TemplateKind;

/// What is kept of an uploaded file.
#[derive(Debug)]
pub(super) struct DerivedFile<'d> {
    pub(super) filename: &'d str,
    pub(super) version: Option<&'d str>,
    pub(super) kind: TemplateKind,
    pub(super) profile: Option<&'d str>,
    pub(super) description: Option<&'d str>,
    pub(super) nodes: usize,
    pub(super) rows: Vec<DerivedRow<'d>>,
}

/// A row of one of the tables. Columns that end in `json` hold JSON.
#[derive(Debug)]
pub(super) enum DerivedRow<'d> {
    /// What has capabilities: a node template or a node type.
    Owner {
        kind: &'static str,
        name: &'d str,
        /// The type of a template, or what a type is derived from.
        above: Option<&'d str>,
        directives_json: Option<String>,
        count_json: Option<String>,
        properties_json: Option<String>,
        capabilities_json: Option<String>,
    },
    Requirement {
        node: &'d str,
        name: &'d str,
        ordinal: usize,
        target: Option<&'d str>,
        target_index: Option<i64>,
        capability: Option<&'d str>,
        relationship: Option<&'d str>,
        count_json: Option<String>,
        optional: bool,
        has_filter: bool,
    },
    Term {
        node: &'d str,
        /// None where the filter is the node's own.
        requirement: Option<&'d str>,
        capability: Option<&'d str>,
        property: Option<String>,
        op: String,
        value_json: Option<String>,
    },
    Policy {
        name: &'d str,
        above: Option<&'d str>,
        target: Option<&'d str>,
    },
    Artifact {
        node: &'d str,
        name: &'d str,
        file: Option<&'d str>,
        above: Option<&'d str>,
        repository: Option<&'d str>,
    },
    Type {
        kind: &'static str,
        name: &'d str,
        parent: Option<&'d str>,
        profile: Option<&'d str>,
        /// Whether the parent is defined in the same file.
        here: bool,
        /// Whether the type is defined in the file, or used there.
        defined: bool,
    },
}
