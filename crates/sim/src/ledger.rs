//! What really happened, as nobody in the run knows it: who wrote what, what was
//! acknowledged, what is forged. And what was found to be wrong.

use std::collections::{BTreeMap, HashSet};

use optimusdb_dag::LogCid;

use crate::message::Kind;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Entries that break a rule, or that have an ancestor which does not exist. No node may store one.
    pub(crate) forged: HashSet<LogCid>,
    /// Entries that break no rule.
    pub(crate) honest: HashSet<LogCid>,
    /// Nodes of this project that keep to the rules.
    pub(crate) honest_natives: HashSet<usize>,
    /// Entries whose writers were told that they are safe.
    pub(crate) acked: Vec<LogCid>,
    /// Messages that honest nodes sent.
    pub(crate) sent: BTreeMap<Kind, u64>,
    pub(crate) bytes_sent: u64,
    /// Connections made.
    pub(crate) connections: u64,
    pub(crate) accepted: u64,
    pub(crate) ignored: u64,
    pub(crate) rejected: u64,
    pub(crate) blames: u64,
    pub(crate) crashes: u64,
    pub(crate) failed_stores: u64,
    pub(crate) passed: u64,
    pub(crate) restored: u64,
    /// The first thing that must not happen.
    failure: Option<String>,
}

impl Ledger {
    /// Something must not happen and did.
    pub(crate) fn fail(&mut self, what: impl Into<String>) {
        self.failure.get_or_insert_with(|| what.into());
    }

    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    pub(crate) fn sent_of(&self, kind: Kind) -> u64 {
        self.sent.get(&kind).copied().unwrap_or(0)
    }
}
