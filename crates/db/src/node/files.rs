//! Files of a node: added, found, posted, saved, pinned.

use super::Node;
use crate::clock::{now_ms, timestamp};
use crate::error::Error;
use crate::files::contributions::{CONTRIBUTIONS, Contributor, contribution, contributor_of};
use crate::files::{AddedCar, AddedFiles, CarAdd, FileAdd, FoundFile, Located, Reach};
use crate::limits::{CONTRIBUTORS_ASKED_MAX, CONTRIBUTORS_MS_MAX};
use crate::query::{Criteria, Query};
use bytes::Bytes;
use optimusdb_dag::unixfs::Profile;
use optimusdb_dag::{Cid, LogCid};
use optimusdb_swarm::FileHolder;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

impl Node {
    /// Begins to add a file, or a tree of files, cut as the node's own profile says if none is given.
    /// [`Node::contribute`] ends it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when too many are being added.
    pub fn add_files(&self, profile: Option<Profile>) -> Result<FileAdd, Error> {
        let files = &self.inner.files;
        FileAdd::start(files, profile.unwrap_or(files.profile))
    }

    /// Begins to add the blocks of a CAR.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when too many are being added.
    pub fn add_car(&self) -> Result<CarAdd, Error> {
        CarAdd::start(&self.inner.files)
    }

    /// Ends the add of a CAR: its blocks are on the disk, and its roots pinned.
    ///
    /// # Errors
    /// What is wrong with it; nothing of it is left then.
    pub async fn finish_car(&self, adding: CarAdd) -> Result<AddedCar, Error> {
        adding.finish(now_ms()).await
    }

    /// Ends an add: its file is on the disk, pinned under `name`, and a contribution to the swarm.
    ///
    /// # Errors
    /// What went wrong with the file, or with the entry of the contribution: the file stays then.
    pub async fn contribute(&self, adding: FileAdd, name: String) -> Result<AddedFiles, Error> {
        let now = now_ms();
        let added = adding.finish(name.clone(), now).await?;
        let contributor = Contributor {
            agent_name: self.inner.files.agent_name.clone(),
            peer_id: self.inner.id.peer_id.clone(),
            addrs: self.addrs(),
        };
        let event = contribution(&contributor, &added, &name, now);
        self.put(CONTRIBUTIONS, vec![json!({"value": event})]).await?;
        Ok(added)
    }

    /// Adds a file that is at hand whole, as a contribution.
    ///
    /// # Errors
    /// As [`Node::contribute`].
    pub async fn post(&self, bytes: Vec<u8>, name: &str) -> Result<AddedFiles, Error> {
        let mut adding = self.add_files(None)?;
        adding.write(Bytes::from(bytes)).await?;
        self.contribute(adding, name.to_owned()).await
    }

    /// The contributions that are known here, oldest first in the order of their log: of each the
    /// hash of its entry and its value. With `since` only those behind an entry of that log, by its hash,
    /// or those that were made at a time or later.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an entry that is not in the log; [`Error::Invalid`] for what is neither, and for
    /// an entry with a `sort`; when they cannot be read.
    pub async fn contributions(
        &self,
        mut query: Query,
        since: Option<&str>,
    ) -> Result<crate::documents::Documents, Error> {
        if let Some(since) = since {
            if let Ok(at) = since.parse::<jiff::Timestamp>() {
                let at = timestamp(at.as_millisecond());
                let later = Criteria::parse(&json!({"value.creationTS": {"$gte": at}}))?;
                query.criteria = query.criteria.and(later);
            } else {
                query.after = Some(entry_in(since)?);
                if !query.sort.is_empty() {
                    return Err(Error::Invalid(
                        "option since names an entry, and so has the order of the log: leave out sort".into(),
                    ));
                }
            }
        }
        self.find(CONTRIBUTIONS, query).await
    }

    /// Who contributed a root, as far as this node knows: those who are said to have it.
    pub(super) async fn holders(&self, root: &Cid) -> Result<Vec<FileHolder>, Error> {
        let path = json!({"value.path": format!("/ipfs/{root}")});
        let query = Query {
            criteria: Criteria::parse(&path)?,
            limit: Some(CONTRIBUTORS_ASKED_MAX),
            time_budget_ms: Some(CONTRIBUTORS_MS_MAX),
            ..Query::default()
        };
        let mut found = self.find(CONTRIBUTIONS, query).await?;
        let mut text = String::from("[");
        while let Some(chunk) = found.next().await {
            text.push_str(&chunk?);
        }
        text.push(']');
        let events: Vec<Value> = serde_json::from_str(&text)
            .map_err(|e| Error::Internal(format!("contributions: {e}")))?;
        Ok(events.iter().filter_map(|event| contributor_of(&event["value"])).collect())
    }

    /// Whether a block of files is here.
    ///
    /// # Errors
    /// When the disk does not say.
    pub async fn has_block(&self, cid: &Cid) -> Result<bool, Error> {
        self.inner.files.has(cid).await
    }

    /// What a path below a root leads to. Blocks that are not here are fetched, within `time`.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a name that a directory does not have, [`Error::TimedOut`] for a block
    /// that could not be had, [`Error::NotBuilt`] for what holds no files, and what is wrong with it.
    pub async fn find_file(
        &self,
        root: Cid,
        path: &str,
        time: Duration,
    ) -> Result<FoundFile, Error> {
        self.locate(root, path, Reach::Peers, time).await?.into_file()
    }

    /// What a path below a root leads to, whatever it is, and from where it may be taken. Through
    /// blocks of dag-cbor and dag-json a path leads along links.
    ///
    /// # Errors
    /// As [`Node::find_file`]; [`Error::NotBuilt`] for a path that ends inside such a block.
    pub async fn locate(
        &self,
        root: Cid,
        path: &str,
        reach: Reach,
        time: Duration,
    ) -> Result<Located, Error> {
        let deadline = tokio::time::Instant::now() + time;
        Located::find(&self.inner.files, root, path, reach, deadline).await
    }

    /// Saves what a path leads to under the download directory, and answers where. What takes longer than
    /// `time` goes on, and is among [`Node::transfers`].
    ///
    /// # Errors
    /// As [`Node::find_file`]; [`Error::Denied`] when the directory does not take it; [`Error::TimedOut`] when it
    /// goes on.
    pub async fn save_file(&self, root: Cid, path: &str, time: Duration) -> Result<PathBuf, Error> {
        self.inner.files.save(root, path, time).await
    }
}

/// The entry of a log that a text names.
fn entry_in(text: &str) -> Result<LogCid, Error> {
    let cid: Option<Cid> = text.parse().ok();
    cid.and_then(|cid| LogCid::try_from(&cid).ok()).ok_or_else(|| {
        let shown: String = text.chars().take(80).collect();
        Error::Invalid(format!(
            "option since must be the hash of an entry (zdpu…) or a time such as 2026-01-31T12:00:00Z, not {shown:?}"
        ))
    })
}
