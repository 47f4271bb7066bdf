//! The SQL of a filter.

use super::clause::{Clause, Operand};
use super::path::Field;
use super::{Filter, Node};
use rusqlite::types::Value;

/// What no key is. Were it a plain `0`, SQLite would forget the other conditions, and with them that
/// it may use the index that a statement prescribes.
const NEVER: &str = "key < ''";

/// A condition over the columns `key` (text, the `_id`) and `doc` (JSONB).
#[derive(Debug, Default)]
pub(crate) struct Condition {
    /// One boolean expression in parentheses; its parameters are `?`.
    pub(crate) sql: String,
    /// The parameters, in order.
    pub(crate) params: Vec<Value>,
}

impl From<&Filter> for Condition {
    fn from(filter: &Filter) -> Condition {
        let mut condition = Condition::default();
        condition.add(filter);
        condition
    }
}

impl Condition {
    /// The recursion is as deep as the filter, which its maker bounds.
    fn add(&mut self, filter: &Filter) {
        match &filter.0 {
            Node::All(parts) => self.join(parts, " AND "),
            Node::Any(parts) => self.join(parts, " OR "),
            Node::Field(field, clauses) => self.field(field, clauses),
        }
    }

    fn join(&mut self, parts: &[Filter], with: &str) {
        for (n, part) in parts.iter().enumerate() {
            self.sql.push_str(if n == 0 { "(" } else { with });
            self.add(part);
        }
        self.sql.push(')');
    }

    fn field(&mut self, field: &Field, clauses: &[Clause]) {
        let mut parts = Vec::new();
        match field {
            Field::Key => self.clauses(clauses, "key", "'text'", &mut parts),
            Field::Path(path) => {
                for place in &path.places {
                    let value = format!("json_extract(doc, {place})");
                    let kind = format!("json_type(doc, {place})");
                    self.clauses(clauses, &value, &kind, &mut parts);
                }
                let kinds: Vec<String> = path
                    .on_the_way
                    .iter()
                    .chain(&path.places)
                    .map(|place| format!("json_type(doc, {place})"))
                    .collect();
                parts.push(format!("'array' IN ({})", kinds.join(", ")));
            }
        }
        if parts.is_empty() {
            parts.push(NEVER.to_owned());
        }
        self.sql.extend(["(", &parts.join(" OR "), ")"]);
    }

    /// The clauses for a value and its type, both given as SQL.
    fn clauses(&mut self, clauses: &[Clause], value: &str, kind: &str, parts: &mut Vec<String>) {
        for clause in clauses {
            let operand = if clause.on == Operand::Value { value } else { kind };
            parts.push(format!("{operand}{}", clause.rest));
            self.params.extend(clause.params.iter().cloned());
        }
    }
}
