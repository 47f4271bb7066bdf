//! One run: nodes, the network between them, time, and faults.

mod faults;
mod network;

use std::collections::BTreeMap;

use network::{Link, pair};

use crate::cast::{AccessHistory, cast};
use crate::context::{Action, Context, NodeId};
use crate::forge;
use crate::hostile::Hostile;
use crate::ledger::Ledger;
use crate::message::Message;
use crate::native::Native;
use crate::plain::Plain;
use crate::plan::{Plan, Planned, Role};
use crate::random::Random;
use crate::store::Store;
use crate::timeline::Timeline;

pub(crate) enum Node {
    Native(Box<Native>),
    Plain(Box<Plain>),
    Hostile(Box<Hostile>),
}

pub(crate) enum Event {
    Deliver {
        from: NodeId,
        to: NodeId,
        message: Message,
        epoch: u64,
    },
    /// A node is woken, or its disk is done; `life` tells lives of a node apart.
    Wake {
        node: NodeId,
        life: u64,
    },
    Commit {
        node: NodeId,
        life: u64,
    },
    Restart(NodeId),
    Mend(NodeId, NodeId),
    Rejoin(u64),
    Access {
        node: NodeId,
        state: usize,
    },
    Planned(Planned),
}

pub(crate) struct World {
    pub(crate) timeline: Timeline<Event>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) ledger: Ledger,
    pub(crate) plan: Plan,
    links: BTreeMap<(NodeId, NodeId), Link>,
    /// The part each node is in while the network is split, and the split's number.
    split: Option<(Vec<bool>, u64)>,
    lives: Vec<u64>,
    access_history: AccessHistory,
    access: Vec<usize>,
    random: Random,
    pub(crate) steps: u64,
    pub(crate) lines: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, trace: bool) -> World {
        let mut random = Random::new(seed);
        let plan = Plan::of(&mut random.fork());
        let access_history =
            if plan.access_changes { AccessHistory::mutable() } else { AccessHistory::fixed() };
        let mut ledger = Ledger::default();
        let mut nodes = Vec::new();
        for (id, role) in plan.roles.iter().enumerate() {
            nodes.push(match role {
                Role::Native => {
                    ledger.honest_natives.insert(id);
                    let mut native = Native::new(access_history.state(0));
                    native.store_fails = plan.store_fails_permille;
                    Node::Native(Box::new(native))
                }
                Role::Plain => Node::Plain(Box::new(Plain::new(access_history.state(0)))),
                Role::Hostile(tricks) => Node::Hostile(Box::new(Hostile::new(tricks.clone()))),
            });
        }
        let link = |pair: &(NodeId, NodeId)| (*pair, Link { broken: false, epoch: 0, up: false });
        let mut world = World {
            timeline: Timeline::new(),
            links: plan.links.iter().map(link).collect(),
            split: None,
            lives: vec![0; nodes.len()],
            access: vec![0; nodes.len()],
            nodes,
            ledger,
            access_history,
            random,
            steps: 0,
            lines: trace.then(Vec::new),
            plan,
        };
        for (at_ms, planned) in world.plan.events.clone() {
            world.timeline.at(at_ms, Event::Planned(planned));
        }
        for node in 0..world.nodes.len() {
            world.with(node, |node, context| match node {
                Node::Native(native) => native.start(context),
                Node::Hostile(_) => context.actions.push(Action::Wake(1_000)),
                Node::Plain(_) => {}
            });
        }
        world.relink();
        world
    }

    /// Lets things happen until this time, or until something is wrong.
    pub(crate) fn run_until(&mut self, until_ms: u64, steps_max: u64) {
        while self.ledger.failure().is_none()
            && let Some(event) = self.timeline.next(until_ms)
        {
            self.steps += 1;
            if self.steps > steps_max {
                return self.ledger.fail(format!("more than {steps_max} steps"));
            }
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { from, to, message, epoch } => {
                let link = self.links.get(&pair(from, to));
                if link.is_some_and(|link| link.up && link.epoch == epoch) {
                    self.with(to, |node, context| match node {
                        Node::Native(native) => native.on_message(context, from, message),
                        Node::Plain(plain) => plain.on_message(context, from, message),
                        Node::Hostile(hostile) => hostile.on_message(context, from, message),
                    });
                }
            }
            Event::Wake { node, life } if self.lives[node] == life => {
                self.with(node, |node, context| match node {
                    Node::Native(native) => native.on_wake(context),
                    Node::Plain(plain) => plain.on_wake(context),
                    Node::Hostile(hostile) => hostile.on_wake(context),
                });
            }
            Event::Commit { node, life } if self.lives[node] == life => {
                self.with(node, |node, context| {
                    if let Node::Native(native) = node {
                        native.on_commit(context);
                    }
                });
            }
            Event::Wake { .. } | Event::Commit { .. } => {}
            Event::Restart(node) => self.restart(node),
            Event::Mend(a, b) => {
                if let Some(link) = self.links.get_mut(&pair(a, b)) {
                    link.broken = false;
                }
                self.relink();
            }
            Event::Rejoin(number) => {
                if self.split.as_ref().is_some_and(|(_, split)| *split == number) {
                    self.split = None;
                    self.relink();
                }
            }
            Event::Access { node, state } => self.learn_access(node, state),
            Event::Planned(planned) => self.planned(planned),
        }
    }

    pub(crate) fn write(&mut self, node: NodeId, guest: bool) {
        let payload = forge::payload(&mut self.random);
        let keys = if guest { &cast().guest } else { &cast().writers[self.plan.keys[node]] };
        self.with(node, |node, context| {
            if let Node::Native(native) = node {
                native.write(context, keys, payload);
            }
        });
    }

    /// Lets a node do something, and does to the world what it wants done.
    fn with(&mut self, id: NodeId, act: impl FnOnce(&mut Node, &mut Context<'_>)) {
        let neighbours = self.neighbours(id);
        let (mut actions, mut lines) = (Vec::new(), Vec::new());
        let mut context = Context {
            now: self.timeline.now_ms(),
            neighbours,
            random: &mut self.random,
            ledger: &mut self.ledger,
            actions: &mut actions,
            lines: self.lines.is_some().then_some(&mut lines),
        };
        act(&mut self.nodes[id], &mut context);
        lines.into_iter().for_each(|line| self.note(format!("{id}: {line}")));
        let life = self.lives[id];
        for action in actions {
            match action {
                Action::Send(to, message) => self.send(id, to, message),
                Action::Wake(at_ms) => self.timeline.at(at_ms, Event::Wake { node: id, life }),
                Action::Commit(at_ms) => self.timeline.at(at_ms, Event::Commit { node: id, life }),
            }
        }
        if matches!(&self.nodes[id], Node::Native(native) if native.is_torn()) {
            self.crash(id);
        }
    }

    fn note(&mut self, line: String) {
        let now_ms = self.timeline.now_ms();
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>7}.{:03} {line}", now_ms / 1_000, now_ms % 1_000));
        }
    }

    /// The replicas of all honest nodes.
    pub(crate) fn stores(&self) -> Vec<(NodeId, &Store)> {
        let stores = self.nodes.iter().enumerate().filter_map(|(id, node)| match node {
            Node::Native(native) => Some((id, &native.store)),
            Node::Plain(plain) => Some((id, &plain.store)),
            Node::Hostile(_) => None,
        });
        stores.collect()
    }
}
