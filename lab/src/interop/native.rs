//! A node of ours, as the cases see it: the real binary, driven over HTTP and nothing else.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::peer::{Content, InteropPeer, InteropStore, TypeOfStore, until};
use crate::client::{Names, NodeApi};
use crate::documents::document;
use crate::javascript::text;
use crate::process::{NodeProcess, Tail};

/// A node of ours.
pub(super) struct NativePeer {
    binary: PathBuf,
    repo: PathBuf,
    node: Option<NodeProcess>,
    names: Names,
    tail: Tail,
}

impl NativePeer {
    /// Starts the node.
    pub(super) fn spawn(binary: PathBuf, repo: PathBuf) -> Result<NativePeer> {
        let (node, names) = begin(&binary, &repo)?;
        let tail = node.tail().clone();
        Ok(NativePeer { binary, repo, node: Some(node), names, tail })
    }

    fn api(&self) -> Result<NodeApi> {
        let node = self.node.as_ref().context("the node was stopped")?;
        Ok(NodeApi::new(node.port()))
    }

    /// What is stored under `criteria`, as key and value.
    fn read(&self, store: &InteropStore, criteria: Value) -> Result<Content> {
        let arguments = json!({ "dstype": store.name, "criteria": [criteria] });
        let found = self.api()?.command("crudget", arguments)?;
        let Value::Array(documents) = found else { bail!("crudget answered no array") };
        documents.into_iter().map(|document| pair(store.kind, document)).collect()
    }
}

impl InteropPeer for NativePeer {
    fn address(&self) -> String {
        self.names.address.clone()
    }

    fn identity(&self) -> String {
        self.names.identity.clone()
    }

    fn dial(&mut self, address: &str) -> Result<()> {
        self.api()?.connect(address)
    }

    fn create(&mut self, name: &str, kind: TypeOfStore) -> Result<InteropStore> {
        let path = format!("stores/{name}");
        let made = self.api()?.demand("PUT", &path, &json!({ "type": kind.name() }))?;
        let address = text(&made["address"])?.to_owned();
        Ok(InteropStore { name: name.to_owned(), address, kind })
    }

    fn adopt(&mut self, store: &InteropStore) -> Result<()> {
        let path = format!("stores/{}", store.name);
        let made = self.api()?.demand("PUT", &path, &json!({ "address": store.address }))?;
        ensure!(made["address"] == store.address.as_str(), "adopted {made}");
        ensure!(made["type"] == store.kind.name(), "adopted {made}");
        Ok(())
    }

    fn put(&mut self, store: &InteropStore, key: &str, value: &Value) -> Result<()> {
        let document = match store.kind {
            TypeOfStore::Documents => value.clone(),
            TypeOfStore::Keyvalue => json!({ "_id": key, "value": value }),
            TypeOfStore::Events => json!({ "value": value }),
        };
        let arguments = json!({ "dstype": store.name, "criteria": [document] });
        self.api()?.command("crudput", arguments)?;
        Ok(())
    }

    fn put_many(&mut self, store: &InteropStore, prefix: &str, numbers: Range<u64>) -> Result<()> {
        for number in numbers {
            let mut value: Value = serde_json::from_str(&document(number, 0))?;
            let key = format!("{prefix}{number:08}");
            value["_id"] = json!(key);
            self.put(store, &key, &value)?;
        }
        Ok(())
    }

    fn delete(&mut self, store: &InteropStore, key: &str) -> Result<()> {
        let arguments = json!({ "dstype": store.name, "criteria": [{ "_id": key }] });
        self.api()?.command("cruddelete", arguments)?;
        Ok(())
    }

    fn get(&mut self, store: &InteropStore, key: &str) -> Result<Option<Value>> {
        Ok(self.read(store, json!({ "_id": key }))?.remove(key))
    }

    fn all(&mut self, store: &InteropStore) -> Result<Content> {
        self.read(store, json!({}))
    }

    fn heads(&mut self, store: &InteropStore) -> Result<BTreeSet<String>> {
        let mut line = self.api()?.store("address", &store.address)?;
        Ok(serde_json::from_value(line["heads"].take())?)
    }

    fn wait_count(&mut self, store: &InteropStore, count: u64) -> Result<()> {
        let mut last = 0;
        until(&format!("{count} values in {}", store.name), || {
            let line = self.api()?.store("address", &store.address)?;
            last = line["documents"].as_u64().context("no count")?;
            Ok(last >= count)
        })
        .with_context(|| format!("there are {last}"))?;
        // What the list counts is what a read must find.
        let found = self.all(store)?.len() as u64;
        ensure!(found >= count, "crudget finds {found} of {count} in {}", store.name);
        Ok(())
    }

    fn wait_value(&mut self, store: &InteropStore, key: &str, value: Option<&Value>) -> Result<()> {
        until(&format!("the value of {key}"), || Ok(self.get(store, key)?.as_ref() == value))
    }

    fn stop(&mut self, hard: bool) -> Result<()> {
        match self.node.take().context("the node was stopped")? {
            node if hard => node.kill(),
            node => node.stop(),
        }
    }

    fn start(&mut self) -> Result<()> {
        let (node, names) = begin(&self.binary, &self.repo)?;
        ensure!(names.identity == self.names.identity, "a restart changed the identity");
        self.tail = node.tail().clone();
        (self.node, self.names) = (Some(node), names);
        Ok(())
    }

    fn tail(&self) -> Tail {
        self.tail.clone()
    }
}

fn begin(binary: &Path, repo: &Path) -> Result<(NodeProcess, Names)> {
    let node = NodeProcess::start(binary, repo)?;
    let names = NodeApi::new(node.port()).names()?;
    Ok((node, names))
}

/// A document as HTTP shows it, taken apart into what OrbitDB calls key and value.
fn pair(kind: TypeOfStore, mut document: Value) -> Result<(String, Value)> {
    let key = text(&document["_id"])?.to_owned();
    let value = match kind {
        TypeOfStore::Documents => document,
        TypeOfStore::Keyvalue | TypeOfStore::Events => document["value"].take(),
    };
    Ok((key, value))
}
