//! The JavaScript peer, as the cases see it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::peer::{Content, InteropPeer, InteropStore, TypeOfStore, WAIT_MAX};
use crate::javascript::{JavaScript, JsNode, PendingCommand, text};
use crate::process::Tail;

/// How a database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// As any peer does.
    Synced,
    /// Without telling a peer: what is written stays here until it is opened as `Synced`.
    Alone,
    /// As a peer that appends whatever the write list says.
    Lawless,
}

/// A JavaScript OrbitDB node.
pub(super) struct Foreign {
    javascript: Rc<JavaScript>,
    id: String,
    repo: PathBuf,
    node: Option<JsNode>,
    tail: Tail,
    /// What is open, by address: a restart opens it again.
    open: BTreeMap<String, InteropStore>,
}

impl Foreign {
    /// Starts a peer; it is up when [`Foreign::up`] returns.
    pub(super) fn spawn(javascript: &Rc<JavaScript>, id: &str, repo: PathBuf) -> Result<Foreign> {
        let node = javascript.start(id, &repo)?;
        let tail = node.tail().clone();
        let javascript = Rc::clone(javascript);
        let (id, open) = (id.to_owned(), BTreeMap::new());
        Ok(Foreign { javascript, id, repo, node: Some(node), tail, open })
    }

    /// Waits until the peer is up.
    pub(super) fn up(&mut self) -> Result<()> {
        self.node()?.up()
    }

    /// The driver of the process.
    pub(super) fn node(&mut self) -> Result<&mut JsNode> {
        self.node.as_mut().context("the JavaScript peer was stopped")
    }

    /// Opens `store`, which is not open, in the given mode.
    pub(super) fn open(&mut self, store: &InteropStore, mode: Mode) -> Result<()> {
        self.node()?.call(
            "open",
            json!({
                "address": store.address,
                "sync": mode != Mode::Alone,
                "lawless": mode == Mode::Lawless,
            }),
        )?;
        self.open.insert(store.address.clone(), store.clone());
        Ok(())
    }

    /// Closes `store`: peers hear that this one left it.
    pub(super) fn close(&mut self, store: &InteropStore) -> Result<()> {
        self.node()?.call("close", json!({ "db": store.address }))?;
        self.open.remove(&store.address);
        Ok(())
    }

    /// Makes a store with a write list of its own, of the `ipfs` or the `orbitdb` kind of access.
    pub(super) fn create_with(
        &mut self,
        name: &str,
        kind: TypeOfStore,
        access: &str,
        write: Option<&[&str]>,
    ) -> Result<InteropStore> {
        let arguments =
            json!({ "name": name, "type": kind.name(), "access": access, "write": write });
        let made = self.node()?.call("open", without_nulls(arguments))?;
        let address = text(&made["address"])?.to_owned();
        let store = InteropStore { name: name.to_owned(), address, kind };
        self.open.insert(store.address.clone(), store.clone());
        Ok(store)
    }

    /// Waits until `count` peers follow `store` and heads were exchanged with as many.
    pub(super) fn wait_peers(&mut self, store: &InteropStore, count: usize) -> Result<()> {
        self.node()?.call("waitPeers", json!({ "db": store.address, "n": count }))?;
        Ok(())
    }

    /// Begins to put generated documents, one after the other.
    pub(super) fn begin_put_many(
        &mut self,
        store: &InteropStore,
        prefix: &str,
        numbers: Range<u64>,
    ) -> Result<PendingCommand> {
        let arguments = json!({
            "db": store.address,
            "from": numbers.start,
            "n": numbers.end - numbers.start,
            "prefix": prefix,
        });
        self.node()?.begin("putMany", arguments)
    }

    /// Waits for a command that was begun.
    pub(super) fn finish(&mut self, pending: PendingCommand) -> Result<()> {
        self.node()?.finish(pending)?;
        Ok(())
    }

    /// Adds `count` heads to the log, written by as many identities of their own.
    pub(super) fn branch(&mut self, store: &InteropStore, count: usize) -> Result<()> {
        self.node()?.call("branch", json!({ "db": store.address, "n": count }))?;
        Ok(())
    }

    /// Gives `identity` the right to write to `store`, or takes it.
    pub(super) fn allow(
        &mut self,
        store: &InteropStore,
        identity: &str,
        allowed: bool,
    ) -> Result<()> {
        let command = if allowed { "grant" } else { "revoke" };
        self.node()?.call(command, json!({ "db": store.address, "identity": identity }))?;
        Ok(())
    }

    /// Waits until this peer knows of a right to write, or of its end.
    pub(super) fn wait_allowed(
        &mut self,
        store: &InteropStore,
        identity: &str,
        allowed: bool,
    ) -> Result<()> {
        self.node()?.call(
            "waitAccess",
            json!({ "db": store.address, "identity": identity, "held": allowed }),
        )?;
        Ok(())
    }
}

impl InteropPeer for Foreign {
    fn address(&self) -> String {
        self.node.as_ref().map(|node| node.address().to_owned()).unwrap_or_default()
    }

    fn identity(&self) -> String {
        self.node.as_ref().map(|node| node.identity().to_owned()).unwrap_or_default()
    }

    fn dial(&mut self, address: &str) -> Result<()> {
        self.node()?.call("dial", json!({ "addr": address }))?;
        Ok(())
    }

    fn create(&mut self, name: &str, kind: TypeOfStore) -> Result<InteropStore> {
        self.create_with(name, kind, "ipfs", Some(&["*"]))
    }

    fn adopt(&mut self, store: &InteropStore) -> Result<()> {
        self.open(store, Mode::Synced)
    }

    fn put(&mut self, store: &InteropStore, key: &str, value: &Value) -> Result<()> {
        let arguments = json!({ "db": store.address, "key": key, "value": value });
        let command = if store.kind == TypeOfStore::Events { "add" } else { "put" };
        self.node()?.call(command, arguments)?;
        Ok(())
    }

    fn put_many(&mut self, store: &InteropStore, prefix: &str, numbers: Range<u64>) -> Result<()> {
        let pending = self.begin_put_many(store, prefix, numbers)?;
        self.finish(pending)
    }

    fn delete(&mut self, store: &InteropStore, key: &str) -> Result<()> {
        self.node()?.call("del", json!({ "db": store.address, "key": key }))?;
        Ok(())
    }

    fn get(&mut self, store: &InteropStore, key: &str) -> Result<Option<Value>> {
        let mut answer = self.node()?.call("get", json!({ "db": store.address, "key": key }))?;
        Ok(Some(answer["value"].take()).filter(|value| !value.is_null()))
    }

    fn all(&mut self, store: &InteropStore) -> Result<Content> {
        let mut answer = self.node()?.call("all", json!({ "db": store.address }))?;
        let pairs: Vec<(String, Value)> = serde_json::from_value(answer["all"].take())?;
        Ok(pairs.into_iter().collect())
    }

    fn heads(&mut self, store: &InteropStore) -> Result<BTreeSet<String>> {
        let mut answer = self.node()?.call("heads", json!({ "db": store.address }))?;
        Ok(serde_json::from_value(answer["heads"].take())?)
    }

    fn wait_count(&mut self, store: &InteropStore, count: u64) -> Result<()> {
        let timeout = WAIT_MAX.as_millis() as u64;
        self.node()?
            .call("waitCount", json!({ "db": store.address, "n": count, "timeoutMs": timeout }))?;
        Ok(())
    }

    fn wait_value(&mut self, store: &InteropStore, key: &str, value: Option<&Value>) -> Result<()> {
        let timeout = WAIT_MAX.as_millis() as u64;
        self.node()?.call(
            "waitKey",
            json!({ "db": store.address, "key": key, "value": value, "timeoutMs": timeout }),
        )?;
        Ok(())
    }

    fn stop(&mut self, hard: bool) -> Result<()> {
        match self.node.take().context("the JavaScript peer was stopped")? {
            node if hard => drop(node),
            node => node.stop()?,
        }
        Ok(())
    }

    fn start(&mut self) -> Result<()> {
        let mut node = self.javascript.start(&self.id, &self.repo)?;
        node.up()?;
        self.tail = node.tail().clone();
        self.node = Some(node);
        let stores: Vec<InteropStore> = self.open.values().cloned().collect();
        stores.iter().try_for_each(|store| self.open(store, Mode::Synced))
    }

    fn tail(&self) -> Tail {
        self.tail.clone()
    }
}

/// The object without the keys that have no value.
fn without_nulls(mut object: Value) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    object
}
