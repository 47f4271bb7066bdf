//! Answers that are one JSON document.

use std::collections::HashSet;

use optimusdb_db::{SqlCell, SqlColumn, SqlDid, SqlEnd, SqlRender};

use super::cells;
use crate::http::answer::DATA_PREFIX;

/// `{"columns":[{"name","type"}],"rows":[[…]],"affected":n}`, the rows in the statement's order.
#[derive(Debug, Default)]
pub(super) struct Rows {
    any: bool,
}

impl SqlRender for Rows {
    fn columns(&mut self, columns: &[SqlColumn], text: &mut String) {
        text.push_str(DATA_PREFIX);
        text.push_str(r#"{"columns":"#);
        cells::columns(columns, text);
        text.push_str(r#","rows":["#);
    }

    fn row(&mut self, row: &[SqlCell<'_>], text: &mut String) {
        if std::mem::replace(&mut self.any, true) {
            text.push(',');
        }
        cells::array(row, text);
    }

    fn end(&mut self, end: SqlEnd, text: &mut String) {
        text.push_str(&format!("],\"affected\":{}", end.affected));
        if end.did != SqlDid::Read {
            text.push_str(&format!(",\"replicated\":{}", end.did == SqlDid::WroteForAll));
        }
        if end.more {
            text.push_str(",\"more\":true");
        }
        text.push('}');
        end_with_source(&end, text);
    }
}

/// Ends an answer, with the peer whose rows they are beside `data`.
fn end_with_source(end: &SqlEnd, text: &mut String) {
    if let Some(peer) = &end.source {
        text.push_str(r#","source":"#);
        cells::quoted(peer, text);
    }
    text.push_str("}\n");
}

/// What the command `sqldml` answers: `{"columns":["name"],"records":[{"name":…}]}`, or a line of text
/// where a statement that writes returns nothing. Of columns of one name, the later ones have a number.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// The names as they stand in the records; none before they are known.
    names: Vec<String>,
    any: bool,
}

impl SqlRender for Records {
    fn columns(&mut self, columns: &[SqlColumn], text: &mut String) {
        text.push_str(DATA_PREFIX);
        let mut taken = HashSet::new();
        for column in columns {
            let mut name = column.name.clone();
            let mut n = 2;
            while !taken.insert(name.clone()) {
                name = format!("{}:{n}", column.name);
                n += 1;
            }
            let mut quoted = String::new();
            cells::quoted(&name, &mut quoted);
            self.names.push(quoted);
        }
        if !self.names.is_empty() {
            text.push_str(&format!(r#"{{"columns":[{}],"records":["#, self.names.join(",")));
        }
    }

    fn row(&mut self, row: &[SqlCell<'_>], text: &mut String) {
        if std::mem::replace(&mut self.any, true) {
            text.push(',');
        }
        for (i, (name, cell)) in self.names.iter().zip(row).enumerate() {
            text.push(if i == 0 { '{' } else { ',' });
            text.push_str(name);
            text.push(':');
            cells::json(*cell, text);
        }
        text.push('}');
    }

    fn end(&mut self, end: SqlEnd, text: &mut String) {
        text.push_str(if self.names.is_empty() {
            "\"OK: SQL statement executed successfully\""
        } else {
            "]}"
        });
        end_with_source(&end, text);
    }
}
