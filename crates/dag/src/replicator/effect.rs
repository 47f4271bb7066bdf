//! What a replicator is told of, and the effects that it answers with.

use std::sync::Arc;

use crate::join::Passed;
use crate::{Entry, Identity, LogCid};

/// Another node, by a number that its caller gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub u64);

/// Names one announcement, so that its verdict can be given later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnnouncementId(pub u64);

/// What is to become of an announcement. Every one gets exactly one verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Pass it on: its signature is good and its writer may write. Whether its
    /// ancestors are here does not matter to those it is passed on to.
    Accept,
    /// Drop it without blame: known already, or not to be judged now.
    Ignore,
    /// Drop it: it breaks a rule, which counts against the peer that sent it.
    Reject,
}

/// Something that no peer which keeps to the rules can have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Offence {
    /// It sent more than it may in the time, or what is useless faster than anything useful.
    Flood,
    /// It made this node work and brought nothing, for longer than any peer does that is behind.
    Waste,
    /// It sent bytes that are not what the protocol carries.
    Malformed,
    /// It sent, or holds as part of its log, an entry that no node may take in.
    Invalid,
    /// It sent an answer that contradicts itself, or that the question cannot be answered with.
    Forged,
}

/// What a replicator wants its driver to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Fetch this block, and answer with [`super::Replicator::on_fetched`].
    Fetch {
        /// An entry or an identity.
        cid: LogCid,
        /// Peers that probably have it, the likeliest first. Others may be asked, too.
        from: Vec<Peer>,
    },
    /// Store these, all of them or none, and answer with
    /// [`super::Replicator::on_stored`]. There is one at a time. The heads are
    /// made as for [`crate::join::JoinEffect::Ready`].
    Store {
        /// Verified entries, parents first. Some may have been stored since by
        /// another way; those are left as they are.
        entries: Vec<Entry>,
        /// The identities of their writers, as far as they are new.
        identities: Vec<Arc<Identity>>,
        /// What is passed over: stored before the entries, which may name it.
        passed: Vec<Passed>,
        /// Verified entries that were stored as passed over and belong to the log
        /// now. They are no heads.
        restored: Vec<Entry>,
    },
    /// Send this to a native peer, and answer with [`super::Replicator::on_reply`].
    Ask {
        /// The peer.
        peer: Peer,
        /// Names the request, so that a late reply is not taken for another's.
        number: u64,
        /// The bytes of a [`crate::sync::Request`].
        request: Vec<u8>,
    },
    /// Exchange heads with this peer: what it sends goes to
    /// [`super::Replicator::on_heads`].
    SendHeads {
        /// The peer.
        peer: Peer,
    },
    /// Hand the block of every entry that is stored as passed over to
    /// [`super::Replicator::reconsider`]: the access has changed since it was
    /// passed over.
    Reconsider,
    /// What is to become of an announcement.
    Verdict {
        /// The announcement.
        id: AnnouncementId,
        /// Its fate.
        verdict: Verdict,
    },
    /// A peer did wrong.
    Blame {
        /// The peer.
        peer: Peer,
        /// What it did.
        why: Offence,
    },
}

/// How much a replicator keeps. All of it is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Peers, those included that are gone and remembered.
    pub peers: usize,
    /// Heads that are not here yet.
    pub heads_wanted: usize,
    /// Announcements without verdict.
    pub announcements_waiting: usize,
    /// Blocks asked for or to be asked for.
    pub fetches: usize,
    /// Entries that wait in the join.
    pub joining: usize,
    /// Entries that wait to be stored or are being stored.
    pub storing: usize,
}
