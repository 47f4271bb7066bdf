//! A node that keeps to no rule. It knows what honest nodes may know and signs with
//! a key that may write, a key that may not, and no key at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use optimusdb_dag::sync::{Cell, Declined, Reply, Request, Summary};
use optimusdb_dag::{Entry, LogCid};

use crate::cast::cast;
use crate::context::{Action, Context, NodeId};
use crate::forge::{self, Wrong};
use crate::message::Message;
use crate::random::Random;
use crate::store::{Store, answer};

/// Blocks it remembers.
const HEARD_MAX: usize = 200;

/// What one hostile node does. No node does all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trick {
    /// Announces entries that break a rule.
    Forge,
    /// Writes good entries above wrong ones, so that these must be passed over.
    BuildOnWrong,
    /// Writes good entries and shows them to one node only.
    Whisper,
    /// Announces old entries again.
    Replay,
    /// Announces garbage, much of it.
    Flood,
    /// Sends heads that nobody asked for.
    PushHeads,
    /// Answers requests of fast sync with what is no answer to them.
    LieInSync,
    /// Serves its forged entries by fast sync, as well as any store is served.
    ServeForged,
    /// Sends other blocks than those asked for.
    WrongBlocks,
    /// Answers nothing.
    Withhold,
}

pub(crate) const TRICKS: [Trick; 10] = [
    Trick::Forge,
    Trick::BuildOnWrong,
    Trick::Whisper,
    Trick::Replay,
    Trick::Flood,
    Trick::PushHeads,
    Trick::LieInSync,
    Trick::ServeForged,
    Trick::WrongBlocks,
    Trick::Withhold,
];

pub(crate) struct Hostile {
    tricks: Vec<Trick>,
    /// Honest entries that it has seen.
    heard: Vec<Entry>,
    /// Blocks that it made, and identities.
    made: BTreeMap<LogCid, Arc<[u8]>>,
    /// What it serves by fast sync.
    store: Store,
    pub(crate) is_silent: bool,
    /// Whether it still adds entries that break no rule.
    pub(crate) may_write: bool,
}

impl Hostile {
    pub(crate) fn new(tricks: Vec<Trick>) -> Hostile {
        let cast = cast();
        let all = cast.writers.iter().chain([&cast.guest, &cast.insider, &cast.stranger]);
        let made = all.map(|keys| {
            let identity = keys.identity();
            (identity.cid, Arc::from(identity.block.as_slice()))
        });
        let no_identity = (LogCid::of(forge::NO_IDENTITY), Arc::from(forge::NO_IDENTITY));
        Hostile {
            tricks,
            heard: Vec::new(),
            made: made.chain([no_identity]).collect(),
            store: Store::new(),
            is_silent: false,
            may_write: true,
        }
    }

    fn does(&self, trick: Trick) -> bool {
        self.tricks.contains(&trick)
    }

    pub(crate) fn on_link(&mut self, context: &mut Context<'_>, peer: NodeId, up: bool) {
        if up && !self.is_silent {
            context.send(peer, Message::Heads { answer: false, blocks: Vec::new() });
        }
    }

    /// Plays one of its tricks.
    pub(crate) fn on_wake(&mut self, context: &mut Context<'_>) {
        if self.is_silent {
            return;
        }
        let wait_ms = context.random.within(300..4_000);
        context.actions.push(Action::Wake(context.now + wait_ms));
        let trick = *context.random.pick(&self.tricks);
        context.trace(|| format!("does {trick:?}"));
        match trick {
            Trick::Forge | Trick::ServeForged => {
                let what = forge::any_wrong(context.random);
                let block = self.make(context, what);
                self.announce(context, &block);
            }
            Trick::BuildOnWrong if self.may_write => self.build_on_wrong(context),
            Trick::Whisper if self.may_write => self.whisper(context),
            Trick::Replay => {
                for _ in 0..context.random.within(1..40) {
                    if let Some(old) = pick(context.random, &self.heard) {
                        let block = old.block_shared();
                        self.announce(context, &block);
                    }
                }
            }
            Trick::Flood => {
                let blocks = context.random.within(100..600);
                for _ in 0..blocks {
                    let block = Arc::from(context.random.bytes::<64>());
                    self.announce(context, &block);
                }
            }
            Trick::PushHeads => self.push_heads(context),
            _ => {}
        }
    }

    fn make(&mut self, context: &mut Context<'_>, what: Wrong) -> Arc<[u8]> {
        let parent = pick(context.random, &self.heard).cloned();
        let block = forge::wrong(context.random, what, parent.as_ref());
        let cid = LogCid::of(&block);
        context.ledger.forged.insert(cid);
        self.made.insert(cid, Arc::clone(&block));
        if let Ok(entry) = Entry::decode(cid, &block)
            && self.does(Trick::ServeForged)
        {
            self.store.force(&entry);
        }
        block
    }

    fn announce(&self, context: &mut Context<'_>, block: &Arc<[u8]>) {
        let id = context.random.next();
        for (peer, _) in context.neighbours.clone() {
            context.send(peer, Message::Announce { id, block: Arc::clone(block) });
        }
    }

    /// A wrong entry, or a row of them, and above it a good one.
    fn build_on_wrong(&mut self, context: &mut Context<'_>) {
        let what = forge::any_wrong(context.random);
        let mut block = self.make(context, what);
        if what.is_passed_over()
            && context.random.permille(300)
            && let Ok(below) = Entry::decode(LogCid::of(&block), &block)
        {
            block = forge::wrong(context.random, Wrong::Writer, Some(&below));
            context.ledger.forged.insert(LogCid::of(&block));
            self.made.insert(LogCid::of(&block), Arc::clone(&block));
        }
        let cid = LogCid::of(&block);
        let Ok(below) = Entry::decode(cid, &block) else { return };
        if !what.is_passed_over() {
            return;
        }
        let time = below.clock().time + 1;
        let above = forge::signed(context.random, &cast().insider, vec![cid], time);
        context.ledger.honest.insert(above.cid());
        self.made.insert(above.cid(), above.block_shared());
        self.announce(context, &above.block_shared());
    }

    fn whisper(&mut self, context: &mut Context<'_>) {
        let Some(parent) = pick(context.random, &self.heard).cloned() else { return };
        let time = parent.clock().time + context.random.within(1..20);
        let entry = forge::signed(context.random, &cast().insider, vec![parent.cid()], time);
        context.ledger.honest.insert(entry.cid());
        self.made.insert(entry.cid(), entry.block_shared());
        let to = pick(context.random, &context.neighbours).copied();
        if let Some((peer, _)) = to {
            let id = context.random.next();
            context.send(peer, Message::Announce { id, block: entry.block_shared() });
        }
    }

    fn push_heads(&mut self, context: &mut Context<'_>) {
        let made: Vec<Arc<[u8]>> = self.made.values().cloned().collect();
        let mut blocks = Vec::new();
        for _ in 0..context.random.within(1..12) {
            blocks.extend(pick(context.random, &made).cloned());
            blocks.extend(pick(context.random, &self.heard).map(Entry::block_shared));
        }
        let to = pick(context.random, &context.neighbours).copied();
        if let Some((peer, _)) = to {
            context.send(peer, Message::Heads { answer: true, blocks });
        }
    }

    pub(crate) fn on_message(&mut self, context: &mut Context<'_>, from: NodeId, message: Message) {
        match message {
            Message::Announce { block, .. } => self.hear(context, &block),
            Message::Heads { answer, blocks } => {
                blocks.iter().for_each(|block| self.hear(context, block));
                if !answer && !self.is_silent {
                    self.push_heads(context);
                }
            }
            Message::Block { block } => self.hear(context, &block),
            Message::Want { cid } if !self.is_silent => self.give(context, from, cid),
            Message::Ask { number, frame } if !self.is_silent => {
                if let Some(frame) = self.answer(context, &frame) {
                    context.send(from, Message::Reply { number, frame: frame.into() });
                }
            }
            _ => {}
        }
    }

    /// Remembers honest entries, to build on them.
    fn hear(&mut self, context: &mut Context<'_>, block: &Arc<[u8]>) {
        let cid = LogCid::of(block);
        if !context.ledger.honest.contains(&cid) {
            return;
        }
        let Ok(entry) = Entry::decode(cid, block) else { return };
        if self.does(Trick::ServeForged) {
            self.store.force(&entry);
        }
        if self.heard.len() == HEARD_MAX {
            let place = context.random.below(HEARD_MAX);
            self.heard.swap_remove(place);
        }
        self.heard.push(entry);
    }

    fn give(&mut self, context: &mut Context<'_>, to: NodeId, cid: LogCid) {
        if self.does(Trick::Withhold) && context.random.permille(600) {
            return;
        }
        if self.does(Trick::WrongBlocks) && context.random.permille(600) {
            let block = Arc::from(context.random.bytes::<100>());
            return context.send(to, Message::Block { block });
        }
        let heard = self.heard.iter().find(|entry| entry.cid() == cid);
        let block = self.made.get(&cid).cloned().or_else(|| heard.map(Entry::block_shared));
        let answer = match block {
            Some(block) => Message::Block { block },
            None => Message::DontHave { cid },
        };
        context.send(to, answer);
    }

    fn answer(&mut self, context: &mut Context<'_>, frame: &[u8]) -> Option<Vec<u8>> {
        let random = &mut *context.random;
        if self.does(Trick::Withhold) && random.permille(500) {
            return None;
        }
        let mut good = answer(&self.store, frame);
        if !self.does(Trick::LieInSync) {
            return Some(good);
        }
        Some(match random.within(0..6) {
            0 => random.bytes::<300>().to_vec(),
            1 => Reply::Declined(Declined::Busy).encode(),
            2 => {
                let place = random.below(good.len());
                good[place] ^= 1 << random.below(8);
                good
            }
            3 => {
                good.truncate(random.below(good.len()));
                good
            }
            4 => Reply::Root { newest: Some(random.within(1..1 << 52)), summary: summary(random) }
                .encode(),
            _ => match Request::decode(frame) {
                Ok(request) => lie(random, &request, &self.heard).encode(),
                Err(_) => good,
            },
        })
    }
}

/// An answer of the right sort that is made up.
fn lie(random: &mut Random, request: &Request, heard: &[Entry]) -> Reply {
    use optimusdb_dag::sync::{Ask, Id};
    match &request.ask {
        Ask::Open { .. } => {
            Reply::Root { newest: Some(random.within(1..5_000)), summary: summary(random) }
        }
        Ask::Children(cells) => {
            let children = cells.iter().map(|cell: &Cell| {
                let slots = (0..64).filter(|slot| cell.child(*slot).is_some());
                let slots: Vec<u8> = slots.filter(|_| random.permille(100)).collect();
                slots.into_iter().map(|slot| (slot, summary(random))).collect()
            });
            Reply::Children(children.collect())
        }
        Ask::Ids { spans, .. } => {
            let mut ids: Vec<Id> = spans
                .iter()
                .map(|span| Id { time: span.from, cid: LogCid::of(&random.bytes::<8>()) })
                .collect();
            ids.sort();
            Reply::Ids { ids, more: random.permille(500) }
        }
        Ask::Range { .. } | Ask::Blocks(_) => {
            let mut entries: Vec<Vec<u8>> = Vec::new();
            for _ in 0..random.within(0..5) {
                entries.extend(pick(random, heard).map(|entry| entry.block().to_vec()));
            }
            Reply::Blocks { entries, identities: Vec::new(), more: random.permille(500) }
        }
    }
}

fn summary(random: &mut Random) -> Summary {
    Summary { count: random.within(1..1 << 50), hash: random.bytes() }
}

fn pick<'a, T>(random: &mut Random, from: &'a [T]) -> Option<&'a T> {
    if from.is_empty() { None } else { Some(random.pick(from)) }
}
