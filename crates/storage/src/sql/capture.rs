//! What a statement writes to a store, collected instead of written.
//!
//! The triggers of [`super::tables`] call the functions that are defined here. Rows of a statement see
//! each other: a second INSERT of one `_id` meets the first. What comes of it is a list of documents,
//! each at most once, in the order in which they were first written.

use super::functions::owned;
use super::statement::refused;
use crate::catalog::DATACATALOG_COLUMNS;
use crate::error::Error;
use crate::limits::{SQL_WRITTEN_BYTES_MAX, SQL_WRITTEN_DOCUMENTS_MAX};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Value;
use rusqlite::{Connection, Result};
use serde_json::{Map, Value as Json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a statement wants a store to be changed by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqlWrites {
    /// The documents by their `_id`s, as JSON text; None is one to be deleted.
    pub documents: Vec<(String, Option<String>)>,
    /// Rows that were inserted, updated or deleted.
    pub affected: usize,
}

/// Collects for one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Capture(Arc<Mutex<Collected>>);

#[derive(Debug, Default)]
struct Collected {
    writes: SqlWrites,
    places: HashMap<String, usize>,
    bytes: usize,
    /// The row that a trigger is at.
    row: Option<(String, String)>,
    /// Why the statement cannot be carried out.
    refused: Option<String>,
}

impl Capture {
    /// Begins anew.
    pub(super) fn clear(&self) {
        *self.lock() = Collected::default();
    }

    /// What was collected, if nothing was refused.
    pub(super) fn take(&self) -> SqlWrites {
        std::mem::take(&mut *self.lock()).writes
    }

    /// Why a call failed, if one did.
    pub(super) fn why(&self) -> Option<Error> {
        self.lock().refused.take().map(refused)
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Defines the functions that the triggers call.
    pub(super) fn define(&self, db: &Connection) -> Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        let function = |name: &str, args: i32, call: fn(&mut Collected, &Context<'_>) -> Done| {
            let capture = self.clone();
            db.create_scalar_function(name, args, flags, move |context| {
                let mut collected = capture.lock();
                call(&mut collected, context).map_err(|why| {
                    let error = rusqlite::Error::UserFunctionError(why.as_str().into());
                    collected.refused.get_or_insert(why);
                    error
                })
            })
        };
        function("write_document", 4, Collected::document)?;
        function("write_row", -1, Collected::row)?;
        function("written_id", 0, |collected, _| {
            Ok(collected.row.as_ref().map_or(Value::Null, |(id, _)| Value::Text(id.clone())))
        })?;
        function("written_there", 0, |collected, _| Ok(collected.there()))?;
        function("write_end", 2, Collected::end)?;
        function("write_delete", 1, Collected::delete)
    }
}

type Done = std::result::Result<Value, String>;

impl Collected {
    /// `(id before, id, document, whether another column was set)`.
    fn document(&mut self, context: &Context<'_>) -> Done {
        let [before, id, document] = [0, 1, 2].map(|i| owned(context.get_raw(i)));
        if context.get(3).unwrap_or(false) {
            return Err(
                "only _id and doc can be written: the other columns come from the log".into()
            );
        }
        let Value::Text(text) = document else {
            return Err("doc must be a JSON object".into());
        };
        let Ok(Json::Object(mut fields)) = serde_json::from_str(&text) else {
            return Err("doc must be a JSON object".into());
        };
        let inside = fields.get("_id").and_then(Json::as_str).map(str::to_owned);
        if let Value::Text(id) = &id {
            same_id(&before, id)?;
        }
        let id = match (id, inside) {
            (Value::Text(id), Some(inside)) if id != inside => {
                return Err(format!("doc has the _id {inside:?}, and the row {id:?}"));
            }
            (Value::Text(id), _) | (Value::Null, Some(id)) => id,
            (Value::Null, None) => return Err("_id is missing".into()),
            _ => return Err("_id must be a text".into()),
        };
        same_id(&before, &id)?;
        fields.insert("_id".into(), Json::String(id.clone()));
        self.row = Some((id, Json::Object(fields).to_string()));
        Ok(Value::Null)
    }

    /// `(document before, the columns of the catalog, the same before)`.
    fn row(&mut self, context: &Context<'_>) -> Done {
        let count = DATACATALOG_COLUMNS.len();
        let mut fields = match owned(context.get_raw(0)) {
            Value::Text(before) => match serde_json::from_str(&before) {
                Ok(Json::Object(fields)) => fields,
                _ => Map::new(),
            },
            _ => Map::new(),
        };
        let updates = context.len() > 1 + count;
        for (i, column) in DATACATALOG_COLUMNS.into_iter().enumerate() {
            let new = owned(context.get_raw(1 + i));
            if updates && new == owned(context.get_raw(1 + count + i)) {
                continue;
            }
            match json_of(new)? {
                Json::Null => fields.remove(column),
                value => fields.insert(column.into(), value),
            };
        }
        let Some(Json::String(id)) = fields.get("_id") else {
            return Err("_id must be a text".into());
        };
        let id = id.clone();
        if updates {
            same_id(&owned(context.get_raw(1 + count)), &id)?;
        }
        self.row = Some((id, Json::Object(fields).to_string()));
        Ok(Value::Null)
    }

    /// Whether this statement has written a row of that `_id`, or deleted it; NULL for neither.
    fn there(&self) -> Value {
        let written = self.row.as_ref().and_then(|(id, _)| self.places.get(id));
        written.map_or(Value::Null, |place| {
            Value::Integer(self.writes.documents[*place].1.is_some().into())
        })
    }

    /// `(whether there was one, what has become of the conflict)`.
    fn end(&mut self, context: &Context<'_>) -> Done {
        let there: bool = context.get(0).unwrap_or(false);
        let Some((id, document)) = self.row.take() else { return Ok(Value::Null) };
        if there && context.get::<String>(1).is_ok_and(|how| how == "kept") {
            return Ok(Value::Null);
        }
        self.write(id, Some(document))
    }

    fn delete(&mut self, context: &Context<'_>) -> Done {
        match owned(context.get_raw(0)) {
            Value::Text(id) => self.write(id, None),
            _ => Ok(Value::Null),
        }
    }

    fn write(&mut self, id: String, document: Option<String>) -> Done {
        self.bytes += id.len() + document.as_ref().map_or(0, String::len);
        if self.bytes > SQL_WRITTEN_BYTES_MAX {
            return Err(format!(
                "the statement writes more than {SQL_WRITTEN_BYTES_MAX} bytes; write in parts"
            ));
        }
        let documents = &mut self.writes.documents;
        let place = *self.places.entry(id.clone()).or_insert(documents.len());
        match documents.get_mut(place) {
            Some(written) => written.1 = document,
            None if place == SQL_WRITTEN_DOCUMENTS_MAX => {
                return Err(format!(
                    "the statement writes more than {SQL_WRITTEN_DOCUMENTS_MAX} documents; write in \
                     parts"
                ));
            }
            None => documents.push((id, document)),
        }
        self.writes.affected += 1;
        Ok(Value::Null)
    }
}

fn same_id(before: &Value, id: &str) -> std::result::Result<(), String> {
    match before {
        Value::Text(before) if before != id => {
            Err("_id cannot be changed; insert a new row".into())
        }
        _ => Ok(()),
    }
}

/// A value of a column as the field of a document has it. A text that is an array or an object in JSON
/// is one: that is how the columns show them.
fn json_of(value: Value) -> std::result::Result<Json, String> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Integer(n) => n.into(),
        Value::Real(x) => x.into(),
        Value::Text(text) if text.starts_with(['[', '{']) => {
            serde_json::from_str(&text).unwrap_or(Json::String(text))
        }
        Value::Text(text) => Json::String(text),
        Value::Blob(_) => return Err("a document cannot hold a BLOB".into()),
    })
}
