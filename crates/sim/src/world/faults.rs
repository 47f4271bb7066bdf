//! What befalls the nodes of a run: what the plan has for them, crashes and their end, changes of who
//! may write.

use super::network::pair;
use super::{Event, Node, World};
use crate::context::NodeId;
use crate::plan::Planned;

/// How late a change of access may reach a node.
const ACCESS_DELAY_MS: std::ops::Range<u64> = 0..20_000;

impl World {
    pub(super) fn planned(&mut self, planned: Planned) {
        if self.lines.is_some() {
            self.note(format!("{planned:?}"));
        }
        match planned {
            Planned::Write { node, guest } => self.write(node, guest),
            Planned::Crash { node, torn, down_ms } => {
                if let Node::Native(native) = &mut self.nodes[node]
                    && native.is_up()
                {
                    let effects = self.random.within(0..6);
                    self.timeline.after(down_ms, Event::Restart(node));
                    if torn {
                        native.effects_left = Some(effects);
                    } else {
                        self.crash(node);
                    }
                }
            }
            Planned::Split { part, lasts_ms } => {
                self.split = Some((part, self.steps));
                self.timeline.after(lasts_ms, Event::Rejoin(self.steps));
                self.relink();
            }
            Planned::Break { a, b, lasts_ms } => {
                if let Some(link) = self.links.get_mut(&pair(a, b)) {
                    link.broken = true;
                }
                self.timeline.after(lasts_ms, Event::Mend(a, b));
                self.relink();
            }
            Planned::Grant => {
                self.access_history.grant();
                self.spread_access();
            }
            Planned::Revoke { by } => {
                let heads = match &self.nodes[by] {
                    Node::Native(native) => native.store.heads().iter().map(|head| head.cid),
                    _ => return,
                };
                self.access_history.revoke(&heads.collect::<Vec<_>>());
                self.spread_access();
            }
        }
    }

    fn spread_access(&mut self) {
        let state = self.access_history.len() - 1;
        for node in 0..self.nodes.len() {
            let wait_ms = self.random.within(ACCESS_DELAY_MS);
            self.timeline.after(wait_ms, Event::Access { node, state });
        }
    }

    /// A node learns who may write, unless it knows better.
    pub(super) fn learn_access(&mut self, node: NodeId, state: usize) {
        if self.access[node] >= state {
            return;
        }
        self.access[node] = state;
        let access = self.access_history.state(state);
        self.with(node, |node, context| match node {
            Node::Native(native) => native.set_access(context, access),
            Node::Plain(plain) => plain.set_access(context, access),
            Node::Hostile(_) => {}
        });
    }

    pub(super) fn crash(&mut self, node: NodeId) {
        if let Node::Native(native) = &mut self.nodes[node] {
            native.crash();
            self.ledger.crashes += 1;
            self.lives[node] += 1;
            self.note(format!("node {node} crashes"));
            self.relink();
        }
    }

    pub(super) fn restart(&mut self, node: NodeId) {
        let torn_not_yet = matches!(&self.nodes[node], Node::Native(native) if native.is_up());
        if torn_not_yet {
            self.crash(node);
        }
        self.note(format!("node {node} starts"));
        self.with(node, |node, context| {
            if let Node::Native(native) = node {
                native.start(context);
            }
        });
        self.relink();
    }

    /// The faults are over.
    pub(crate) fn heal(&mut self) {
        self.note("faults end".to_owned());
        self.split = None;
        self.links.values_mut().for_each(|link| link.broken = false);
        (self.plan.loss_permille, self.plan.slow_permille) = (0, 0);
        for node in 0..self.nodes.len() {
            self.learn_access(node, self.access_history.len() - 1);
            let goes_on = self.plan.hostile_goes_on;
            match &mut self.nodes[node] {
                Node::Native(native) => {
                    (native.store_fails, native.effects_left) = (0, None);
                    if !native.is_up() {
                        self.restart(node);
                    }
                }
                Node::Hostile(hostile) => {
                    (hostile.is_silent, hostile.may_write) = (!goes_on, false);
                }
                Node::Plain(_) => {}
            }
        }
        self.relink();
    }
}
