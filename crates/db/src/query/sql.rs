//! The prefilter: criteria as a SQL condition that errs on the side of letting rows through.
//!
//! Three rules keep it a superset of [`super::matches`]. What cannot be said is dropped from an
//! AND, and takes an OR with it. Wherever an array may stand, at the value or on the way to it, its
//! presence alone lets the row through. And numbers are compared with some slack, for SQLite's idea
//! of a decimal may differ from ours in the last bits.
//!
//! The text depends on the shape of the criteria alone, not on its values, so that prepared
//! statements are found again.

use super::operators::{Expr, Test};
use super::path::Path;
use super::sql_leaf::Leaf;
use crate::limits::PREFILTER_TERMS_MAX;
use optimusdb_storage::{Param, SqlPath};

/// A condition over the columns `key` (text, the `_id`) and `doc` (JSONB).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SqlFilter {
    /// One boolean expression, to stand after WHERE in parentheses; its parameters are `?`.
    pub(crate) sql: String,
    /// The parameters, in order.
    pub(crate) params: Vec<Param>,
}

/// The condition for the branches of an OR. The recursion is as deep as the expression, which the
/// parser bounds.
pub(super) fn prefilter(branches: &[Expr]) -> Option<SqlFilter> {
    let mut terms = 0;
    any(branches, &mut terms)
}

fn condition(expr: &Expr, terms: &mut usize) -> Option<SqlFilter> {
    match expr {
        Expr::All(parts) => join(parts.iter().filter_map(|part| condition(part, terms)), " AND "),
        Expr::Any(parts) => any(parts, terms),
        // The negation of a superset would be a subset.
        Expr::Not(_) => None,
        Expr::Field(path, tests) => {
            let place = Place::new(path)?;
            join(tests.iter().filter_map(|test| place.condition(test, terms)), " AND ")
        }
    }
}

fn any(parts: &[Expr], terms: &mut usize) -> Option<SqlFilter> {
    let filters: Option<Vec<SqlFilter>> = parts.iter().map(|part| condition(part, terms)).collect();
    join(filters?.into_iter(), " OR ")
}

fn join(filters: impl Iterator<Item = SqlFilter>, with: &str) -> Option<SqlFilter> {
    filters
        .reduce(|mut all, next| {
            all.sql.push_str(with);
            all.sql.push_str(&next.sql);
            all.params.extend(next.params);
            all
        })
        .map(|all| SqlFilter { sql: format!("({})", all.sql), params: all.params })
}

/// Where a test looks, in SQL.
enum Place {
    /// The `_id`, which has a column of its own and an index on it.
    Key,
    Document(SqlPath),
}

impl Place {
    fn new(path: &Path) -> Option<Place> {
        match path.text() {
            "_id" => Some(Place::Key),
            text => SqlPath::new(text).map(Place::Document),
        }
    }

    fn condition(&self, test: &Test, terms: &mut usize) -> Option<SqlFilter> {
        let places = match self {
            Place::Key => 1,
            Place::Document(path) => path.places.len() + 1,
        };
        let leaf = Leaf::of(test)?;
        *terms += places * leaf.len();
        if *terms > PREFILTER_TERMS_MAX {
            return None;
        }
        Some(self.render(&leaf))
    }

    fn render(&self, leaf: &Leaf) -> SqlFilter {
        let mut params = Vec::new();
        let mut parts = Vec::new();
        match self {
            Place::Key => leaf.render("key", "'text'", &mut parts, &mut params),
            Place::Document(path) => {
                for place in &path.places {
                    let value = format!("json_extract(doc, {place})");
                    let kind = format!("json_type(doc, {place})");
                    leaf.render(&value, &kind, &mut parts, &mut params);
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
            parts.push("0".to_owned());
        }
        SqlFilter { sql: format!("({})", parts.join(" OR ")), params }
    }
}
