//! Documents of a node: put, found, updated, deleted, uploaded.

use super::Node;
use crate::document;
use crate::documents::Documents;
use crate::dollar;
use crate::error::Error;
use crate::limits::{POINT_IDS_MAX, READ_MS_MAX, UPLOAD_FILES_MAX, WRITE_DOCUMENTS_MAX};
use crate::query::Query;
use crate::reading;
use crate::stores::DEFAULT_STORE;
use crate::upload::{self, ToscaReceipt, ToscaUpload};
use crate::writer::Work;
use optimusdb_dag::StoreKind;
use optimusdb_storage::Scope;
use serde_json::{Map, Value};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

impl Node {
    /// Inserts or replaces documents or values, or appends events, all or none. Answers how many
    /// after equal `_id`s were merged.
    pub async fn put(&self, store: &str, documents: Vec<Value>) -> Result<usize, Error> {
        let store = self.writable_store(store)?;
        if documents.len() > WRITE_DOCUMENTS_MAX {
            return Err(Error::TooLarge(format!(
                "{} documents in one request; {} are allowed",
                documents.len(),
                WRITE_DOCUMENTS_MAX
            )));
        }
        let documents = document::check_all(store.kind, documents)?;
        if documents.is_empty() {
            return Ok(0);
        }
        self.count(Work::Put { store, documents }).await
    }

    /// The documents that a query asks for, as a stream.
    pub async fn find(&self, store: &str, query: Query) -> Result<Documents, Error> {
        let store = self.store(store)?;
        let time = query.time_budget_ms.map_or(READ_MS_MAX, |ms| ms.min(READ_MS_MAX));
        let deadline = Instant::now() + Duration::from_millis(time);
        let ids = query.criteria.by_id().map_or(usize::MAX, |ids| ids.len());
        if ids > POINT_IDS_MAX || !query.sort.is_empty() || query.after.is_some() {
            return Documents::scan(&self.inner.scans, store, query, deadline).await;
        }
        let found = self
            .read(move |view| {
                let mut text = String::new();
                let read = reading::documents(view, &store, &query, deadline, |json| {
                    if !text.is_empty() {
                        text.push(',');
                    }
                    text.push_str(json);
                    ControlFlow::Continue(())
                });
                Ok(read.map(|()| text))
            })
            .await??;
        Ok(Documents::at_hand(found))
    }

    /// Sets `fields` in every document that the query asks for, against no other writer in between.
    /// Without `sort`, `limit` and `skip` count in the order of the `_id`s.
    pub async fn update(
        &self,
        store: &str,
        query: impl Into<Query>,
        mut fields: Map<String, Value>,
    ) -> Result<usize, Error> {
        let (name, query) = (store, Box::new(query.into()));
        let store = self.changeable_store(name)?;
        named_on_purpose(&query)?;
        if let Some(id) = fields.remove("_id")
            && query.criteria.by_id().is_none_or(|ids| ids.iter().any(|known| id != **known))
        {
            return Err(Error::Invalid("_id cannot be changed; put a new document".into()));
        }
        if fields.is_empty() {
            return Err(Error::Invalid("UpdateData names no field to set".into()));
        }
        dollar::check_fields(&fields)?;
        let other = fields.keys().find(|field| *field != "value");
        if let (StoreKind::KeyValue, Some(field)) = (store.kind, other) {
            return Err(Error::Invalid(format!(
                "store {name} is a key-value store: an update sets \"value\", and not {field:?}"
            )));
        }
        let fields = document::to_ipld_map(fields);
        self.count(Work::Update { store, query, fields }).await
    }

    /// Deletes every document that the query asks for. Without `sort`, `limit` and `skip` count in the
    /// order of the `_id`s.
    pub async fn delete(&self, store: &str, query: impl Into<Query>) -> Result<usize, Error> {
        let (store, query) = (self.changeable_store(store)?, Box::new(query.into()));
        named_on_purpose(&query)?;
        self.count(Work::Delete { store, query }).await
    }

    /// Reads TOSCA files and puts each in place of earlier ones of its name, all or none. Answers with
    /// a receipt for each, in their order.
    pub async fn upload(&self, upload: ToscaUpload) -> Result<Vec<ToscaReceipt>, Error> {
        let target = upload.target_store.as_deref().filter(|name| !name.is_empty());
        let name = target.unwrap_or(DEFAULT_STORE).to_owned();
        let store = self.writable_store(&name)?;
        if store.kind != StoreKind::Documents || store.scope != Scope::Resource {
            return Err(Error::Invalid(format!(
                "store {name} takes no TOSCA files, for its documents have no entry in the catalog"
            )));
        }
        if upload.files.len() > UPLOAD_FILES_MAX {
            return Err(Error::TooLarge(format!(
                "{} files in one upload; {UPLOAD_FILES_MAX} are allowed",
                upload.files.len()
            )));
        }
        let full = upload.store_full_structure;
        let reading =
            tokio::task::spawn_blocking(move || upload::read(&upload).map(|read| (read, upload)));
        let (read, upload) =
            reading.await.map_err(|e| Error::Internal(format!("reading the file: {e}")))??;
        let (mut files, mut receipts) = (Vec::new(), Vec::new());
        for (template, document, size) in read {
            files.push((template.filename.clone(), document));
            receipts.push(upload::receipt(template, &name, size, full));
        }
        self.count(Work::Upload { store, files }).await?;
        for (receipt, file) in receipts.iter_mut().zip(upload.files) {
            // The document stands; a client that repeats the upload makes the contribution.
            match self.post(file.bytes, &receipt.filename).await {
                Ok(added) => receipt.cid = Some(added.cid.to_string()),
                Err(error) => tracing::warn!("{} is no contribution: {error}", receipt.filename),
            }
        }
        Ok(receipts)
    }
}

/// Changing everything has to be said: `[{}]`, or `{}`, and not by leaving the criteria out.
fn named_on_purpose(query: &Query) -> Result<(), Error> {
    if query.criteria.is_absent() {
        return Err(Error::Invalid(
            "criteria is missing (absent, null or []); name the documents, or send [{}] or {} to mean \
             all of them"
                .into(),
        ));
    }
    Ok(())
}
