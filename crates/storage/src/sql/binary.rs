//! Documents in binary, where a statement cannot tell.
//!
//! The index keeps documents in SQLite's binary JSON. `doc` is promised as text, and making the text of
//! every document for every condition costs several times what the condition does. So a statement is first
//! prepared where `doc` is the binary. It stays there if it reads `doc` only as the first argument of
//! functions that take both alike, or passes it straight on into its result, where it becomes text row by
//! row. All others are prepared again where `doc` is text.

use super::guard::DocsSeen;
use super::statement::{SqlCell, SqlColumn, SqlSink};
use crate::limits::STATEMENTS_MAX;
use rusqlite::{CachedStatement, Statement};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;

/// How the index declares its documents, which no other column of the node's that is shown does.
const DECLARED: &str = "BLOB";

/// Whether a statement can be run on a connection that shows documents in binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It can. In these columns of its result the documents have to be made text.
    Same(Vec<usize>),
    /// It needs their text.
    NeedsText,
}

/// What is known of the statements of a connection that shows documents in binary. Those that are kept
/// prepared are not asked about again.
#[derive(Debug, Default)]
pub(super) struct Verdicts(RefCell<HashMap<String, Verdict>>);

impl Verdicts {
    /// Whether what was just prepared can be run there.
    pub(super) fn of(&self, docs: &DocsSeen, prepared: &Statement<'_>, sql: &str) -> Verdict {
        let mut known = self.0.borrow_mut();
        if let Some(known) = known.get(sql) {
            return known.clone();
        }
        let columns = prepared.columns().enumerate();
        let columns: Vec<usize> = columns
            .filter(|(_, column)| column.decl_type() == Some(DECLARED))
            .map(|(i, _)| i)
            .collect();
        let verdict = if docs.selects == 0 {
            // It was prepared before, and nobody knows any more what was seen then.
            Verdict::NeedsText
        } else if docs.bare == 0 {
            Verdict::Same(Vec::new())
        } else if docs.inside > 0
            && docs.bare == columns.len()
            && docs.selects == 1
            && !docs.passed_on
            && !may_sort_by(prepared, &columns, sql)
        {
            // Were nothing asked of the documents but their text, it would be made sooner over there.
            Verdict::Same(columns)
        } else {
            Verdict::NeedsText
        };
        if known.len() >= STATEMENTS_MAX {
            known.clear();
        }
        known.insert(sql.to_owned(), verdict.clone());
        verdict
    }

    /// Whether a statement is known to need the text of documents.
    pub(super) fn need_text(&self, sql: &str) -> bool {
        self.0.borrow().get(sql) == Some(&Verdict::NeedsText)
    }

    /// Forgets them all: statements will be prepared anew.
    pub(super) fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

/// Whether the statement may sort by one of these columns of its result. SQLite does not ask the
/// authorizer again for a column that ORDER BY names by its place or by the name the statement gives it,
/// so this is looked for in the text. What is not plain there counts as yes, which only costs time.
fn may_sort_by(prepared: &Statement<'_>, columns: &[usize], sql: &str) -> bool {
    // Between apostrophes are texts, which name no column, unless comments or quoted names have others.
    let code: Vec<&str> = sql.split('\'').step_by(2).collect();
    let code = code.join(" ").to_ascii_lowercase();
    let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii();
    // What stands before an arrow is only part of what is sorted by.
    let parts = code.split_inclusive("->").map(|part| match part.strip_suffix("->") {
        Some(before) => before.trim_end().trim_end_matches(in_word),
        None => part,
    });
    let terms = parts.collect::<Vec<_>>().join(" ");
    let mut words = terms.split(|c: char| !in_word(c));
    if !words.any(|word| word == "order") {
        return false;
    }
    let names = columns.iter().filter_map(|column| prepared.column_name(*column).ok());
    let names: Vec<String> = names.map(str::to_ascii_lowercase).collect();
    ["\"", "`", "[", "--", "/*"].iter().any(|unplain| code.contains(unplain))
        || words.take_while(|word| *word != "limit").any(|word| {
            word.starts_with(|c: char| c.is_ascii_digit()) || names.iter().any(|name| name == word)
        })
}

/// Hands rows on with their documents as text.
pub(super) struct DocsAsText<'a> {
    maker: CachedStatement<'a>,
    docs: Vec<usize>,
    sink: &'a mut dyn SqlSink,
}

impl<'a> DocsAsText<'a> {
    /// Of the documents in those columns, on their way to `sink`. `maker` makes one text.
    pub(super) fn new(
        maker: CachedStatement<'a>,
        docs: Vec<usize>,
        sink: &'a mut dyn SqlSink,
    ) -> DocsAsText<'a> {
        DocsAsText { maker, docs, sink }
    }
}

impl SqlSink for DocsAsText<'_> {
    fn columns(&mut self, columns: &[SqlColumn]) {
        let mut columns = columns.to_vec();
        for doc in &self.docs {
            columns[*doc].declared = None;
        }
        self.sink.columns(&columns);
    }

    fn row(&mut self, row: &[SqlCell<'_>]) -> ControlFlow<()> {
        let mut texts = Vec::with_capacity(self.docs.len());
        for doc in &self.docs {
            let SqlCell::Blob(binary) = row[*doc] else { continue };
            // What the index keeps is JSON.
            let text: Option<String> = self.maker.query_row([binary], |row| row.get(0)).ok();
            texts.push((*doc, text.unwrap_or_default()));
        }
        let mut row = row.to_vec();
        for (doc, text) in &texts {
            row[*doc] = SqlCell::Text(text.as_bytes());
        }
        self.sink.row(&row)
    }
}
