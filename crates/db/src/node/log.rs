//! The logs of a node: events, blocks, the join with another replica; and what it said itself.

use super::{Inner, Node};
use crate::document;
use crate::error::Error;
use crate::logs::{self, LogRecord};
use crate::receive::{self, Joined};
use crate::writer::Work;
use optimusdb_dag::{Blocks, LogCid};
use serde_json::Value;
use std::sync::Arc;
use tokio::runtime::Handle;

impl Node {
    /// Adds an event to an event log.
    pub async fn append(&self, store: &str, event: Value) -> Result<(), Error> {
        let store = self.event_log(store)?;
        let event = document::check_added(document::to_ipld(event))?;
        self.count(Work::Put { store, documents: vec![event] }).await?;
        Ok(())
    }

    /// The newest events of an event log in its order, newest first, with the address of each.
    pub async fn events(
        &self,
        store: &str,
        limit: u64,
        skip: u64,
    ) -> Result<Vec<(LogCid, Value)>, Error> {
        let store = self.event_log(store)?;
        let events = self.read(move |view| view.events(&store, limit, skip)).await?;
        events
            .into_iter()
            .map(|(cid, json)| {
                let event = serde_json::from_str(&json)
                    .map_err(|e| Error::Corrupt(format!("event {cid}: {e}")))?;
                Ok((cid, event))
            })
            .collect()
    }

    /// The bytes of a block that this node holds: entry, identity, manifest or access controller.
    pub async fn block(&self, cid: LogCid) -> Result<Option<Vec<u8>>, Error> {
        self.read(move |view| view.block(&cid)).await
    }

    /// Joins the log of a store with another replica's, whose heads and blocks are given.
    ///
    /// What is complete and verified is stored; what is refused is answered, and stops nothing else.
    pub async fn join<B>(&self, store: &str, heads: Vec<LogCid>, source: B) -> Result<Joined, Error>
    where
        B: Blocks<Error: std::fmt::Display> + Send + 'static,
    {
        let store = self.store(store)?;
        let (inner, runtime) = (Arc::clone(&self.inner), Handle::current());
        tokio::task::spawn_blocking(move || {
            let Inner { writer, points, accesses, .. } = &*inner;
            receive::join(writer, points, accesses, &runtime, &store, &heads, &source)
        })
        .await
        .map_err(|e| Error::Internal(format!("joining: {e}")))?
    }

    /// The log records of one hour (UTC), newest first. `date` is `YYYY-MM-DD`.
    pub async fn log_records(&self, date: &str, hour: u8) -> Result<Vec<LogRecord>, Error> {
        let (place, date) = (self.inner.log_place.clone(), date.to_owned());
        tokio::task::spawn_blocking(move || logs::records_of_hour(&place, &date, hour))
            .await
            .map_err(|e| Error::Internal(format!("reading the log: {e}")))?
    }
}
