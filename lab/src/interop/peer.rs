//! What the cases ask of a peer, whichever implementation it is.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::Tail;

/// Longest that a case waits for something to arrive. Far above what it takes: a limit of speed is
/// the benchmark's business.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(60);
/// Between two looks at something that no event tells of.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypeOfStore {
    Documents,
    Events,
    Keyvalue,
}

impl TypeOfStore {
    /// The kind as manifests and interfaces name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            TypeOfStore::Documents => "documents",
            TypeOfStore::Events => "events",
            TypeOfStore::Keyvalue => "keyvalue",
        }
    }
}

/// A store that both sides know.
#[derive(Debug, Clone)]
pub(super) struct InteropStore {
    /// What it is called on our side.
    pub(super) name: String,
    /// Its OrbitDB address.
    pub(super) address: String,
    pub(super) kind: TypeOfStore,
}

/// What a store holds: values by `_id` or key, or by the hash of their entry where it holds events.
pub(super) type Content = BTreeMap<String, Value>;

/// A peer that a case is played with.
pub(super) trait InteropPeer {
    /// Where it is dialled: a multiaddress with its peer id.
    fn address(&self) -> String;
    /// The id of its identity, as write lists name it.
    fn identity(&self) -> String;
    fn dial(&mut self, address: &str) -> Result<()>;

    /// Makes a store that everybody may write to.
    fn create(&mut self, name: &str, kind: TypeOfStore) -> Result<InteropStore>;
    /// Opens the store of another peer by its address.
    fn adopt(&mut self, store: &InteropStore) -> Result<()>;

    /// Puts one value: a document under its `_id`, which is `key`; an event where the store is a log.
    fn put(&mut self, store: &InteropStore, key: &str, value: &Value) -> Result<()>;
    /// Puts generated documents, one write each, and returns their keys.
    fn put_many(&mut self, store: &InteropStore, prefix: &str, numbers: Range<u64>) -> Result<()>;
    fn delete(&mut self, store: &InteropStore, key: &str) -> Result<()>;
    fn get(&mut self, store: &InteropStore, key: &str) -> Result<Option<Value>>;
    fn all(&mut self, store: &InteropStore) -> Result<Content>;
    fn heads(&mut self, store: &InteropStore) -> Result<BTreeSet<String>>;

    /// Until the store holds `count` values or more.
    fn wait_count(&mut self, store: &InteropStore, count: u64) -> Result<()>;
    /// Until `key` has `value`, or is absent where that is `None`.
    fn wait_value(&mut self, store: &InteropStore, key: &str, value: Option<&Value>) -> Result<()>;

    /// Ends the process; where `hard`, without a warning.
    fn stop(&mut self, hard: bool) -> Result<()>;
    /// Starts it again on the same data, with the same stores. It need not be connected to anybody.
    fn start(&mut self) -> Result<()>;
    /// What the process said last.
    fn tail(&self) -> Tail;
}

/// Looks until `done` says so.
///
/// # Errors
/// When a look fails, or when it takes longer than [`WAIT_MAX`]; `what` says what was waited for.
pub(super) fn until(what: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !done()? {
        ensure!(began.elapsed() < WAIT_MAX, "not within {} s: {what}", WAIT_MAX.as_secs());
        sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// Waits until both peers have the same heads, and then wants the same content on both.
///
/// # Errors
/// When the heads stay different, or the content is.
pub(super) fn converge(
    one: &mut dyn InteropPeer,
    other: &mut dyn InteropPeer,
    store: &InteropStore,
) -> Result<Content> {
    let mut last = (BTreeSet::new(), BTreeSet::new());
    until("the same heads on both sides", || {
        last = (one.heads(store)?, other.heads(store)?);
        Ok(last.0 == last.1)
    })
    .with_context(|| format!("one side has {:?}, the other {:?}", last.0, last.1))?;
    let (a, b) = (one.all(store)?, other.all(store)?);
    for key in a.keys().chain(b.keys()) {
        ensure!(
            a.get(key) == b.get(key),
            "`{key}` is {} on one side and {} on the other, and the heads are the same",
            shown(a.get(key)),
            shown(b.get(key)),
        );
    }
    Ok(a)
}

/// A value in a message, cut where it is long.
pub(super) fn shown(value: Option<&Value>) -> String {
    const SHOWN_CHARS_MAX: usize = 200;
    let text = value.map_or_else(|| "absent".to_owned(), Value::to_string);
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}
