//! Uploads of TOSCA files: each is read and made a document, which replaces earlier ones of its file
//! name.

use crate::clock::{now_ms, timestamp};
use crate::document::{self, Checked};
use crate::error::Error;
use crate::tosca::{self, Template};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// TOSCA files as a client sends them: all are stored or none is.
#[derive(Debug, Clone, Default)]
pub struct ToscaUpload {
    /// The files, each of another name.
    pub files: Vec<ToscaFile>,
    /// Whether the whole parsed tree is kept, or only its head and the text.
    pub store_full_structure: bool,
    /// The store to put them into; the default store where none is named.
    pub target_store: Option<String>,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToscaFile {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its name; uploading a name again replaces the earlier document.
    pub filename: Option<String>,
}

/// What became of an upload.
#[derive(Debug, Clone, Serialize)]
pub struct ToscaReceipt {
    /// A sentence for people.
    pub message: String,
    /// The `_id` of the document.
    pub template_id: String,
    /// What the file is: a service template, types, inputs or plain YAML.
    pub kind: String,
    /// Node templates in it.
    pub node_count: u64,
    /// Its name.
    pub filename: String,
    /// Its size in bytes.
    pub filesize: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Whether its fields can be asked for.
    pub queryable: bool,
    /// The store where it is.
    pub storage_location: String,
    /// The same, as it was asked for.
    pub target_store: String,
    /// Its address as a file, which is a contribution; absent where it could not be made one.
    pub cid: Option<String>,
}

/// Reads an upload: of each file its template, its document, and its size in bytes. Takes time in
/// proportion to the files.
pub(crate) fn read(upload: &ToscaUpload) -> Result<Vec<(Template, Checked, usize)>, Error> {
    let mut names = BTreeSet::new();
    let mut read = Vec::with_capacity(upload.files.len());
    for file in &upload.files {
        let (template, document) =
            read_file(file, upload.store_full_structure).map_err(|error| match &file.filename {
                Some(name) if upload.files.len() > 1 => of_file(name, error),
                _ => error,
            })?;
        if !names.insert(template.filename.clone()) {
            return Err(Error::Invalid(format!(
                "the file name {:?} is there twice, and one would replace the other",
                template.filename
            )));
        }
        read.push((template, document, file.bytes.len()));
    }
    Ok(read)
}

/// Says which of several files it is that is refused.
fn of_file(name: &str, error: Error) -> Error {
    match error {
        Error::Invalid(why) => Error::Invalid(format!("{name:?}: {why}")),
        Error::TooLarge(why) => Error::TooLarge(format!("{name:?}: {why}")),
        other => other,
    }
}

fn read_file(file: &ToscaFile, full: bool) -> Result<(Template, Checked), Error> {
    let mut template = tosca::read(&file.bytes, file.filename.as_deref(), full)?;
    let mut fields = std::mem::take(&mut template.document);
    let now = i64::try_from(now_ms()).unwrap_or_default();
    fields.insert("_imported_at".into(), Value::String(timestamp(now)));
    let checked = document::check(Value::Object(fields)).map_err(|error| match error {
        Error::TooLarge(why) if full => Error::TooLarge(format!(
            "{why}; with store_full_structure false the text is kept without the parsed tree"
        )),
        other => other,
    })?;
    Ok((template, checked))
}

/// The receipt of a stored template.
pub(crate) fn receipt(template: Template, store: &str, size: usize, full: bool) -> ToscaReceipt {
    ToscaReceipt {
        message: "TOSCA uploaded successfully".into(),
        template_id: template.id,
        kind: template.kind.to_string(),
        node_count: template.node_count,
        filename: template.filename,
        filesize: size as u64,
        sha256: template.sha256,
        queryable: full,
        storage_location: store.into(),
        target_store: store.into(),
        cid: None,
    }
}
