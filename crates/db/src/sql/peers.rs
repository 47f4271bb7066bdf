//! What peers may ask of this node in SQL: statements that read what is replicated, one at a time and for a
//! short time.

use super::wire::{AnswerWriter, SqlQuestion};
use crate::limits::{PEER_QUESTIONS_MAX, PEER_STATEMENT_MS_MAX, PEER_STATEMENTS_MAX};
use optimusdb_storage::{PeerDoor, SqlPlaces, SqlStatement, StoreId};
use optimusdb_swarm::limits::SQL_REPLY_BYTES_MAX;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The door for peers with its bound. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct PeerGate {
    door: Arc<PeerDoor>,
    turns: Arc<Semaphore>,
    questions: Arc<Semaphore>,
}

impl PeerGate {
    pub(crate) fn new(places: SqlPlaces) -> PeerGate {
        let door = Arc::new(PeerDoor::new(places, PEER_STATEMENTS_MAX));
        let turns = Arc::new(Semaphore::new(PEER_STATEMENTS_MAX));
        PeerGate { door, turns, questions: Arc::new(Semaphore::new(PEER_QUESTIONS_MAX)) }
    }

    /// Answers a peer, who may see `stores`. Whatever fails is an answer without rows.
    pub(crate) async fn answer(&self, question: &[u8], stores: BTreeSet<StoreId>) -> Vec<u8> {
        let asked = match SqlQuestion::decode(question) {
            Ok(asked) => asked,
            Err(why) => {
                tracing::debug!("a peer asked what is no statement: {why}");
                return Vec::new();
            }
        };
        let time = PEER_STATEMENT_MS_MAX.min(asked.budget_ms.into());
        let deadline = Instant::now() + Duration::from_millis(time);
        let turn = Arc::clone(&self.turns).acquire_owned();
        let Ok(Ok(turn)) = tokio::time::timeout_at(deadline.into(), turn).await else {
            return Vec::new();
        };
        let door = Arc::clone(&self.door);
        let reading = tokio::task::spawn_blocking(move || {
            let statement = SqlStatement {
                sql: asked.sql,
                params: asked.params,
                deadline,
                rows_max: asked.rows_max.into(),
                peers: "[]".into(),
                is_gone: Arc::new(|| false),
            };
            let mut writer = AnswerWriter::new(SQL_REPLY_BYTES_MAX);
            let read = door.read(&statement, stores, &mut writer);
            drop(turn);
            match read {
                Ok(more) => writer.finish(more),
                Err(_) if writer.is_full() => writer.finish(true),
                Err(error) => {
                    tracing::debug!("a statement of a peer was not answered: {error}");
                    Vec::new()
                }
            }
        });
        reading.await.unwrap_or_default()
    }

    /// The right to ask peers, unless too many are being asked already.
    pub(crate) fn may_ask(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.questions).try_acquire_owned().ok()
    }

    /// Whether peers could run a statement: it only reads, and nothing that is this node's own. It is not
    /// run, and takes no more time than SQLite needs to prepare it.
    pub(crate) fn could_run(&self, statement: &SqlStatement, stores: BTreeSet<StoreId>) -> bool {
        self.door.could_run(statement, stores)
    }
}
