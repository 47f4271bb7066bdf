//! Heads whose ancestors are not all here: who has them, and when to try again.
//!
//! Only heads are kept, never their ancestors, and no peer may fill all the room.

use std::collections::BTreeMap;

use super::Peer;
use super::jitter::Jitter;
use crate::LogCid;
use crate::limits::{
    AWAITED_LINKS_OF_PEER_MAX, HEAD_ATTEMPTS_MAX, HEAD_RETRY_MS, HEAD_RETRY_MS_MAX,
    HEAD_SOURCES_MAX, HEADS_WANTED_MAX, HEADS_WANTED_OF_PEER_MAX,
};

/// A head that is not here yet.
#[derive(Debug)]
pub(super) struct WantedHead {
    /// Peers that showed it, the first one first.
    from: Vec<Peer>,
    /// How often it failed.
    attempts: u32,
    /// Ancestors that the join has waited for because of it, in this attempt.
    links: usize,
    /// About how many of them have not come.
    lacking: usize,
    /// Whether the first of them showed it among its own heads, and did not pass it on.
    is_shown: bool,
    /// When it is tried next; `None` while the join works on it.
    at_ms: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct WantedHeads {
    by_cid: BTreeMap<LogCid, WantedHead>,
}

impl WantedHeads {
    pub(super) fn len(&self) -> usize {
        self.by_cid.len()
    }

    /// Keeps a head that a peer has; false if there is no room. It is tried at the
    /// given time; if there is none, the join works on it already. A head that is
    /// kept already keeps its time.
    pub(super) fn insert(&mut self, cid: LogCid, peer: Peer, at_ms: Option<u64>) -> bool {
        if let Some(head) = self.by_cid.get_mut(&cid) {
            if head.from.len() < HEAD_SOURCES_MAX && !head.from.contains(&peer) {
                head.from.push(peer);
            }
            return true;
        }
        let of_peer = self.by_cid.values().filter(|head| head.from.first() == Some(&peer));
        let (heads, links) =
            of_peer.fold((0, 0), |(heads, links), head| (heads + 1, links + head.links));
        if self.by_cid.len() >= HEADS_WANTED_MAX
            || heads >= HEADS_WANTED_OF_PEER_MAX
            || links >= AWAITED_LINKS_OF_PEER_MAX
        {
            return false;
        }
        self.by_cid.insert(
            cid,
            WantedHead {
                from: vec![peer],
                attempts: 0,
                links: 0,
                lacking: 0,
                is_shown: false,
                at_ms,
            },
        );
        true
    }

    /// A peer shows this head among its own. Who only passed it on before answers for nothing.
    pub(super) fn is_shown(&mut self, cid: &LogCid, peer: Peer) {
        if let Some(head) = self.by_cid.get_mut(cid) {
            head.is_shown |= head.from.first() == Some(&peer);
        }
    }

    /// Who showed this head among its own, if somebody did, and how many ancestors of it have not come.
    pub(super) fn shown_by(&self, cid: &LogCid) -> Option<(Peer, usize)> {
        let head = self.by_cid.get(cid).filter(|head| head.is_shown)?;
        Some((*head.from.first()?, head.lacking.max(1)))
    }

    /// A block has come, or the head itself, and the join waits for so many more ancestors of the head.
    pub(super) fn awaits(&mut self, cid: &LogCid, more: isize) {
        if let Some(head) = self.by_cid.get_mut(cid) {
            head.links = head.links.saturating_add_signed(more.max(0));
            // What becomes ready with a block is no ancestor that came.
            head.lacking = head.lacking.saturating_add_signed(more.max(-1));
        }
    }

    pub(super) fn remove(&mut self, cid: &LogCid) -> bool {
        self.by_cid.remove(cid).is_some()
    }

    /// The head could not be had: it is tried again later, and in the end
    /// forgotten. False if it is no head.
    pub(super) fn failed(&mut self, now: u64, cid: &LogCid, jitter: &mut Jitter) -> bool {
        let Some(head) = self.by_cid.get_mut(cid) else { return false };
        head.attempts += 1;
        (head.links, head.lacking) = (0, 0);
        if head.attempts >= HEAD_ATTEMPTS_MAX {
            self.by_cid.remove(cid);
            return true;
        }
        let wait_ms = HEAD_RETRY_MS << (head.attempts - 1).min(16);
        head.at_ms = Some(now.saturating_add(jitter.around(wait_ms.min(HEAD_RETRY_MS_MAX))));
        true
    }

    /// A head that is due: the join has it from now on. Gives how often it
    /// failed and who showed it.
    pub(super) fn take_due(&mut self, now: u64) -> Option<(LogCid, u32, Vec<Peer>)> {
        let due =
            |(_, head): &(&LogCid, &mut WantedHead)| head.at_ms.is_some_and(|at_ms| at_ms <= now);
        let (cid, head) = self.by_cid.iter_mut().find(due)?;
        head.at_ms = None;
        Some((*cid, head.attempts, head.from.clone()))
    }

    /// When the next head is tried, if any waits.
    pub(super) fn due_ms(&self) -> Option<u64> {
        self.by_cid.values().filter_map(|head| head.at_ms).min()
    }

    /// All heads that wait are tried by this time; also those that the join works on, if it is gone.
    pub(super) fn hasten(&mut self, at_ms: u64, join_is_gone: bool) {
        for head in self.by_cid.values_mut() {
            match head.at_ms {
                Some(before) => head.at_ms = Some(before.min(at_ms)),
                None if join_is_gone => head.at_ms = Some(at_ms),
                None => {}
            }
        }
    }

    /// The heads that this peer showed are tried by this time.
    pub(super) fn hasten_of(&mut self, peer: Peer, at_ms: u64) {
        for head in self.by_cid.values_mut().filter(|head| head.from.contains(&peer)) {
            head.at_ms = head.at_ms.map(|before| before.min(at_ms));
        }
    }

    /// The heads that the join works on.
    pub(super) fn worked_on(&self) -> impl Iterator<Item = LogCid> + '_ {
        self.by_cid.iter().filter(|(_, head)| head.at_ms.is_none()).map(|(cid, _)| *cid)
    }

    /// Peers that showed heads which the join works on.
    pub(super) fn sources(&self) -> impl Iterator<Item = Peer> + '_ {
        let worked_on = self.by_cid.values().filter(|head| head.at_ms.is_none());
        worked_on.flat_map(|head| head.from.iter().copied())
    }
}
