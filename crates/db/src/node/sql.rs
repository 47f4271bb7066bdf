//! SQL over a node.

use super::Node;
use crate::error::Error;
use crate::limits::{PEERS_ASKED_MAX, PEERS_ASKED_MS, READ_MS_MAX};
use crate::sql::{PeerAnswer, PeerRows, SqlAnswer, SqlQuestion, SqlRender, SqlRequest};
use crate::writer::{Done, SqlDone, SqlWork, Work};
use optimusdb_storage::{SqlStatement, SqlTable};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

impl Node {
    /// Carries out one statement of SQL. Its answer is rendered by `render`, as it comes.
    ///
    /// # Errors
    /// [`Error::Invalid`] with what SQLite says of a statement that cannot be carried out as it
    /// stands; [`Error::TimedOut`] where it does not end in time.
    pub async fn sql(
        &self,
        request: SqlRequest,
        render: Box<dyn SqlRender>,
    ) -> Result<SqlAnswer, Error> {
        let time = request.time_budget_ms.map_or(READ_MS_MAX, |ms| ms.min(READ_MS_MAX));
        let deadline = Instant::now() + Duration::from_millis(time);
        let turn = self.inner.sql.place(request.client, deadline).await?;
        let peers = serde_json::to_string(&self.peers())
            .map_err(|e| Error::Internal(format!("the peers as JSON: {e}")))?;
        let statement = SqlStatement {
            sql: request.sql,
            params: request.params,
            deadline,
            rows_max: request.rows_max.unwrap_or(u64::MAX),
            peers,
            is_gone: Arc::new(|| false),
        };
        let node = self.clone();
        let write = async move |name: String, work: SqlWork| node.write_sql(&name, work).await;
        let node = self.clone();
        let asked_until = match request.time_budget_ms {
            Some(_) => deadline,
            None => Instant::now() + Duration::from_millis(PEERS_ASKED_MS),
        };
        let ask = async move |statement: Arc<SqlStatement>, columns: usize| {
            if !request.ask_peers.unwrap_or_else(|| !node.behind().is_empty()) {
                return None;
            }
            node.ask_peers(&statement, columns, asked_until.min(deadline)).await
        };
        self.inner.sql.run(turn, statement, render, write, ask).await
    }

    /// Asks peers a statement that has no row here: the first answer with rows, if one comes in time. A
    /// statement that reads what is this node's own leaves it for nobody.
    async fn ask_peers(
        &self,
        statement: &Arc<SqlStatement>,
        columns: usize,
        until: Instant,
    ) -> Option<PeerAnswer> {
        let replication = self.inner.replication.get()?;
        let swarm = replication.swarm();
        let peers = swarm.sql_peers();
        if peers.is_empty() {
            return None;
        }
        let _asking = self.inner.peer_sql.may_ask()?;
        let (gate, checked) = (self.inner.peer_sql.clone(), Arc::clone(statement));
        let stores = replication.shared_ids();
        let checking = tokio::task::spawn_blocking(move || gate.could_run(&checked, stores));
        if !checking.await.unwrap_or(false) {
            return None;
        }
        let left = until.saturating_duration_since(Instant::now()).as_millis();
        let question = SqlQuestion {
            budget_ms: u32::try_from(left).unwrap_or(u32::MAX),
            rows_max: u32::try_from(statement.rows_max).unwrap_or(u32::MAX),
            sql: statement.sql.clone(),
            params: statement.params.clone(),
        };
        let question = Arc::new(question.encode());
        let mut asking = JoinSet::new();
        for peer in peers.into_iter().take(PEERS_ASKED_MAX) {
            let (swarm, question) = (swarm.clone(), Arc::clone(&question));
            asking.spawn(async move { (peer, swarm.ask_sql(peer, &question).await) });
        }
        while let Ok(Some(answered)) =
            tokio::time::timeout_at(until.into(), asking.join_next()).await
        {
            let Ok((peer, Ok(bytes))) = answered else { continue };
            match PeerRows::decode(&bytes) {
                Ok(Some(mut rows)) if rows.columns == columns && !rows.rows.is_empty() => {
                    let most = usize::try_from(statement.rows_max).unwrap_or(usize::MAX);
                    rows.more |= rows.rows.len() > most;
                    rows.rows.truncate(most);
                    return Some(PeerAnswer { peer: peer.to_string(), rows });
                }
                Ok(_) => {}
                Err(why) => tracing::debug!("{peer} sent what are no rows: {why}"),
            }
        }
        None
    }

    async fn write_sql(&self, name: &str, sql: SqlWork) -> Result<SqlDone, Error> {
        let store = self.changeable_store(name)?;
        match self.write(Work::Sql { store, sql }).await? {
            Done::Sql(done) => Ok(done),
            Done::Count(_) | Done::Store(_) | Done::Outdated => {
                Err(Error::Internal("the writer answered something else".into()))
            }
        }
    }

    /// The tables that statements see.
    pub async fn sql_tables(&self) -> Result<Vec<SqlTable>, Error> {
        self.inner.sql.tables().await
    }
}
