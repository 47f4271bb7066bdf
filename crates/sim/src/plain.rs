//! A node of another implementation: heads and blocks, no fast sync, no second
//! try. It passes on every announcement that it hears, whatever is in it.

use std::collections::{HashSet, VecDeque};

use optimusdb_dag::join::{Join, Step};
use optimusdb_dag::{Access, LogCid};

use crate::cast::log;
use crate::context::{Context, Effect, Id};
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

    pub(crate) fn on_link(&mut self, context: &mut Context<'_>, peer: Id, up: bool) {
        if up {
            let blocks = self.store.head_blocks();
            context.send(peer, Message::Heads { answer: false, blocks });
        }
    }

    pub(crate) fn set_access(&mut self, context: &mut Context<'_>, access: Access) {
        let mut steps = self.join.set_access(&self.store, access);
        let passed: Vec<_> =
            self.store.passed.values().map(|passed| passed.block.clone()).collect();
        for block in passed {
            steps.extend(self.join.reconsider(&self.store, &block));
        }
        self.take(context, steps, None);
    }

    pub(crate) fn on_wake(&mut self, context: &mut Context<'_>) {
        // One that was overtaken by an earlier one would beget others for ever.
        if context.now < self.wake_ms {
            return;
        }
        self.wake_ms = u64::MAX;
        for cid in self.fetches.tick(context) {
            let steps = self.join.on_missing(&self.store, cid);
            self.take(context, steps, None);
        }
        self.settle(context);
    }

    pub(crate) fn on_message(&mut self, context: &mut Context<'_>, from: Id, message: Message) {
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
                let steps = self.join.on_announced(&self.store, &block);
                self.take(context, steps, Some(from));
            }
            Message::Heads { answer, blocks } => {
                if !answer {
                    let blocks = self.store.head_blocks();
                    context.send(from, Message::Heads { answer: true, blocks });
                }
                for block in blocks {
                    let steps = self.join.on_announced(&self.store, &block);
                    self.take(context, steps, Some(from));
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
                    let steps = self.join.on_block(&self.store, cid, &block);
                    self.take(context, steps, Some(from));
                }
            }
            Message::DontHave { cid } => self.fetches.not_there(context.now, &cid, from),
            Message::Ask { .. } | Message::Reply { .. } => {}
        }
        self.settle(context);
    }

    fn take(&mut self, context: &mut Context<'_>, steps: Vec<Step>, from: Option<Id>) {
        let mut steps = VecDeque::from(steps);
        while let Some(step) = steps.pop_front() {
            match step {
                Step::Fetch { cid } => {
                    let from: Vec<Id> = from.into_iter().collect();
                    self.fetches.begin(context, cid, &from);
                }
                Step::Ready { entries, identities, passed } => {
                    let stored = self.store.apply(&entries, &identities, &passed, &[]);
                    stored.unwrap_or_else(|why| context.ledger.fail(why));
                }
                Step::Restored { entries } => {
                    let stored = self.store.apply(&[], &[], &[], &entries);
                    stored.unwrap_or_else(|why| context.ledger.fail(why));
                }
                Step::Mismatch { cid } => steps.extend(self.join.on_missing(&self.store, cid)),
                Step::Reject { .. } | Step::Deferred { .. } => {}
            }
        }
        self.settle(context);
    }

    fn settle(&mut self, context: &mut Context<'_>) {
        if let Some(due) = self.fetches.due_ms()
            && due < self.wake_ms
        {
            self.wake_ms = due;
            context.effects.push(Effect::Wake(due));
        }
    }
}
