//! Documents of a node: put, found, updated, deleted, uploaded.

use super::Node;
use crate::document;
use crate::documents::Documents;
use crate::dollar;
use crate::error::Error;
use crate::found::{CaughtUp, FoundKeys};
use crate::limits::{
    CATCH_UP_ENTRIES_MAX, CATCH_UPS_MAX, CHANGE_TRIES_MAX, MATCH_AGAIN_ENTRIES_MAX, POINT_IDS_MAX,
    READ_MS_MAX, UPLOAD_FILES_MAX, WRITE_DOCUMENTS_MAX, WRITE_MS_MAX,
};
use crate::query::Query;
use crate::reading;
use crate::stores::DEFAULT_STORE;
use crate::upload::{self, ToscaReceipt, ToscaUpload};
use crate::writer::{Choice, Done, Work};
use optimusdb_dag::StoreKind;
use optimusdb_storage::{Scope, StoreRef};
use serde_json::{Map, Value};
use std::ops::ControlFlow;
use std::sync::Arc;
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
        let (name, query) = (store, query.into());
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
        let fields = Arc::new(document::to_ipld_map(fields));
        self.change(store, query, move |choice| {
            let fields = Arc::clone(&fields);
            Work::Update { store, choice, fields }
        })
        .await
    }

    /// Deletes every document that the query asks for. Without `sort`, `limit` and `skip` count in the
    /// order of the `_id`s.
    pub async fn delete(&self, store: &str, query: impl Into<Query>) -> Result<usize, Error> {
        let (store, query) = (self.changeable_store(store)?, query.into());
        named_on_purpose(&query)?;
        self.change(store, query, move |choice| Work::Delete { store, choice }).await
    }

    /// Finds what a query asks for beside the writer, and has the writer change it.
    async fn change(
        &self,
        store: StoreRef,
        query: Query,
        work: impl Fn(Choice) -> Work,
    ) -> Result<usize, Error> {
        let deadline = Instant::now() + Duration::from_millis(WRITE_MS_MAX);
        let query = Arc::new(query);
        let ids = query.criteria.by_id().map_or(usize::MAX, |ids| ids.len());
        let few = ids <= POINT_IDS_MAX && query.sort.is_empty();
        for _ in 0..CHANGE_TRIES_MAX {
            let found = match few {
                true => None,
                false => Some(self.look(store, &query, deadline).await?),
            };
            let choice = Choice { query: Arc::clone(&query), found };
            match self.write_until(work(choice), deadline).await? {
                Done::Count(count) => return Ok(count),
                Done::Outdated => {}
                Done::Store(_) | Done::Sql(_) => {
                    return Err(Error::Internal("the writer answered something else".into()));
                }
            }
        }
        Err(Error::Unavailable(
            "others wrote so much to the store that what is to be changed was not settled; try again"
                .into(),
        ))
    }

    /// Looks at a store, and then at what was written meanwhile, until that is little.
    async fn look(
        &self,
        store: StoreRef,
        query: &Arc<Query>,
        deadline: Instant,
    ) -> Result<FoundKeys, Error> {
        let (scans, client) = (&self.inner.scans, query.client);
        let asked = Arc::clone(query);
        let mut found = scans
            .read(client, deadline, move |view| {
                FoundKeys::look(view, &store, &asked, WRITE_DOCUMENTS_MAX, deadline)
            })
            .await?;
        for _ in 0..CATCH_UPS_MAX {
            let asked = Arc::clone(query);
            let (level, caught_up) = scans
                .read(client, deadline, move |view| {
                    let most = CATCH_UP_ENTRIES_MAX;
                    let level = found.catch_up(view, &store, &asked, most, deadline)?;
                    Ok((level, found))
                })
                .await?;
            found = caught_up;
            match level {
                CaughtUp::Level(changed) if changed > MATCH_AGAIN_ENTRIES_MAX / 4 => {}
                // What is outdated is looked at again by the writer, if that is soon done.
                CaughtUp::Level(_) | CaughtUp::Outdated => break,
            }
        }
        Ok(found)
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
