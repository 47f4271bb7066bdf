//! Answers of one line a row: JSON arrays, or CSV as RFC 4180 has it.

use optimusdb_db::{SqlCell, SqlColumn, SqlDid, SqlEnd, SqlRender};

use super::cells;

/// `{"columns":[…]}`, then an array a row. A statement that writes has a last line
/// `{"affected":…,"replicated":…}`; where rows are left or they are a peer's, it is `{"more":true,"source":"…"}`
/// with what of it is so.
#[derive(Debug)]
pub(super) struct JsonLines;

impl SqlRender for JsonLines {
    fn columns(&mut self, columns: &[SqlColumn], text: &mut String) {
        text.push_str(r#"{"columns":"#);
        cells::columns(columns, text);
        text.push_str("}\n");
    }

    fn row(&mut self, row: &[SqlCell<'_>], text: &mut String) {
        cells::array(row, text);
        text.push('\n');
    }

    fn end(&mut self, end: SqlEnd, text: &mut String) {
        if end.did != SqlDid::Read {
            let replicated = end.did == SqlDid::WroteForAll;
            text.push_str(&format!(
                "{{\"affected\":{},\"replicated\":{replicated}}}\n",
                end.affected
            ));
            return;
        }
        let more = end.more.then(|| r#""more":true"#.to_owned());
        let source = end.source.map(|peer| {
            let mut source = r#""source":"#.to_owned();
            cells::quoted(&peer, &mut source);
            source
        });
        let said: Vec<String> = more.into_iter().chain(source).collect();
        if !said.is_empty() {
            text.push_str(&format!("{{{}}}\n", said.join(",")));
        }
    }
}

/// The names of the columns, then a line a row. NULL is nothing, an empty text is `""`.
#[derive(Debug)]
pub(super) struct CsvLines;

impl SqlRender for CsvLines {
    fn columns(&mut self, columns: &[SqlColumn], text: &mut String) {
        for (i, column) in columns.iter().enumerate() {
            field(i, &column.name, text);
        }
        text.push_str("\r\n");
    }

    fn row(&mut self, row: &[SqlCell<'_>], text: &mut String) {
        for (i, cell) in row.iter().enumerate() {
            match cell {
                SqlCell::Null if i > 0 => text.push(','),
                SqlCell::Null => {}
                cell => field(i, &cells::plain(*cell), text),
            }
        }
        text.push_str("\r\n");
    }

    fn end(&mut self, _: SqlEnd, _: &mut String) {}
}

fn field(place: usize, value: &str, text: &mut String) {
    if place > 0 {
        text.push(',');
    }
    if value.is_empty() || value.contains([',', '"', '\r', '\n']) {
        text.push('"');
        text.push_str(&value.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(value);
    }
}
