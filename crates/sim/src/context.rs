//! What a node sees of the world while it handles one thing, and what it does to it.

use crate::ledger::Ledger;
use crate::message::Message;
use crate::random::Random;

/// A node, by its place in the list of nodes.
pub(crate) type NodeId = usize;

/// What a node does to the world.
#[derive(Debug)]
pub(crate) enum Action {
    Send(NodeId, Message),
    /// Wake me at this time.
    Wake(u64),
    /// The disk is done at this time.
    Commit(u64),
}

pub(crate) struct Context<'w> {
    pub(crate) now: u64,
    /// Who is connected now, and whether it speaks fast sync.
    pub(crate) neighbours: Vec<(NodeId, bool)>,
    pub(crate) random: &'w mut Random,
    pub(crate) ledger: &'w mut Ledger,
    pub(crate) actions: &'w mut Vec<Action>,
    /// Lines of the trace; `None` when nobody reads it.
    pub(crate) lines: Option<&'w mut Vec<String>>,
}

impl Context<'_> {
    pub(crate) fn send(&mut self, to: NodeId, message: Message) {
        self.actions.push(Action::Send(to, message));
    }

    pub(crate) fn is_connected(&self, peer: NodeId) -> bool {
        self.neighbours.iter().any(|(id, _)| *id == peer)
    }

    pub(crate) fn trace(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(line());
        }
    }
}
