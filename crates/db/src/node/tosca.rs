//! TOSCA files of a node: what their templates ask for, and who has it.

use super::Node;
use crate::error::Error;
use crate::limits::{MATCH_STORES_MAX, READ_MS_MAX};
use crate::tosca::{self, SearchedStore, ToscaMatch, ToscaQuestion};
use optimusdb_dag::StoreKind;
use std::time::{Duration, Instant};

impl Node {
    /// Finds the nodes and capacities that are what the nodes of templates ask for.
    pub async fn match_tosca(&self, question: ToscaQuestion) -> Result<ToscaMatch, Error> {
        if question.stores.len() > MATCH_STORES_MAX {
            return Err(Error::TooLarge(format!(
                "{} stores in one match; {MATCH_STORES_MAX} are allowed (MATCH_STORES_MAX)",
                question.stores.len()
            )));
        }
        let mut stores: Vec<SearchedStore> = Vec::new();
        for name in &question.stores {
            let store = self.store(name)?;
            if store.kind != StoreKind::Documents {
                return Err(Error::Invalid(format!("store {name} holds no documents")));
            }
            if !stores.iter().any(|(known, _)| known == name) {
                stores.push((name.clone(), store));
            }
        }
        let time = question.time_budget_ms.map_or(READ_MS_MAX, |ms| ms.min(READ_MS_MAX));
        let deadline = Instant::now() + Duration::from_millis(time);
        let client = question.client;
        let read = move |view: optimusdb_storage::View<'_>| {
            tosca::answer(view, &question, &stores, deadline)
        };
        self.inner.scans.read(client, deadline, read).await
    }
}
