//! Statements that are asked of peers, and their rows, as bytes: `docs/format-sql.md`.
//!
//! What comes from a peer is checked before anything is made as large as it says.

use crate::limits::{PEER_CELLS_MAX, PEER_ROWS_MAX};
use optimusdb_storage::limits::{SQL_COLUMNS_MAX, SQL_PARAMETERS_MAX};
use optimusdb_storage::{SqlCell, SqlColumn, SqlParams, SqlSink, SqlValue};
use std::ops::ControlFlow;

const VERSION: u8 = 1;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// A statement that a peer is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SqlQuestion {
    /// How long it may take, in milliseconds.
    pub(crate) budget_ms: u32,
    pub(crate) rows_max: u32,
    pub(crate) sql: String,
    pub(crate) params: SqlParams,
}

/// The rows that a peer has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PeerRows {
    pub(crate) columns: usize,
    pub(crate) rows: Vec<Vec<SqlValue>>,
    /// Whether there are more.
    pub(crate) more: bool,
}

/// The bytes are not what they should be: why.
type Malformed = &'static str;

impl SqlQuestion {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend(self.budget_ms.to_be_bytes());
        out.extend(self.rows_max.to_be_bytes());
        put_bytes(&mut out, self.sql.as_bytes());
        match &self.params {
            SqlParams::Positional(values) => {
                out.push(0);
                put_number(&mut out, values.len());
                values.iter().for_each(|value| put_cell(&mut out, SqlCell::from(value)));
            }
            SqlParams::Named(values) => {
                out.push(1);
                put_number(&mut out, values.len());
                for (name, value) in values {
                    put_bytes(&mut out, name.as_bytes());
                    put_cell(&mut out, SqlCell::from(value));
                }
            }
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<SqlQuestion, Malformed> {
        let mut from = Cursor(bytes);
        if from.byte()? != VERSION {
            return Err("another version");
        }
        let (budget_ms, rows_max, sql) = (from.number()?, from.number()?, from.text()?);
        let by_name = from.flag()?;
        let count = from.count(SQL_PARAMETERS_MAX)?;
        let params = if by_name {
            let values = (0..count).map(|_| Ok((from.text()?, from.value()?)));
            SqlParams::Named(values.collect::<Result<_, Malformed>>()?)
        } else {
            SqlParams::Positional((0..count).map(|_| from.value()).collect::<Result<_, _>>()?)
        };
        from.end()?;
        Ok(SqlQuestion { budget_ms, rows_max, sql, params })
    }
}

impl PeerRows {
    /// Reads an answer; none where the peer has nothing to show.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<PeerRows>, Malformed> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let mut from = Cursor(bytes);
        if from.byte()? != VERSION {
            return Err("another version");
        }
        let more = from.flag()?;
        let columns = from.count(SQL_COLUMNS_MAX)?;
        let count = from.count(PEER_ROWS_MAX)?;
        if columns == 0 || columns * count > PEER_CELLS_MAX {
            return Err("no columns, or too many values");
        }
        let mut rows = Vec::new();
        for _ in 0..count {
            rows.push((0..columns).map(|_| from.value()).collect::<Result<Vec<_>, _>>()?);
        }
        from.end()?;
        Ok(Some(PeerRows { columns, rows, more }))
    }
}

/// Writes an answer, row by row, as long as there is room.
#[derive(Debug)]
pub(crate) struct AnswerWriter {
    out: Vec<u8>,
    bytes_max: usize,
    columns: usize,
    rows: usize,
    full: bool,
}

/// Where the number of rows stands: behind version, `more` and the number of columns.
const ROWS_AT: usize = 6;

impl AnswerWriter {
    pub(crate) fn new(bytes_max: usize) -> AnswerWriter {
        AnswerWriter { out: Vec::new(), bytes_max, columns: 0, rows: 0, full: false }
    }

    /// Whether there was no room for a row.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// The answer; nothing where there is no row.
    pub(crate) fn finish(mut self, more: bool) -> Vec<u8> {
        if self.rows == 0 {
            return Vec::new();
        }
        self.out[1] = u8::from(more);
        let rows = u32::try_from(self.rows).unwrap_or(u32::MAX).to_be_bytes();
        self.out[ROWS_AT..ROWS_AT + rows.len()].copy_from_slice(&rows);
        self.out
    }
}

impl SqlSink for AnswerWriter {
    fn columns(&mut self, columns: &[SqlColumn]) {
        self.columns = columns.len();
        self.out = vec![VERSION, 0];
        put_number(&mut self.out, self.columns);
        put_number(&mut self.out, 0);
    }

    fn row(&mut self, row: &[SqlCell<'_>]) -> ControlFlow<()> {
        let before = self.out.len();
        row.iter().for_each(|cell| put_cell(&mut self.out, *cell));
        let rows = self.rows + 1;
        if self.out.len() > self.bytes_max
            || rows > PEER_ROWS_MAX
            || rows * self.columns > PEER_CELLS_MAX
        {
            self.out.truncate(before);
            self.full = true;
            return ControlFlow::Break(());
        }
        self.rows = rows;
        ControlFlow::Continue(())
    }
}

fn put_number(out: &mut Vec<u8>, n: usize) {
    out.extend(u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_cell(out: &mut Vec<u8>, cell: SqlCell<'_>) {
    match cell {
        SqlCell::Null => out.push(NULL),
        SqlCell::Integer(n) => {
            out.push(INTEGER);
            out.extend(n.to_be_bytes());
        }
        SqlCell::Real(x) => {
            out.push(REAL);
            out.extend(x.to_be_bytes());
        }
        SqlCell::Text(bytes) => {
            out.push(TEXT);
            put_bytes(out, String::from_utf8_lossy(bytes).as_bytes());
        }
        SqlCell::Blob(bytes) => {
            out.push(BLOB);
            put_bytes(out, bytes);
        }
    }
}

/// What is left to be read.
struct Cursor<'b>(&'b [u8]);

impl<'b> Cursor<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("it ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| "it ends too early")
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn flag(&mut self) -> Result<bool, Malformed> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err("a flag that is neither"),
        }
    }

    fn number(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn count(&mut self, most: usize) -> Result<usize, Malformed> {
        usize::try_from(self.number()?).ok().filter(|n| *n <= most).ok_or("too many of something")
    }

    fn bytes(&mut self) -> Result<&'b [u8], Malformed> {
        let length = self.number()?;
        self.take(usize::try_from(length).map_err(|_| "it ends too early")?)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| "a text that is no UTF-8")?;
        Ok(text.to_owned())
    }

    fn value(&mut self) -> Result<SqlValue, Malformed> {
        Ok(match self.byte()? {
            NULL => SqlValue::Null,
            INTEGER => SqlValue::Integer(i64::from_be_bytes(self.array()?)),
            REAL => match f64::from_be_bytes(self.array()?) {
                x if x.is_nan() => return Err("a number that is none"),
                x => SqlValue::Real(x),
            },
            TEXT => SqlValue::Text(self.text()?),
            BLOB => SqlValue::Blob(self.bytes()?.to_vec()),
            _ => return Err("a value of no sort"),
        })
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err("more than was said") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(count: usize) -> Vec<SqlColumn> {
        vec![SqlColumn { name: "c".into(), declared: None }; count]
    }

    #[test]
    fn statements_and_rows_come_back() {
        let values = vec![
            SqlValue::Null,
            SqlValue::Integer(i64::MIN),
            SqlValue::Real(f64::INFINITY),
            SqlValue::Text("ä\0".into()),
            SqlValue::Blob(vec![0, 255]),
        ];
        let named = values.iter().map(|value| ("n".to_owned(), value.clone())).collect();
        for params in [SqlParams::Positional(values.clone()), SqlParams::Named(named)] {
            let (budget_ms, rows_max, sql) = (7, u32::MAX, "SELECT 1".to_owned());
            let question = SqlQuestion { budget_ms, rows_max, sql, params };
            let bytes = question.encode();
            assert_eq!(SqlQuestion::decode(&bytes), Ok(question));
            for end in 0..bytes.len() {
                assert!(SqlQuestion::decode(&bytes[..end]).is_err(), "{end}");
            }
            assert!(SqlQuestion::decode(&[&bytes[..], &[0]].concat()).is_err());
        }
        let mut writer = AnswerWriter::new(1_000);
        writer.columns(&columns(values.len()));
        let cells: Vec<SqlCell<'_>> = values.iter().map(SqlCell::from).collect();
        assert!(writer.row(&cells).is_continue() && !writer.is_full());
        let bytes = writer.finish(true);
        let rows = PeerRows { columns: values.len(), rows: vec![values], more: true };
        assert_eq!(PeerRows::decode(&bytes), Ok(Some(rows)));
        for end in 1..bytes.len() {
            assert!(PeerRows::decode(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn an_answer_ends_where_there_is_no_room() {
        let mut writer = AnswerWriter::new(100);
        writer.columns(&columns(1));
        while writer.row(&[SqlCell::Integer(1)]).is_continue() {}
        assert!(writer.is_full());
        let bytes = writer.finish(true);
        assert!((90..=100).contains(&bytes.len()), "{}", bytes.len());
        let rows = PeerRows::decode(&bytes).unwrap().unwrap();
        assert_eq!((rows.rows.len(), rows.more), (10, true));
        // Who has no row has nothing to show.
        let mut writer = AnswerWriter::new(100);
        writer.columns(&columns(1));
        assert_eq!(PeerRows::decode(&writer.finish(false)), Ok(None));
    }

    #[test]
    fn what_a_peer_makes_up_is_an_error() {
        let head = |columns: u32, rows: u32| {
            [&[VERSION, 0][..], &columns.to_be_bytes(), &rows.to_be_bytes()].concat()
        };
        for (what, bytes) in [
            ("a version", vec![2]),
            ("a flag", vec![VERSION, 2, 0, 0, 0, 1, 0, 0, 0, 0]),
            ("no columns", head(0, 1_000)),
            ("many columns", head(u32::MAX, 1)),
            ("many rows", head(1, u32::MAX)),
            ("many values", head(200, 10_000)),
            ("rows that do not come", head(1, 1)),
            ("a sort", [head(1, 1), vec![9]].concat()),
            ("a length", [head(1, 1), vec![TEXT, 255, 255, 255, 255, b'x']].concat()),
            ("no UTF-8", [head(1, 1), vec![TEXT, 0, 0, 0, 1, 0xff]].concat()),
            ("no number", [head(1, 1), vec![REAL], f64::NAN.to_be_bytes().to_vec()].concat()),
            ("bytes behind", [head(1, 1), vec![NULL, NULL]].concat()),
        ] {
            assert!(PeerRows::decode(&bytes).is_err(), "{what}");
        }
    }
}
