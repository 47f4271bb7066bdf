//! Files of a node: added, found, posted, saved, pinned.

use super::Node;
use crate::clock::now_ms;
use crate::error::Error;
use crate::files::contributions::{CONTRIBUTIONS, Contributor, contribution, contributor_of};
use crate::files::{AddedCar, AddedFiles, CarAdd, FileAdd, FoundFile, off_task, save};
use crate::limits::{CONTRIBUTORS_ASKED_MAX, CONTRIBUTORS_MS_MAX, FILE_NAME_BYTES_MAX};
use crate::query::{Criteria, Query};
use bytes::Bytes;
use optimusdb_dag::Cid;
use optimusdb_dag::unixfs::Profile;
use optimusdb_storage::Pin;
use optimusdb_swarm::FileHolder;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

impl Node {
    /// Begins to add a file, or a tree of files. [`Node::contribute`] ends it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when too many are being added.
    pub fn add_files(&self, profile: Profile) -> Result<FileAdd, Error> {
        FileAdd::start(&self.inner.files, profile)
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
        let mut adding = self.add_files(Profile::default())?;
        adding.write(Bytes::from(bytes)).await?;
        self.contribute(adding, name.to_owned()).await
    }

    /// The contributions that are known here, oldest first in the order of their log: of each the
    /// hash of its entry and its value.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn contributions(&self, query: Query) -> Result<crate::documents::Documents, Error> {
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
        let deadline = tokio::time::Instant::now() + time;
        FoundFile::find(&self.inner.files, root, path, deadline).await
    }

    /// Saves what a path leads to under the download directory, and answers where.
    ///
    /// # Errors
    /// As [`Node::find_file`]; [`Error::Denied`] when the directory does not take it.
    pub async fn save_file(&self, root: Cid, path: &str, time: Duration) -> Result<PathBuf, Error> {
        let deadline = tokio::time::Instant::now() + time;
        save(&self.inner.files, root, path, deadline).await
    }

    /// What is pinned, oldest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn pins(&self) -> Result<Vec<Pin>, Error> {
        let blocks = self.inner.files.blocks();
        off_task(move || blocks.pins()).await
    }

    /// Keeps what is here below an address from being removed.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a longer name, or too many pins.
    pub async fn pin(&self, cid: Cid, name: String) -> Result<(), Error> {
        if name.len() > FILE_NAME_BYTES_MAX {
            return Err(Error::TooLarge(format!(
                "the name of a pin has {} bytes; {FILE_NAME_BYTES_MAX} are allowed",
                name.len()
            )));
        }
        let blocks = self.inner.files.blocks();
        let root = cid.clone();
        off_task(move || blocks.pin(&cid, &name, now_ms())).await?;
        self.inner.files.provide(root, true).await;
        Ok(())
    }

    /// Takes a pin away: what nothing else keeps is removed soon.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub async fn unpin(&self, cid: Cid) -> Result<(), Error> {
        let blocks = self.inner.files.blocks();
        let (pinned, what) = (cid.clone(), cid);
        if !off_task(move || blocks.unpin(&pinned)).await? {
            return Err(Error::NotFound(format!("{what} is not pinned")));
        }
        self.inner.files.provide(what, false).await;
        self.inner.files.unwanted();
        Ok(())
    }
}
