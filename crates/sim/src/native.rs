//! A node of this project: the replicator with a disk, a writer and a network.
//!
//! Its disk works one job after the other and takes its time; what is not
//! committed is lost in a crash. It announces what it wrote after the commit.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use optimusdb_dag::join::Passed;
use optimusdb_dag::limits::ANNOUNCEMENT_WAIT_MS;
use optimusdb_dag::replicator::{AnnouncementId, Effect, Offence, Peer, Replicator, Verdict};
use optimusdb_dag::{Access, Entry, Identity, IdentityKeys, Ipld, LogCid};

use crate::cast::log;
use crate::context::{Action, Context, NodeId};
use crate::fetching::Fetches;
use crate::message::Message;
use crate::store::{Store, answer};

/// How long a request may stay without an answer before the connection is given up.
const ASK_WAIT_MS: u64 = 10_000;
/// How long one job keeps the disk busy.
const COMMIT_MS: std::ops::Range<u64> = 1..40;

pub(crate) struct Native {
    pub(crate) store: Store,
    access: Access,
    /// `None` while the node is down.
    running: Option<Running>,
    /// Crash after this many effects.
    pub(crate) effects_left: Option<u64>,
    /// How often storing fails, in a thousand times.
    pub(crate) store_fails: u64,
}

/// What a crash wipes out.
struct Running {
    replicator: Replicator,
    jobs: VecDeque<Job>,
    fetches: Fetches,
    /// Requests without answer, and until when they wait.
    asks: BTreeMap<u64, (NodeId, u64)>,
    /// Announcements of late.
    heard: HashSet<u64>,
    /// Announcements without verdict.
    pending: BTreeMap<AnnouncementId, PendingAnnouncement>,
    announced: u64,
    wake_ms: u64,
}

struct PendingAnnouncement {
    id: u64,
    from: NodeId,
    block: Arc<[u8]>,
    since_ms: u64,
}

enum Job {
    Write(IdentityKeys, Ipld),
    Store {
        entries: Vec<Entry>,
        identities: Vec<Arc<Identity>>,
        passed: Vec<Passed>,
        restored: Vec<Entry>,
    },
}

impl Native {
    pub(crate) fn new(access: Access) -> Native {
        Native { store: Store::new(), access, running: None, effects_left: None, store_fails: 0 }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.running.is_some()
    }

    pub(crate) fn replicator(&self) -> Option<&Replicator> {
        self.running.as_ref().map(|running| &running.replicator)
    }

    /// Whether it writes nothing and waits for no disk.
    pub(crate) fn is_quiet(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.jobs.is_empty())
    }

    pub(crate) fn start(&mut self, context: &mut Context<'_>) {
        self.store.reopen();
        let seed = context.random.next();
        self.running = Some(Running {
            replicator: Replicator::new(context.now, log(), self.access.clone(), seed),
            jobs: VecDeque::new(),
            fetches: Fetches::default(),
            asks: BTreeMap::new(),
            heard: HashSet::new(),
            pending: BTreeMap::new(),
            announced: 0,
            wake_ms: u64::MAX,
        });
        for (peer, native) in context.neighbours.clone() {
            self.on_link(context, peer, native, true);
        }
        self.set_alarm(context);
    }

    pub(crate) fn crash(&mut self) {
        (self.running, self.effects_left) = (None, None);
    }

    pub(crate) fn on_link(
        &mut self,
        context: &mut Context<'_>,
        peer: NodeId,
        native: bool,
        up: bool,
    ) {
        let Some(running) = &mut self.running else { return };
        let (now, peer) = (context.now, Peer(peer as u64));
        let effects = if up {
            running.replicator.on_peer(now, &self.store, peer, native)
        } else {
            running.replicator.on_peer_gone(now, &self.store, peer)
        };
        self.carry_out(context, effects);
    }

    pub(crate) fn set_access(&mut self, context: &mut Context<'_>, access: Access) {
        self.access = access.clone();
        let Some(running) = &mut self.running else { return };
        let effects = running.replicator.set_access(context.now, &self.store, access);
        self.carry_out(context, effects);
    }

    /// What was passed over is judged again.
    fn reconsider(&mut self, context: &mut Context<'_>) {
        let passed: Vec<Arc<[u8]>> =
            self.store.passed.values().map(|passed| Arc::clone(&passed.block)).collect();
        for block in passed {
            let Some(running) = &mut self.running else { return };
            let effects = running.replicator.reconsider(context.now, &self.store, &block);
            self.carry_out(context, effects);
        }
    }

    /// Writes an entry, unless its writer may not as far as is known here.
    pub(crate) fn write(&mut self, context: &mut Context<'_>, keys: &IdentityKeys, payload: Ipld) {
        if self.access.judge(keys.identity()) == optimusdb_dag::Standing::Allowed {
            self.queue(context, Job::Write(keys.clone(), payload));
        }
    }

    fn queue(&mut self, context: &mut Context<'_>, job: Job) {
        let Some(running) = &mut self.running else { return };
        if running.jobs.is_empty() {
            let done_ms = context.now + context.random.within(COMMIT_MS);
            context.actions.push(Action::Commit(done_ms));
        }
        running.jobs.push_back(job);
    }

    pub(crate) fn on_commit(&mut self, context: &mut Context<'_>) {
        let Some(running) = &mut self.running else { return };
        let Some(job) = running.jobs.pop_front() else { return };
        if !running.jobs.is_empty() {
            let done_ms = context.now + context.random.within(COMMIT_MS);
            context.actions.push(Action::Commit(done_ms));
        }
        match job {
            Job::Write(keys, payload) => {
                let entry = self.store.write(&keys, payload);
                context.trace(|| format!("wrote {:.12} at {}", entry.cid(), entry.clock().time));
                context.ledger.honest.insert(entry.cid());
                context.ledger.acked.push(entry.cid());
                let id = context.random.next();
                for (peer, _) in context.neighbours.clone() {
                    context.send(peer, Message::Announce { id, block: entry.block_shared() });
                }
            }
            Job::Store { entries, identities, passed, restored } => {
                let ok = !context.random.permille(self.store_fails);
                if ok {
                    context.ledger.passed += passed.len() as u64;
                    context.ledger.restored += restored.len() as u64;
                    let stored = self.store.apply(&entries, &identities, &passed, &restored);
                    stored.unwrap_or_else(|why| context.ledger.fail(why));
                } else {
                    context.ledger.failed_stores += 1;
                }
                context.trace(|| format!("stored {} entries: {ok}", entries.len()));
                let Some(running) = &mut self.running else { return };
                let effects = running.replicator.on_stored(context.now, &self.store, ok);
                self.carry_out(context, effects);
            }
        }
    }

    pub(crate) fn on_wake(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        let Some(running) = &mut self.running else { return };
        // An earlier one has come before this one. If each led to another, they would never end.
        if now < running.wake_ms {
            return;
        }
        running.wake_ms = u64::MAX;
        let mut effects = running.replicator.on_tick(now, &self.store);
        for cid in running.fetches.tick(context) {
            effects.extend(running.replicator.on_fetched(now, &self.store, cid, None));
        }
        let overdue: Vec<u64> =
            running.asks.iter().filter(|(_, (_, until))| *until <= now).map(|(n, _)| *n).collect();
        for number in overdue {
            if let Some((peer, _)) = running.asks.remove(&number) {
                let peer = Peer(peer as u64);
                effects.extend(running.replicator.on_reply(now, &self.store, peer, number, None));
            }
        }
        for pending in running.pending.values() {
            if now > pending.since_ms + ANNOUNCEMENT_WAIT_MS + 100 {
                context.ledger.fail("an announcement is without verdict for too long");
            }
        }
        self.carry_out(context, effects);
    }

    pub(crate) fn on_message(&mut self, context: &mut Context<'_>, from: NodeId, message: Message) {
        let Some(running) = &mut self.running else { return };
        let (now, peer) = (context.now, Peer(from as u64));
        let effects = match message {
            Message::Announce { id, block } => {
                if !running.heard.insert(id) {
                    return;
                }
                running.announced += 1;
                let name = AnnouncementId(running.announced);
                let pending =
                    PendingAnnouncement { id, from, block: Arc::clone(&block), since_ms: now };
                running.pending.insert(name, pending);
                running.replicator.on_announced(now, &self.store, peer, name, &block)
            }
            Message::Heads { answer, blocks } => {
                if !answer {
                    let blocks = self.store.head_blocks();
                    context.send(from, Message::Heads { answer: true, blocks });
                }
                let blocks: Vec<Vec<u8>> = blocks.iter().map(|block| block.to_vec()).collect();
                running.replicator.on_heads(now, &self.store, peer, &blocks)
            }
            Message::Want { cid } => {
                let answer = match self.store.served(&cid) {
                    Some(block) => Message::Block { block },
                    None => Message::DontHave { cid },
                };
                return context.send(from, answer);
            }
            Message::Block { block } => {
                let cid = LogCid::of(&block);
                if !running.fetches.has_come(&cid) {
                    return;
                }
                running.replicator.on_fetched(now, &self.store, cid, Some(&block))
            }
            Message::DontHave { cid } => {
                running.fetches.not_there(now, &cid, from);
                Vec::new()
            }
            Message::Ask { number, frame } => {
                let frame = answer(&self.store, &frame).into();
                return context.send(from, Message::Reply { number, frame });
            }
            Message::Reply { number, frame } => {
                if running.asks.get(&number).is_none_or(|(asked, _)| *asked != from) {
                    return;
                }
                running.asks.remove(&number);
                running.replicator.on_reply(now, &self.store, peer, number, Some(&frame))
            }
        };
        self.carry_out(context, effects);
    }

    fn carry_out(&mut self, context: &mut Context<'_>, effects: Vec<Effect>) {
        for effect in effects {
            match &mut self.effects_left {
                // Torn: what was begun is not finished.
                Some(0) => return,
                Some(left) => *left -= 1,
                None => {}
            }
            self.carry_out_one(context, effect);
        }
        self.set_alarm(context);
    }

    /// Whether the crash that was waited for has come.
    pub(crate) fn is_torn(&self) -> bool {
        self.running.is_some() && self.effects_left == Some(0)
    }

    fn carry_out_one(&mut self, context: &mut Context<'_>, effect: Effect) {
        let Some(running) = &mut self.running else { return };
        match effect {
            Effect::Fetch { cid, from } => {
                let from: Vec<NodeId> = from.iter().map(|peer| peer.0 as NodeId).collect();
                context.trace(|| format!("fetches {cid:.12} from {from:?}"));
                running.fetches.begin(context, cid, &from);
            }
            Effect::Store { entries, identities, passed, restored } => {
                self.queue(context, Job::Store { entries, identities, passed, restored });
            }
            Effect::Ask { peer, number, request } => {
                let peer = peer.0 as NodeId;
                running.asks.insert(number, (peer, context.now + ASK_WAIT_MS));
                context.send(peer, Message::Ask { number, frame: request.into() });
            }
            Effect::SendHeads { peer } => {
                let blocks = self.store.head_blocks();
                context.send(peer.0 as NodeId, Message::Heads { answer: false, blocks });
            }
            Effect::Reconsider => self.reconsider(context),
            Effect::Verdict { id, verdict } => {
                let Some(pending) = running.pending.remove(&id) else {
                    return context.ledger.fail(format!("a second verdict on {id:?}"));
                };
                self.judged(context, &pending, verdict);
            }
            Effect::Blame { peer, why } => {
                context.ledger.blames += 1;
                context.trace(|| format!("blames {} for {why:?}", peer.0));
                let honest = context.ledger.honest_natives.contains(&(peer.0 as NodeId));
                if honest && why != Offence::Flood {
                    context.ledger.fail(format!("honest node {} is blamed for {why:?}", peer.0));
                }
            }
        }
    }

    fn judged(
        &mut self,
        context: &mut Context<'_>,
        pending: &PendingAnnouncement,
        verdict: Verdict,
    ) {
        let count = match verdict {
            Verdict::Accept => &mut context.ledger.accepted,
            Verdict::Ignore => &mut context.ledger.ignored,
            Verdict::Reject => &mut context.ledger.rejected,
        };
        *count += 1;
        if verdict == Verdict::Accept {
            for (peer, _) in context.neighbours.clone() {
                if peer != pending.from {
                    let block = Arc::clone(&pending.block);
                    context.send(peer, Message::Announce { id: pending.id, block });
                }
            }
        }
    }

    /// Sees to it that the node is woken when something is due.
    fn set_alarm(&mut self, context: &mut Context<'_>) {
        let Some(running) = &mut self.running else { return };
        let asks = running.asks.values().map(|(_, until_ms)| *until_ms).min();
        let due = [Some(running.replicator.due_ms()), running.fetches.due_ms(), asks];
        let due = due.into_iter().flatten().min().unwrap_or(u64::MAX);
        if due < running.wake_ms {
            running.wake_ms = due;
            context.actions.push(Action::Wake(due));
        }
    }
}
