//! SQL over a node.

use super::Node;
use crate::error::Error;
use crate::limits::READ_MS_MAX;
use crate::sql::{SqlAnswer, SqlRender, SqlRequest};
use crate::writer::{Done, SqlDone, SqlWork, Work};
use optimusdb_storage::{SqlStatement, SqlTable};
use std::sync::Arc;
use std::time::{Duration, Instant};

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
        self.inner.sql.run(turn, statement, render, write).await
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
