//! A node of another implementation: heads and blocks, no fast sync, no second
//! try. It passes on every announcement that it hears, whatever is in it.

use std::collections::{HashSet, VecDeque};

use optimusdb_dag::join::{Join, JoinEffect};
use optimusdb_dag::{Access, LogCid};

use crate::cast::log;
use crate::context::{Action, Context, NodeId};
use crate::fetching::Fetches;
use crate::message::Message;
use crate::store::Store;

pub(crate) struct Plain {
    pub(crate) store: Store,
    join: Join,
    fetches: Fetches,
    heard: HashSet<u64>,
    wake_ms: u64,
}

impl Plain {
    pub(crate) fn new(access: Access) -> Plain {
        Plain {
            store: Store::new(),
            join: Join::new(log(), access),
            fetches: Fetches::default(),
            heard: HashSet::new(),
            wake_ms: u64::MAX,
        }
    }

    pub(crate) fn on_link(&mut self, context: &mut Context<'_>, peer: NodeId, up: bool) {
        if up {
            let blocks = self.store.head_blocks();
            context.send(peer, Message::Heads { answer: false, blocks });
        }
    }

    pub(crate) fn set_access(&mut self, context: &mut Context<'_>, access: Access) {
        let mut effects = self.join.set_access(&self.store, access);
        let passed: Vec<_> =
            self.store.passed.values().map(|passed| passed.block.clone()).collect();
        for block in passed {
            effects.extend(self.join.reconsider(&self.store, &block));
        }
        self.take(context, effects, None);
    }

    pub(crate) fn on_wake(&mut self, context: &mut Context<'_>) {
        // An earlier one has come before this one. If each led to another, they would never end.
        if context.now < self.wake_ms {
            return;
        }
        self.wake_ms = u64::MAX;
        for cid in self.fetches.tick(context) {
            let effects = self.join.on_missing(&self.store, cid);
            self.take(context, effects, None);
        }
        self.set_alarm(context);
    }

    pub(crate) fn on_message(&mut self, context: &mut Context<'_>, from: NodeId, message: Message) {
        match message {
            Message::Announce { id, block } => {
                if !self.heard.insert(id) {
                    return;
                }
                for (peer, _) in context.neighbours.clone() {
                    if peer != from {
                        context.send(peer, Message::Announce { id, block: block.clone() });
                    }
                }
                let effects = self.join.on_announced(&self.store, &block);
                self.take(context, effects, Some(from));
            }
            Message::Heads { answer, blocks } => {
                if !answer {
                    let blocks = self.store.head_blocks();
                    context.send(from, Message::Heads { answer: true, blocks });
                }
                for block in blocks {
                    let effects = self.join.on_announced(&self.store, &block);
                    self.take(context, effects, Some(from));
                }
            }
            Message::Want { cid } => {
                let answer = match self.store.served(&cid) {
                    Some(block) => Message::Block { block },
                    None => Message::DontHave { cid },
                };
                context.send(from, answer);
            }
            Message::Block { block } => {
                let cid = LogCid::of(&block);
                if self.fetches.has_come(&cid) {
                    let effects = self.join.on_block(&self.store, cid, &block);
                    self.take(context, effects, Some(from));
                }
            }
            Message::DontHave { cid } => self.fetches.not_there(context.now, &cid, from),
            Message::Ask { .. } | Message::Reply { .. } => {}
        }
        self.set_alarm(context);
    }

    fn take(&mut self, context: &mut Context<'_>, effects: Vec<JoinEffect>, from: Option<NodeId>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                JoinEffect::Fetch { cid } => {
                    let from: Vec<NodeId> = from.into_iter().collect();
                    self.fetches.begin(context, cid, &from);
                }
                JoinEffect::Ready { entries, identities, passed } => {
                    let stored = self.store.apply(&entries, &identities, &passed, &[]);
                    stored.unwrap_or_else(|why| context.ledger.fail(why));
                }
                JoinEffect::Restored { entries } => {
                    let stored = self.store.apply(&[], &[], &[], &entries);
                    stored.unwrap_or_else(|why| context.ledger.fail(why));
                }
                JoinEffect::Mismatch { cid } => {
                    effects.extend(self.join.on_missing(&self.store, cid))
                }
                JoinEffect::Reject { .. } | JoinEffect::Deferred { .. } => {}
            }
        }
        self.set_alarm(context);
    }

    fn set_alarm(&mut self, context: &mut Context<'_>) {
        if let Some(due) = self.fetches.due_ms()
            && due < self.wake_ms
        {
            self.wake_ms = due;
            context.actions.push(Action::Wake(due));
        }
    }
}
