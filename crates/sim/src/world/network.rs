//! The network of a run: which connections stand, and what becomes of a message.

use super::{Event, Node, World};
use crate::context::NodeId;
use crate::message::Message;

/// How long most messages take.
const LATENCY_MS: std::ops::Range<u64> = 1..60;
/// How long slow ones take.
const SLOW_MS: std::ops::Range<u64> = 500..4_000;
/// A connection that there can be.
pub(super) struct Link {
    pub(super) broken: bool,
    /// Grows with every break: what was on its way is lost.
    pub(super) epoch: u64,
    /// Whether both ends know of it.
    pub(super) up: bool,
}

impl World {
    /// Connects and disconnects where something has changed, and tells both ends.
    pub(super) fn relink(&mut self) {
        let pairs: Vec<(NodeId, NodeId)> = self.links.keys().copied().collect();
        for (a, b) in pairs {
            let apart = self.split.as_ref().is_some_and(|(part, _)| part[a] != part[b]);
            let can = !apart && self.is_up(a) && self.is_up(b);
            let Some(link) = self.links.get_mut(&(a, b)) else { continue };
            let up = can && !link.broken;
            if link.up == up {
                continue;
            }
            (link.up, link.epoch) = (up, link.epoch + 1);
            self.ledger.connections += u64::from(up);
            self.note(format!("{a} - {b}: {}", if up { "connected" } else { "apart" }));
            for (one, other) in [(a, b), (b, a)] {
                let native = !matches!(self.nodes[other], Node::Plain(_));
                self.with(one, |node, context| match node {
                    Node::Native(node) => node.on_link(context, other, native, up),
                    Node::Plain(node) => node.on_link(context, other, up),
                    Node::Hostile(node) => node.on_link(context, other, up),
                });
            }
        }
    }

    fn is_up(&self, node: NodeId) -> bool {
        !matches!(&self.nodes[node], Node::Native(native) if !native.is_up())
    }

    pub(super) fn neighbours(&self, id: NodeId) -> Vec<(NodeId, bool)> {
        let up = self.links.iter().filter(|(_, link)| link.up);
        let others = up.filter_map(|((a, b), _)| match id {
            id if id == *a => Some(*b),
            id if id == *b => Some(*a),
            _ => None,
        });
        others.map(|other| (other, !matches!(self.nodes[other], Node::Plain(_)))).collect()
    }

    pub(super) fn send(&mut self, from: NodeId, to: NodeId, message: Message) {
        if !matches!(self.nodes[from], Node::Hostile(_)) {
            *self.ledger.sent.entry(message.kind()).or_default() += 1;
            self.ledger.bytes_sent += message.bytes() as u64;
        }
        let Some(link) = self.links.get(&pair(from, to)).filter(|link| link.up) else { return };
        let epoch = link.epoch;
        let copies = 1 + u64::from(self.random.permille(self.plan.repeat_permille));
        for _ in 0..copies {
            if self.random.permille(self.plan.loss_permille) {
                self.trace_message("lost", from, to, &message);
                continue;
            }
            let slow = self.random.permille(self.plan.slow_permille);
            let wait_ms = self.random.within(if slow { SLOW_MS } else { LATENCY_MS });
            self.trace_message("sends", from, to, &message);
            let message = message.clone();
            self.timeline.after(wait_ms, Event::Deliver { from, to, message, epoch });
        }
    }

    fn trace_message(&mut self, what: &str, from: NodeId, to: NodeId, message: &Message) {
        if self.lines.is_some() {
            let (kind, bytes) = (message.kind(), message.bytes());
            self.note(format!("{from} -> {to}: {what} {kind:?}, {bytes} bytes"));
        }
    }
}

pub(super) fn pair(a: NodeId, b: NodeId) -> (NodeId, NodeId) {
    (a.min(b), a.max(b))
}
