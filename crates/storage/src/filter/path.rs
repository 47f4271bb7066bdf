//! Dotted paths as SQLite JSON paths.
//!
//! A dotted path can be spelled in several ways in a document: `a.b` is the key `b` of the object
//! `a`, or the key `a.b`. SQL has to name each, the longest literal keys first.

use std::fmt::Write as _;

use crate::limits::SQL_PATH_SEGMENTS_MAX;

/// A field of documents.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// The `_id`, which has a column of its own and an index on it.
    Key,
    /// What a dotted path leads to.
    Path(FieldPath),
}

/// A path, spelled as SQL string literals.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPath {
    /// As it was written.
    pub(crate) text: String,
    /// Where the value may be, the longest literal keys first.
    pub(crate) places: Vec<String>,
    /// Where an array may stand on the way to it, so that elements or indexes decide.
    pub(crate) on_the_way: Vec<String>,
    /// Those of them where each key is one segment.
    pub(crate) nested_way: Vec<String>,
}

impl Field {
    /// The field that a dotted path names; `None` if SQLite cannot be told of it.
    pub fn new(path: &str) -> Option<Field> {
        if path == "_id" { Some(Field::Key) } else { FieldPath::new(path).map(Field::Path) }
    }

    /// In how many ways SQL asks for it: each spelling, and whether there is an array.
    pub(super) fn spellings(&self) -> usize {
        match self {
            Field::Key => 1,
            Field::Path(path) => path.places.len() + 1,
        }
    }
}

impl FieldPath {
    /// `None` for a path that has too many spellings, or a key that SQLite cannot be told safely.
    fn new(path: &str) -> Option<FieldPath> {
        let segments: Vec<&str> = path.split('.').take(SQL_PATH_SEGMENTS_MAX + 1).collect();
        let len = segments.len();
        // A NUL would end the path for SQLite, which takes it as C text.
        if len > SQL_PATH_SEGMENTS_MAX || path.contains('\0') {
            return None;
        }
        let mut places = Vec::new();
        let mut on_the_way = Vec::new();
        let mut nested_way = Vec::new();
        let each = (1_u32 << (len - 1)) - 1;
        // Bit i says that a key ends after segment i, and that another begins.
        for ends in 0..=each {
            let mut label = String::from("$");
            let mut from = 0;
            for at in 0..len {
                let last = at + 1 == len;
                if last || ends & (1 << at) != 0 {
                    push_label(&mut label, &segments[from..=at].join("."));
                    from = at + 1;
                    let literal = quote(&label);
                    if !last && ends == each {
                        nested_way.push(literal.clone());
                    }
                    if last {
                        places.push(literal);
                    } else if !on_the_way.contains(&literal) {
                        on_the_way.push(literal);
                    }
                }
            }
        }
        Some(FieldPath { text: path.to_owned(), places, on_the_way, nested_way })
    }
}

/// Adds `."key"`. SQLite reads a quoted label as the inside of a JSON string.
fn push_label(label: &mut String, key: &str) {
    label.push_str(".\"");
    for c in key.chars() {
        match c {
            '"' => label.push_str("\\\""),
            '\\' => label.push_str("\\\\"),
            c if c < ' ' => {
                write!(label, "\\u{:04x}", c as u32).expect("invariant: a String takes all")
            }
            c => label.push(c),
        }
    }
    label.push('"');
}

/// A SQL string literal.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
