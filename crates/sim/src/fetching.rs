//! Fetching a block: the candidates are asked first, then all other peers; then it counts as missing.
//! The caller checks what comes against its hash.

use std::collections::{BTreeMap, BTreeSet};

use optimusdb_dag::LogCid;

use crate::context::{Context, NodeId};
use crate::message::Message;

/// How long the candidates have, and how long all others have after them.
const WAIT_MS: u64 = 2_000;

#[derive(Debug, Default)]
pub(crate) struct Fetches {
    open: BTreeMap<LogCid, Fetch>,
}

#[derive(Debug)]
struct Fetch {
    asked: BTreeSet<NodeId>,
    without: BTreeSet<NodeId>,
    everybody: bool,
    until_ms: u64,
}

impl Fetches {
    pub(crate) fn begin(&mut self, context: &mut Context<'_>, cid: LogCid, from: &[NodeId]) {
        let asked: BTreeSet<NodeId> =
            from.iter().copied().filter(|id| context.is_connected(*id)).collect();
        for id in &asked {
            context.send(*id, Message::Want { cid });
        }
        let until_ms = context.now + if asked.is_empty() { 0 } else { WAIT_MS };
        let fetch = Fetch { asked, without: BTreeSet::new(), everybody: false, until_ms };
        self.open.insert(cid, fetch);
    }

    /// A block has come; false if it was not asked for.
    pub(crate) fn has_come(&mut self, cid: &LogCid) -> bool {
        self.open.remove(cid).is_some()
    }

    pub(crate) fn not_there(&mut self, now: u64, cid: &LogCid, peer: NodeId) {
        if let Some(fetch) = self.open.get_mut(cid) {
            fetch.without.insert(peer);
            if fetch.without.is_superset(&fetch.asked) {
                fetch.until_ms = now;
            }
        }
    }

    pub(crate) fn due_ms(&self) -> Option<u64> {
        self.open.values().map(|fetch| fetch.until_ms).min()
    }

    /// Asks on where the time is over, and gives the blocks that nobody has.
    pub(crate) fn tick(&mut self, context: &mut Context<'_>) -> Vec<LogCid> {
        let mut missing = Vec::new();
        for (cid, fetch) in &mut self.open {
            if fetch.until_ms > context.now {
                continue;
            }
            let others: Vec<NodeId> = context.neighbours.iter().map(|(id, _)| *id).collect();
            let others: Vec<NodeId> =
                others.into_iter().filter(|id| !fetch.asked.contains(id)).collect();
            if fetch.everybody || others.is_empty() {
                missing.push(*cid);
                continue;
            }
            for id in others {
                context.send(id, Message::Want { cid: *cid });
                fetch.asked.insert(id);
            }
            (fetch.everybody, fetch.until_ms) = (true, context.now + WAIT_MS);
        }
        missing.iter().for_each(|cid| {
            self.open.remove(cid);
        });
        missing
    }
}
