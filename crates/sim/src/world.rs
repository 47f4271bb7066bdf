//! One run: nodes, the network between them, time, and faults.

use std::collections::BTreeMap;

use crate::cast::{Rule, cast};
use crate::context::{Context, Effect, Id};
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

/// How long most messages take.
const LATENCY_MS: std::ops::Range<u64> = 1..60;
/// How long slow ones take.
const SLOW_MS: std::ops::Range<u64> = 500..4_000;
/// How late a change of access may reach a node.
const ACCESS_DELAY_MS: std::ops::Range<u64> = 0..20_000;

pub(crate) enum Node {
    Native(Box<Native>),
    Plain(Box<Plain>),
    Hostile(Box<Hostile>),
}

pub(crate) enum Event {
    Deliver {
        from: Id,
        to: Id,
        message: Message,
        epoch: u64,
    },
    /// A node is woken, or its disk is done; `life` tells lives of a node apart.
    Wake {
        node: Id,
        life: u64,
    },
    Commit {
        node: Id,
        life: u64,
    },
    Restart(Id),
    Mend(Id, Id),
    Rejoin(u64),
    Access {
        node: Id,
        state: usize,
    },
    Planned(Planned),
}

/// A connection that there can be.
struct Link {
    broken: bool,
    /// Grows with every break: what was on its way is lost.
    epoch: u64,
    /// Whether both ends know of it.
    up: bool,
}

pub(crate) struct World {
    pub(crate) timeline: Timeline<Event>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) ledger: Ledger,
    pub(crate) plan: Plan,
    links: BTreeMap<(Id, Id), Link>,
    /// The part each node is in while the network is split, and the split's number.
    split: Option<(Vec<bool>, u64)>,
    lives: Vec<u64>,
    rule: Rule,
    access: Vec<usize>,
    random: Random,
    pub(crate) steps: u64,
    pub(crate) lines: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, trace: bool) -> World {
        let mut random = Random::new(seed);
        let plan = Plan::of(&mut random.fork());
        let rule = if plan.access_changes { Rule::mutable() } else { Rule::fixed() };
        let mut ledger = Ledger::default();
        let mut nodes = Vec::new();
        for (id, role) in plan.roles.iter().enumerate() {
            nodes.push(match role {
                Role::Native => {
                    ledger.honest_natives.insert(id);
                    let mut native = Native::new(rule.state(0));
                    native.store_fails = plan.store_fails_permille;
                    Node::Native(Box::new(native))
                }
                Role::Plain => Node::Plain(Box::new(Plain::new(rule.state(0)))),
                Role::Hostile(tricks) => Node::Hostile(Box::new(Hostile::new(tricks.clone()))),
            });
        }
        let link = |pair: &(Id, Id)| (*pair, Link { broken: false, epoch: 0, up: false });
        let mut world = World {
            timeline: Timeline::new(),
            links: plan.links.iter().map(link).collect(),
            split: None,
            lives: vec![0; nodes.len()],
            access: vec![0; nodes.len()],
            nodes,
            ledger,
            rule,
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
                Node::Hostile(_) => context.effects.push(Effect::Wake(1_000)),
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

    fn planned(&mut self, planned: Planned) {
        if self.lines.is_some() {
            self.note(format!("{planned:?}"));
        }
        match planned {
            Planned::Write { node, guest } => self.write(node, guest),
            Planned::Crash { node, torn, down_ms } => {
                if let Node::Native(native) = &mut self.nodes[node]
                    && native.is_up()
                {
                    let acts = self.random.within(0..6);
                    self.timeline.after(down_ms, Event::Restart(node));
                    if torn {
                        native.acts_left = Some(acts);
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
                self.rule.grant();
                self.spread_access();
            }
            Planned::Revoke { by } => {
                let heads = match &self.nodes[by] {
                    Node::Native(native) => native.store.heads().iter().map(|head| head.cid),
                    _ => return,
                };
                self.rule.revoke(&heads.collect::<Vec<_>>());
                self.spread_access();
            }
        }
    }

    pub(crate) fn write(&mut self, node: Id, guest: bool) {
        let payload = forge::payload(&mut self.random);
        let keys = if guest { &cast().guest } else { &cast().writers[self.plan.keys[node]] };
        self.with(node, |node, context| {
            if let Node::Native(native) = node {
                native.write(context, keys, payload);
            }
        });
    }

    fn spread_access(&mut self) {
        let state = self.rule.len() - 1;
        for node in 0..self.nodes.len() {
            let wait_ms = self.random.within(ACCESS_DELAY_MS);
            self.timeline.after(wait_ms, Event::Access { node, state });
        }
    }

    /// A node learns who may write, unless it knows better.
    fn learn_access(&mut self, node: Id, state: usize) {
        if self.access[node] >= state {
            return;
        }
        self.access[node] = state;
        let access = self.rule.state(state);
        self.with(node, |node, context| match node {
            Node::Native(native) => native.set_access(context, access),
            Node::Plain(plain) => plain.set_access(context, access),
            Node::Hostile(_) => {}
        });
    }

    fn crash(&mut self, node: Id) {
        if let Node::Native(native) = &mut self.nodes[node] {
            native.crash();
            self.ledger.crashes += 1;
            self.lives[node] += 1;
            self.note(format!("node {node} crashes"));
            self.relink();
        }
    }

    fn restart(&mut self, node: Id) {
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
            self.learn_access(node, self.rule.len() - 1);
            let goes_on = self.plan.hostile_goes_on;
            match &mut self.nodes[node] {
                Node::Native(native) => {
                    (native.store_fails, native.acts_left) = (0, None);
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

    /// Connects and disconnects where something has changed, and tells both ends.
    fn relink(&mut self) {
        let pairs: Vec<(Id, Id)> = self.links.keys().copied().collect();
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

    fn is_up(&self, node: Id) -> bool {
        !matches!(&self.nodes[node], Node::Native(native) if !native.is_up())
    }

    /// Lets a node do something, and does to the world what it wants done.
    fn with(&mut self, id: Id, act: impl FnOnce(&mut Node, &mut Context<'_>)) {
        let neighbours = self.neighbours(id);
        let (mut effects, mut lines) = (Vec::new(), Vec::new());
        let mut context = Context {
            now: self.timeline.now_ms(),
            neighbours,
            random: &mut self.random,
            ledger: &mut self.ledger,
            effects: &mut effects,
            lines: self.lines.is_some().then_some(&mut lines),
        };
        act(&mut self.nodes[id], &mut context);
        lines.into_iter().for_each(|line| self.note(format!("{id}: {line}")));
        let life = self.lives[id];
        for effect in effects {
            match effect {
                Effect::Send(to, message) => self.send(id, to, message),
                Effect::Wake(at_ms) => self.timeline.at(at_ms, Event::Wake { node: id, life }),
                Effect::Commit(at_ms) => self.timeline.at(at_ms, Event::Commit { node: id, life }),
            }
        }
        if matches!(&self.nodes[id], Node::Native(native) if native.is_torn()) {
            self.crash(id);
        }
    }

    fn neighbours(&self, id: Id) -> Vec<(Id, bool)> {
        let up = self.links.iter().filter(|(_, link)| link.up);
        let others = up.filter_map(|((a, b), _)| match id {
            id if id == *a => Some(*b),
            id if id == *b => Some(*a),
            _ => None,
        });
        others.map(|other| (other, !matches!(self.nodes[other], Node::Plain(_)))).collect()
    }

    fn send(&mut self, from: Id, to: Id, message: Message) {
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

    fn trace_message(&mut self, what: &str, from: Id, to: Id, message: &Message) {
        if self.lines.is_some() {
            let (kind, bytes) = (message.kind(), message.bytes());
            self.note(format!("{from} -> {to}: {what} {kind:?}, {bytes} bytes"));
        }
    }

    fn note(&mut self, line: String) {
        let now_ms = self.timeline.now_ms();
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>7}.{:03} {line}", now_ms / 1_000, now_ms % 1_000));
        }
    }

    /// The replicas of all honest nodes.
    pub(crate) fn stores(&self) -> Vec<(Id, &Store)> {
        let stores = self.nodes.iter().enumerate().filter_map(|(id, node)| match node {
            Node::Native(native) => Some((id, &native.store)),
            Node::Plain(plain) => Some((id, &plain.store)),
            Node::Hostile(_) => None,
        });
        stores.collect()
    }
}

fn pair(a: Id, b: Id) -> (Id, Id) {
    (a.min(b), a.max(b))
}
