//! From a document to the rows that are kept of it.
//!
//! A row follows from the document alone, so it is the same on every replica. A file that is too large
//! has its first rows: nodes before what they require, types last.

use super::definitions;
use super::derived::{DerivedFile, DerivedRow};
use super::filter::{FilterCondition, conditions};
use super::kind::TemplateKind;
use super::shape::{field, map, named, text, text_field};
use super::template::{NodeTemplate, assigned_value, defined_value, node_templates, topology};
use crate::error::Error;
use crate::json::json_text;
use crate::limits::TOSCA_ROWS_MAX;
use optimusdb_dag::Ipld;

/// What is kept of a document; nothing if it is no uploaded file.
pub(super) fn derive(document: &Ipld) -> Result<Option<DerivedFile<'_>>, Error> {
    let Some(fields) = map(document) else { return Ok(None) };
    let (Some(Ipld::String(_)), Some(Ipld::String(filename))) =
        (fields.get("_original_yaml"), fields.get("_filename"))
    else {
        return Ok(None);
    };
    let topology = topology(document);
    let mut rows = Rows { rows: Vec::new() };
    rows.owners(document)?;
    let mut nodes = 0;
    for node in node_templates(document) {
        nodes += 1;
        rows.node(node)?;
    }
    rows.policies(topology.and_then(|topology| field(topology, "policies")));
    rows.rows.extend(definitions::rows(document));
    rows.rows.truncate(TOSCA_ROWS_MAX);
    Ok(Some(DerivedFile {
        filename,
        version: text_field(document, "tosca_definitions_version"),
        kind: TemplateKind::of(fields.keys().map(String::as_str), filename),
        profile: text_field(document, "profile"),
        description: text_field(document, "description")
            .or_else(|| text_field(topology?, "description")),
        nodes,
        rows: rows.rows,
    }))
}

struct Rows<'d> {
    rows: Vec<DerivedRow<'d>>,
}

impl<'d> Rows<'d> {
    fn owners(&mut self, document: &'d Ipld) -> Result<(), Error> {
        for NodeTemplate { name, body } in node_templates(document) {
            let json = |key| field(body, key).map(json_text).transpose();
            self.rows.push(DerivedRow::Owner {
                kind: "node",
                name,
                above: text_field(body, "type"),
                directives_json: json("directives")?,
                count_json: json("count")?,
                properties_json: json("properties")?,
                capabilities_json: capabilities(body, assigned_value)?,
            });
        }
        for (name, body) in named(field(document, "node_types")) {
            self.rows.push(DerivedRow::Owner {
                kind: "type",
                name,
                above: text_field(body, "derived_from"),
                directives_json: None,
                count_json: None,
                properties_json: defaults(field(body, "properties"), defined_value)?,
                capabilities_json: capabilities(body, defined_value)?,
            });
        }
        Ok(())
    }

    fn node(&mut self, node: NodeTemplate<'d>) -> Result<(), Error> {
        for required in node.requirements() {
            self.rows.push(DerivedRow::Requirement {
                node: node.name,
                name: required.name,
                ordinal: required.ordinal,
                target: required.target,
                target_index: required.target_index.and_then(|at| i64::try_from(at).ok()),
                capability: required.capability,
                relationship: required.relationship,
                count_json: required.count.map(json_text).transpose()?,
                optional: required.optional,
                has_filter: required.filter.is_some(),
            });
            if let Some(filter) = required.filter {
                let filter = conditions(filter, required.capability);
                self.terms(node.name, Some(required.name), &filter, false)?;
            }
        }
        if let Some(filter) = node.filter() {
            self.terms(node.name, None, &conditions(filter, None), false)?;
        }
        for (name, body) in named(field(node.body, "artifacts")) {
            self.rows.push(DerivedRow::Artifact {
                node: node.name,
                name,
                file: text(body).or_else(|| text_field(body, "file")),
                above: text_field(body, "type"),
                repository: text_field(body, "repository"),
            });
        }
        Ok(())
    }

    /// As deep as the conditions, whose depth is bounded.
    fn terms(
        &mut self,
        node: &'d str,
        requirement: Option<&'d str>,
        condition: &FilterCondition<'d>,
        negated: bool,
    ) -> Result<(), Error> {
        match condition {
            FilterCondition::All(parts) | FilterCondition::Any(parts) => {
                for part in parts {
                    self.terms(node, requirement, part, negated)?;
                }
            }
            FilterCondition::Not(part) => self.terms(node, requirement, part, !negated)?,
            FilterCondition::Term(term) => self.rows.push(DerivedRow::Term {
                node,
                requirement,
                capability: term.place.capability(),
                property: (!term.path.is_empty()).then(|| term.path.join(".")),
                op: format!("{}{}", if negated { "not " } else { "" }, term.op),
                value_json: term.operand.map(json_text).transpose()?,
            }),
            FilterCondition::Unclear(what) => self.rows.push(DerivedRow::Term {
                node,
                requirement,
                capability: None,
                property: None,
                op: "unclear".into(),
                value_json: Some(json_text(&Ipld::String(what.clone()))?),
            }),
        }
        Ok(())
    }

    fn policies(&mut self, policies: Option<&'d Ipld>) {
        for (name, body) in named(policies) {
            let above = text_field(body, "type");
            let mut target = |target| self.rows.push(DerivedRow::Policy { name, above, target });
            match field(body, "targets") {
                Some(Ipld::List(targets)) if !targets.is_empty() => {
                    targets.iter().for_each(|it| target(text(it)));
                }
                _ => target(None),
            }
        }
    }
}

/// `{"<capability>":{"type":…,"properties":{…}}}` of a node template or type, whose properties
/// `value_of` takes out of what stands there.
fn capabilities(
    body: &Ipld,
    value_of: fn(&Ipld) -> Option<&Ipld>,
) -> Result<Option<String>, Error> {
    let mut parts = Vec::new();
    for (name, body) in named(field(body, "capabilities")) {
        let mut fields = Vec::new();
        if let Some(known) = text(body).or_else(|| text_field(body, "type")) {
            fields.push(format!("\"type\":{}", text_json(known)?));
        }
        if let Some(properties) = defaults(field(body, "properties"), value_of)? {
            fields.push(format!("\"properties\":{properties}"));
        }
        parts.push(format!("{}:{{{}}}", text_json(name)?, fields.join(",")));
    }
    Ok((!parts.is_empty()).then(|| format!("{{{}}}", parts.join(","))))
}

/// Properties with what `value_of` finds in each, as JSON.
fn defaults(
    properties: Option<&Ipld>,
    value_of: fn(&Ipld) -> Option<&Ipld>,
) -> Result<Option<String>, Error> {
    let mut parts = Vec::new();
    for (name, value) in named(properties) {
        if let Some(value) = value_of(value) {
            parts.push(format!("{}:{}", text_json(name)?, json_text(value)?));
        }
    }
    Ok((!parts.is_empty()).then(|| format!("{{{}}}", parts.join(","))))
}

fn text_json(text: &str) -> Result<String, Error> {
    json_text(&Ipld::String(text.to_owned()))
}
