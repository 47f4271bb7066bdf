//! The replicator, one input at a time. What many of them do together is the simulator's.
#![allow(clippy::unwrap_used)]

mod world;

use std::sync::Arc;

use optimusdb_dag::join::{Proven, Replica};
use optimusdb_dag::limits::{
    ANNOUNCEMENT_WAIT_MS, ANNOUNCEMENTS_BURST_MAX, FETCHES_FIRST, HEADS_PERIOD_MS,
    NEW_PEER_SPREAD_MS, NEXT_LINKS_MAX, PEER_SPREAD_MS, PULL_GAP_MS, PULL_GAP_MS_MAX,
    PULL_PERIOD_MS, STORE_RETRY_MS_MAX, USELESS_BURST_MESSAGES_MAX,
};
use optimusdb_dag::replicator::{
    AnnouncementId, Effect, LocalStore, Offence, Peer, Replicator, Verdict,
};
use optimusdb_dag::sync::{Ask, Declined, Id, IdTree, Reply, Request, Summary, Tree};
use optimusdb_dag::{Access, AccessController, Entry, Identity, IdentityKeys, Ipld, Links, LogCid};
use world::{Memory, keys, log};

const NATIVE: Peer = Peer(1);
const PLAIN: Peer = Peer(2);

/// A node: what it has stored, and its replicator.
struct Node {
    disk: Disk,
    replicator: Replicator,
    now: u64,
    announcements: u64,
}

#[derive(Default)]
struct Disk {
    memory: Memory,
    tree: IdTree,
}

impl Disk {
    fn store(&mut self, effect: &Effect) {
        let Effect::Store { entries, identities, .. } = effect else {
            panic!("{effect:?} stores nothing")
        };
        for identity in identities {
            self.memory.identities.insert(identity.cid, Arc::clone(identity));
        }
        for entry in entries {
            self.tree.insert(Id { time: entry.clock().time, cid: entry.cid() });
            self.memory.store(entry.clone());
        }
    }
}

impl Replica for Disk {
    fn time_of(&self, cid: &LogCid) -> Option<u64> {
        self.memory.time_of(cid)
    }

    fn identity(&self, cid: &LogCid) -> Option<Arc<Identity>> {
        self.memory.identity(cid)
    }
}

impl LocalStore for Disk {
    fn tree(&self) -> &dyn Tree {
        &self.tree
    }
}

impl Node {
    /// A node that knows the identities of two writers, who may write, and of a third, who may not.
    fn new() -> Node {
        let mut node = Node::without_identities();
        for n in [1, 2, 3] {
            let identity = keys(n).identity().clone();
            node.disk.memory.identities.insert(identity.cid, identity);
        }
        node
    }

    fn without_identities() -> Node {
        let writers = [1, 2].map(|n| keys(n).identity().id.clone());
        let access = Access::fixed(AccessController::ipfs(writers.to_vec()));
        let replicator = Replicator::new(0, log(), access, 7);
        Node { disk: Disk::default(), replicator, now: 0, announcements: 0 }
    }

    fn peer(&mut self, peer: Peer, native: bool) -> Vec<Effect> {
        self.replicator.on_peer(self.now, &self.disk, peer, native)
    }

    fn announced(&mut self, peer: Peer, block: &[u8]) -> Vec<Effect> {
        self.announcements += 1;
        self.replicator.on_announced(
            self.now,
            &self.disk,
            peer,
            AnnouncementId(self.announcements),
            block,
        )
    }

    fn fetched(&mut self, cid: LogCid, block: Option<&[u8]>) -> Vec<Effect> {
        self.replicator.on_fetched(self.now, &self.disk, cid, block)
    }

    fn stored(&mut self, ok: bool) -> Vec<Effect> {
        self.replicator.on_stored(self.now, &self.disk, ok)
    }

    /// Lets time pass, tick by tick, and gives all that is done meanwhile.
    fn wait(&mut self, ms: u64) -> Vec<Effect> {
        let until = self.now + ms;
        let mut effects = Vec::new();
        while self.replicator.due_ms() <= until {
            assert!(effects.len() < 1_000, "too much is done");
            self.now = self.now.max(self.replicator.due_ms());
            effects.extend(self.replicator.on_tick(self.now, &self.disk));
        }
        self.now = until;
        effects
    }
}

fn entry(keys: &IdentityKeys, time: u64, next: &[&Entry]) -> Entry {
    let links = Links { next: next.iter().map(|entry| entry.cid()).collect(), refs: vec![], time };
    Entry::sign(keys, log(), links, Ipld::Null).unwrap()
}

fn verdicts(effects: &[Effect]) -> Vec<Verdict> {
    let verdict = |effect: &Effect| match effect {
        Effect::Verdict { verdict, .. } => Some(*verdict),
        _ => None,
    };
    effects.iter().filter_map(verdict).collect()
}

fn fetches(effects: &[Effect]) -> Vec<LogCid> {
    let fetch = |effect: &Effect| match effect {
        Effect::Fetch { cid, .. } => Some(*cid),
        _ => None,
    };
    effects.iter().filter_map(fetch).collect()
}

/// The entries of a store, if it is the only one.
fn stored(effects: &[Effect]) -> Option<Vec<LogCid>> {
    let entries = |effect: &Effect| match effect {
        Effect::Store { entries, .. } => Some(entries.iter().map(Entry::cid).collect()),
        _ => None,
    };
    let mut stores = effects.iter().filter_map(entries);
    let first = stores.next();
    assert_eq!(stores.next(), None, "two stores at a time");
    first
}

fn asks(effects: &[Effect]) -> Vec<(Peer, u64, Ask)> {
    let ask = |effect: &Effect| match effect {
        Effect::Ask { peer, number, request } => {
            Some((*peer, *number, Request::decode(request).unwrap().ask))
        }
        _ => None,
    };
    effects.iter().filter_map(ask).collect()
}

#[test]
fn each_announcement_gets_the_verdict_it_deserves() {
    let mut node = Node::new();
    node.peer(PLAIN, false);
    let good = entry(&keys(1), 1, &[]);
    let effects = node.announced(PLAIN, good.block());
    assert_eq!(verdicts(&effects), [Verdict::Accept]);
    assert_eq!(stored(&effects), Some(vec![good.cid()]));
    assert_eq!(verdicts(&node.announced(PLAIN, good.block())), [Verdict::Ignore], "again");

    let stranger = entry(&keys(3), 1, &[]);
    let mut forged = good.to_stored();
    forged.time = 2;
    let mut unbound = stranger.to_stored();
    unbound.identity = keys(1).identity().cid;
    let leap = entry(&keys(1), 5_000, &[]);
    for bad in [
        stranger.block().to_vec(),
        forged.block(),
        unbound.block(),
        leap.block().to_vec(),
        b"no entry".to_vec(),
    ] {
        let effects = node.announced(PLAIN, &bad);
        assert_eq!((verdicts(&effects), stored(&effects)), (vec![Verdict::Reject], None));
        assert_eq!(verdicts(&node.announced(PLAIN, &bad)), [Verdict::Reject], "again");
    }
}

#[test]
fn an_announcement_is_passed_on_before_its_ancestors_are_here() {
    let mut node = Node::new();
    node.peer(PLAIN, false);
    let one = entry(&keys(1), 1, &[]);
    let two = entry(&keys(1), 2, &[&one]);
    let effects = node.announced(PLAIN, two.block());
    assert_eq!(verdicts(&effects), [Verdict::Accept]);
    assert_eq!((stored(&effects), fetches(&effects)), (None, vec![one.cid()]));
    assert_eq!(node.replicator.behind(), Some(2));
    let effects = node.fetched(one.cid(), Some(one.block()));
    assert_eq!(stored(&effects), Some(vec![one.cid(), two.cid()]));
}

#[test]
fn an_announcement_waits_for_its_writers_identity_but_not_long() {
    let mut node = Node::without_identities();
    node.peer(PLAIN, false);
    let (writer, one) = (keys(1), entry(&keys(1), 1, &[]));
    let effects = node.announced(PLAIN, one.block());
    assert_eq!((verdicts(&effects), fetches(&effects)), (vec![], vec![writer.identity().cid]));
    let effects = node.fetched(writer.identity().cid, Some(&writer.identity().block));
    assert_eq!(verdicts(&effects), [Verdict::Accept]);
    assert_eq!(stored(&effects), Some(vec![one.cid()]));

    let slow = entry(&keys(2), 1, &[]);
    assert_eq!(verdicts(&node.announced(PLAIN, slow.block())), []);
    assert_eq!(verdicts(&node.wait(ANNOUNCEMENT_WAIT_MS)), [Verdict::Ignore]);
}

#[test]
fn a_verified_entry_is_not_verified_again() {
    let mut node = Node::new();
    node.peer(PLAIN, false);
    let one = entry(&keys(1), 1, &[]);
    let proven = Proven::new(one.clone(), keys(1).identity().clone(), &log()).unwrap();
    let effects = node.replicator.on_proven(0, &node.disk, PLAIN, AnnouncementId(1), proven);
    assert_eq!(
        (verdicts(&effects), stored(&effects)),
        (vec![Verdict::Accept], Some(vec![one.cid()]))
    );
}

#[test]
fn what_a_native_peer_announces_is_pulled_and_only_then_fetched() {
    let mut node = Node::new();
    let effects = node.peer(NATIVE, true);
    let [(NATIVE, number, Ask::Open { .. })] = asks(&effects)[..] else { panic!("{effects:?}") };
    let same = Reply::Root { newest: None, summary: Summary::EMPTY }.encode();
    node.replicator.on_reply(node.now, &node.disk, NATIVE, number, Some(&same));
    assert_eq!(node.replicator.behind(), Some(0));
    node.wait(5_000);

    let one = entry(&keys(1), 1, &[]);
    let two = entry(&keys(1), 2, &[&one]);
    let effects = node.announced(NATIVE, two.block());
    assert_eq!(fetches(&effects), []);
    let [(NATIVE, number, Ask::Open { .. })] = asks(&effects)[..] else { panic!("{effects:?}") };
    let busy = Reply::Declined(Declined::Busy).encode();
    let effects = node.replicator.on_reply(node.now, &node.disk, NATIVE, number, Some(&busy));
    assert_eq!(fetches(&effects), [one.cid()], "the pull brought nothing");
    assert_ne!(node.replicator.behind(), Some(0));
}

#[test]
fn one_store_at_a_time() {
    let mut node = Node::new();
    node.peer(PLAIN, false);
    let one = entry(&keys(1), 1, &[]);
    let two = entry(&keys(1), 2, &[&one]);
    let three = entry(&keys(1), 3, &[&two]);
    let first = node.announced(PLAIN, one.block());
    assert_eq!(stored(&first), Some(vec![one.cid()]));
    for later in [&two, &three] {
        let effects = node.announced(PLAIN, later.block());
        assert_eq!((verdicts(&effects), stored(&effects)), (vec![Verdict::Accept], None));
    }
    node.disk.store(first.iter().find(|effect| matches!(effect, Effect::Store { .. })).unwrap());
    assert_eq!(stored(&node.stored(true)), Some(vec![two.cid(), three.cid()]));
}

#[test]
fn a_store_that_fails_is_begun_anew_from_the_peers() {
    let mut node = Node::new();
    assert_eq!(asks(&node.peer(NATIVE, true)).len(), 1);
    let one = entry(&keys(1), 1, &[]);
    let two = entry(&keys(1), 2, &[&one]);
    assert!(stored(&node.announced(NATIVE, one.block())).is_some());
    assert_eq!(stored(&node.announced(NATIVE, two.block())), None);
    let effects = node.stored(false);
    assert_eq!(effects, [], "nothing at once: the disk may be full");
    let effects = node.wait(STORE_RETRY_MS_MAX);
    assert!(matches!(asks(&effects)[..], [(NATIVE, _, Ask::Open { .. }), ..]), "{effects:?}");
    // What was announced before comes in again.
    let effects = node.announced(NATIVE, one.block());
    assert_eq!(stored(&effects), Some(vec![one.cid()]));
}

#[test]
fn what_nobody_has_is_tried_again_later_and_later() {
    let mut node = Node::new();
    node.peer(PLAIN, false);
    let gone = entry(&keys(1), 1, &[]);
    let head = entry(&keys(1), 2, &[&gone]);
    node.announced(PLAIN, head.block());
    let (mut waits, mut before) = (Vec::new(), node.now);
    node.fetched(gone.cid(), None);
    for _ in 0..4 {
        while fetches(&node.wait(500)).is_empty() {}
        waits.push(node.now - before);
        before = node.now;
        // Its block is asked for again, and then the one that it lacks.
        assert_eq!(fetches(&node.fetched(head.cid(), Some(head.block()))), [gone.cid()]);
        node.fetched(gone.cid(), None);
    }
    assert!(waits.windows(2).all(|pair| pair[1] > pair[0]), "{waits:?}");

    node.peer(Peer(3), false);
    let effects = node.wait(3 * NEW_PEER_SPREAD_MS);
    assert_eq!(fetches(&effects), [head.cid()], "a new peer may have it");
}

#[test]
fn a_thousand_missing_parents_cost_a_handful_of_fetches() {
    let mut node = Node::new();
    node.peer(PLAIN, false);
    let next = (0..1_000u32).map(|n| LogCid::of(&n.to_be_bytes())).collect();
    let head =
        Entry::sign(&keys(1), log(), Links { next, refs: vec![], time: 9 }, Ipld::Null).unwrap();
    let mut asked = fetches(&node.announced(PLAIN, head.block()));
    assert_eq!(asked.len(), FETCHES_FIRST);
    // Meanwhile an honest head of somebody else is not held up.
    node.peer(Peer(3), false);
    let one = entry(&keys(2), 1, &[]);
    let two = entry(&keys(2), 2, &[&one]);
    assert_eq!(fetches(&node.announced(Peer(3), two.block())), [one.cid()]);
    while let Some(cid) = asked.pop() {
        asked.extend(fetches(&node.fetched(cid, None)));
    }
    assert_eq!(node.replicator.load().fetches, 1, "the honest one");
}

#[test]
fn a_flood_is_blamed_and_its_sender_no_longer_turned_to() {
    let mut node = Node::new();
    node.peer(NATIVE, true);
    node.wait(NEW_PEER_SPREAD_MS);
    let mut blames = Vec::new();
    for n in 0..4 * USELESS_BURST_MESSAGES_MAX {
        node.now += 1;
        let effects = node.announced(NATIVE, &n.to_be_bytes());
        blames.extend(effects.into_iter().filter(|effect| matches!(effect, Effect::Blame { .. })));
    }
    let flood = Effect::Blame { peer: NATIVE, why: Offence::Flood };
    assert_eq!(blames, [flood.clone(), flood.clone(), flood]);
    assert_eq!(asks(&node.wait(5 * PULL_PERIOD_MS)), [], "shunned");
}

#[test]
fn a_bad_reply_is_blamed_and_a_late_one_is_nobodys() {
    let mut node = Node::new();
    let number = asks(&node.peer(NATIVE, true))[0].1;
    let none = node.replicator.on_reply(node.now, &node.disk, NATIVE, number + 1, Some(b"?"));
    assert_eq!(none, []);
    let effects = node.replicator.on_reply(node.now, &node.disk, NATIVE, number, Some(b"?"));
    assert_eq!(effects, [Effect::Blame { peer: NATIVE, why: Offence::Forged }]);
}

#[test]
fn a_pull_without_an_answer_is_tried_again_soon_and_then_later_and_later() {
    let mut node = Node::new();
    let mut effects = node.peer(NATIVE, true);
    let mut waits = Vec::new();
    for _ in 0..12 {
        let began = node.now;
        let number = asks(&effects)[0].1;
        effects = node.replicator.on_reply(node.now, &node.disk, NATIVE, number, None);
        while asks(&effects).is_empty() {
            effects = node.wait(1);
        }
        waits.push(node.now - began);
    }
    let expected = (1..=12).map(|tries| (PULL_GAP_MS << tries).min(PULL_GAP_MS_MAX));
    assert_eq!(waits, expected.collect::<Vec<_>>());
}

#[test]
fn the_only_peer_is_turned_to_at_once_and_many_one_by_one() {
    const OTHERS: u64 = 40;
    let mut node = Node::new();
    assert_eq!(asks(&node.peer(NATIVE, true)).len(), 1);
    let mut times = Vec::new();
    for other in 0..OTHERS {
        let mut node = Node::new();
        for plain in 1..=other {
            node.peer(Peer(1_000 + plain), false);
        }
        let mut effects = node.peer(NATIVE, true);
        while asks(&effects).is_empty() {
            effects = node.wait(1);
        }
        assert!(node.now <= NEW_PEER_SPREAD_MS.min(other * PEER_SPREAD_MS), "{other}");
        times.push(node.now);
    }
    assert!(times[1..].iter().any(|ms| *ms > NEW_PEER_SPREAD_MS / 4), "{times:?}");
}

#[test]
fn peers_are_turned_to_from_time_to_time() {
    let mut node = Node::new();
    node.peer(PLAIN, false);
    let heads = |effects: &[Effect]| {
        effects.iter().filter(|effect| matches!(effect, Effect::SendHeads { peer: PLAIN })).count()
    };
    assert_eq!(heads(&node.wait(NEW_PEER_SPREAD_MS)), 1);
    assert!((7..=14).contains(&heads(&node.wait(10 * HEADS_PERIOD_MS))));
    node.replicator.on_peer_gone(node.now, &node.disk, PLAIN);
    assert_eq!(heads(&node.wait(10 * HEADS_PERIOD_MS)), 0);

    node.peer(NATIVE, true);
    let mut pulls = 0;
    for _ in 0..100 {
        for (peer, number, _) in asks(&node.wait(PULL_PERIOD_MS / 10)) {
            let same = Reply::Root { newest: None, summary: Summary::EMPTY }.encode();
            node.replicator.on_reply(node.now, &node.disk, peer, number, Some(&same));
            pulls += 1;
        }
    }
    assert!((8..=16).contains(&pulls), "{pulls}");
}

/// Heads with as many parents as may be, of which nobody has one: from who shows them among its own heads, and
/// from who passes announcements of them on. A native peer answers that it has what this node has.
#[test]
fn who_shows_heads_that_lead_nowhere_is_no_longer_heard() {
    for (peer, shows) in [(PLAIN, true), (PLAIN, false), (NATIVE, true), (NATIVE, false)] {
        let (mut node, mut blames, mut asked) = (Node::new(), Vec::new(), 0);
        node.peer(peer, peer == NATIVE);
        for number in 0..100u64 {
            let nowhere = |n: u64| LogCid::of(&[number.to_be_bytes(), n.to_be_bytes()].concat());
            let next = (0..NEXT_LINKS_MAX as u64).map(nowhere).collect();
            let links = Links { next, refs: vec![], time: 9 };
            let head = Entry::sign(&keys(1), log(), links, Ipld::Null).unwrap();
            let mut effects = if shows {
                let blocks = [head.block().to_vec()];
                node.replicator.on_heads(node.now, &node.disk, peer, &blocks)
            } else {
                node.announced(peer, head.block())
            };
            effects.extend(node.wait(100));
            while let Some(effect) = effects.pop() {
                match effect {
                    Effect::Fetch { cid, .. } => {
                        asked += 1;
                        effects.extend(node.fetched(cid, None));
                    }
                    Effect::Ask { peer, number, .. } => {
                        let level = Reply::Root { newest: None, summary: Summary::EMPTY }.encode();
                        let (now, disk) = (node.now, &node.disk);
                        effects.extend(node.replicator.on_reply(
                            now,
                            disk,
                            peer,
                            number,
                            Some(&level),
                        ));
                    }
                    Effect::Blame { .. } => blames.push(effect),
                    _ => {}
                }
            }
        }
        let waste = Effect::Blame { peer, why: Offence::Waste };
        assert_eq!(blames.contains(&waste), shows, "{peer:?}: {blames:?}");
        assert!(blames.len() <= 10, "once a second");
        assert!(asked < 10 * NEXT_LINKS_MAX, "{asked} blocks were asked for in vain");
        // Somebody else is heard as before.
        node.peer(Peer(3), false);
        let one = entry(&keys(2), 1, &[]);
        assert_eq!(verdicts(&node.announced(Peer(3), one.block())), [Verdict::Accept]);
    }
}

/// One head names an ancestor that exists nowhere beside those of another's good head: only it is given up.
#[test]
fn a_head_that_leads_nowhere_takes_no_other_with_it() {
    let mut node = Node::new();
    node.peer(PLAIN, false);
    node.peer(Peer(3), false);
    let old: Vec<Entry> = (1..=100).map(|time| entry(&keys(1), time, &[])).collect();
    let nowhere = LogCid::of(b"nowhere");
    let mut next: Vec<LogCid> = old.iter().map(Entry::cid).collect();
    let good = entry(&keys(1), 101, &old.iter().collect::<Vec<_>>());
    next.push(nowhere);
    let links = Links { next, refs: vec![], time: 101 };
    let bad = Entry::sign(&keys(2), log(), links, Ipld::Null).unwrap();
    let mut effects = Vec::new();
    for (peer, head) in [(PLAIN, &bad), (Peer(3), &good)] {
        let blocks = [head.block().to_vec()];
        effects.extend(node.replicator.on_heads(node.now, &node.disk, peer, &blocks));
    }
    effects.extend(node.fetched(nowhere, None));
    let mut came = 0;
    while let Some(effect) = effects.pop() {
        match effect {
            Effect::Fetch { cid, .. } => {
                let block = old.iter().find(|entry| entry.cid() == cid).map(Entry::block);
                effects.extend(node.fetched(cid, block));
            }
            Effect::Store { .. } => {
                came += 1;
                node.disk.store(&effect);
                effects.extend(node.stored(true));
            }
            _ => {}
        }
    }
    assert!(came > 0 && node.disk.time_of(&good.cid()).is_some(), "the good head is here");
}

#[test]
fn what_is_too_many_to_be_looked_at_is_known_before_and_pulled() {
    let mut node = Node::new();
    node.peer(NATIVE, true);
    node.wait(5 * NEW_PEER_SPREAD_MS);
    let looked_at = (0..10 * ANNOUNCEMENTS_BURST_MAX).filter(|number| {
        let looks = !node.replicator.is_excess(node.now, NATIVE);
        if looks {
            node.announced(NATIVE, entry(&keys(1), number + 1, &[]).block());
        }
        looks
    });
    let looked_at = looked_at.count() as u64;
    assert_eq!(looked_at, ANNOUNCEMENTS_BURST_MAX);
    node.now += 1_000;
    assert!(!node.replicator.is_excess(node.now, NATIVE));
    assert!(!node.replicator.is_excess(node.now, Peer(3)), "of others nothing is known");
}

/// What comes for nothing may come as fast as the fastest writer's announcements for a minute.
#[test]
fn who_floods_is_blamed_and_who_writes_fast_is_not() {
    for (per_second, seconds, is_blamed) in [(2_000, 60, false), (4_000, 60, true)] {
        let (mut node, mut wasted) = (Node::new(), 0);
        node.peer(NATIVE, true);
        for number in 0..per_second * seconds {
            node.now = 1_000 * number / per_second;
            node.replicator.on_author(node.now, NATIVE);
            if number % 100 == 0 {
                let effects = node.announced(NATIVE, &number.to_be_bytes());
                let waste = Effect::Blame { peer: NATIVE, why: Offence::Waste };
                wasted += usize::from(effects.contains(&waste));
            }
        }
        assert_eq!(wasted > 0, is_blamed, "{per_second} a second");
    }
}
