//! Who may append: lists, access logs, and what follows for a join when they change.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use optimusdb_dag::join::{Join, JoinEffect, JoinLimits, Proven, Replica};
use optimusdb_dag::limits::{
    ACCESS_EVER_WRITERS_MAX, ACCESS_VOUCHED_ENTRIES_MAX, ACCESS_WRITERS_MAX, REVOKE_HEADS_MAX,
};
use optimusdb_dag::{
    Access, AccessController, Address, Capabilities, Capability, Entry, Error, Identity, Ipld,
    Kind, LogCid, LogTip, Operation, OrderKey, Standing, value,
};
use proptest::prelude::*;
use std::sync::Arc;
use world::{Memory, Peer, entry, keys, log};

const ALICE: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;

fn id(seed: u8) -> String {
    keys(seed).identity().id.clone()
}

/// An access log that Alice owns, as far as it is known to somebody.
#[derive(Clone)]
struct Ruler {
    tip: LogTip,
    entries: Vec<Entry>,
}

impl Ruler {
    fn new() -> Ruler {
        let log = Address::of_manifest(LogCid::of(b"an access log"));
        Ruler { tip: LogTip::new(log, vec![]), entries: vec![] }
    }

    /// With Bob as a writer.
    fn of_bob() -> Ruler {
        let mut ruler = Ruler::new();
        ruler.grant(Capability::Write, BOB);
        ruler
    }

    fn append(&mut self, payload: Ipld) {
        let entry = self.tip.append(&keys(ALICE), payload, &mut |_| None).unwrap();
        self.entries.push(entry);
    }

    fn grant(&mut self, capability: Capability, seed: u8) {
        let operation = self.capabilities().grant(capability, &id(seed)).unwrap();
        self.append(operation.into_payload(None));
    }

    fn revoke(&mut self, capability: Capability, seed: u8, heads: &[LogCid]) {
        let payload = self.capabilities().revoke(capability, &id(seed), heads, None);
        self.append(payload);
    }

    fn capabilities(&self) -> Capabilities {
        fold(&self.entries)
    }

    fn access(&self) -> Access {
        Access::mutable(self.capabilities())
    }
}

fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Capabilities {
    let mut capabilities = Capabilities::new(AccessController::ipfs(vec![id(ALICE)]));
    entries.into_iter().for_each(|entry| capabilities.add(&entry.order(), entry.payload()));
    capabilities
}

/// A node that follows a log.
struct Node {
    join: Join,
    replica: Memory,
}

impl Node {
    fn new(access: Access) -> Node {
        Node::with(access, JoinLimits::default())
    }

    fn with(access: Access, limits: JoinLimits) -> Node {
        let mut replica = Memory::default();
        for seed in [ALICE, BOB, CAROL] {
            let identity = keys(seed).identity().clone();
            replica.identities.insert(identity.cid, identity);
        }
        Node { join: Join::with_limits(log(), access, limits), replica }
    }

    fn heads(&mut self, peer: &Peer, heads: &[&Entry]) -> &mut Node {
        let heads: Vec<LogCid> = heads.iter().map(|entry| entry.cid()).collect();
        peer.join(&mut self.join, &mut self.replica, &heads, |_| 0);
        self
    }

    /// Verified entries in the order in which fast sync brings them.
    fn stream(&mut self, peer: &Peer, entries: &[&Entry]) -> &mut Node {
        let mut entries: Vec<&Entry> = entries.to_vec();
        entries.sort_by_key(|entry| entry.order());
        for entry in entries {
            let effects = self.join.on_proven(&self.replica, proven(entry));
            peer.answer(&mut self.join, &mut self.replica, effects, &mut |_| 0);
        }
        self
    }

    fn learn(&mut self, peer: &Peer, access: Access) -> &mut Node {
        let effects = self.join.set_access(&self.replica, access);
        peer.answer(&mut self.join, &mut self.replica, effects, &mut |_| 0);
        let passed: Vec<_> = self.replica.passed.values().cloned().collect();
        for passed in passed {
            let effects = self.join.reconsider(&self.replica, &passed.block);
            self.replica.take(effects);
        }
        self
    }

    fn has(&self, entries: &[&Entry]) -> bool {
        self.replica.cids() == entries.iter().map(|entry| entry.cid()).collect()
    }

    fn deferred(&self, entry: &Entry) -> Option<&Error> {
        self.replica.deferred.get(&entry.cid())
    }
}

fn proven(entry: &Entry) -> Proven {
    let seeds = [ALICE, BOB, CAROL].map(keys);
    let writer = seeds.iter().find(|keys| keys.identity().public_key == entry.key()).unwrap();
    Proven::new(entry.clone(), writer.identity().clone(), &log()).unwrap()
}

fn peer(entries: &[&Entry]) -> Peer {
    Peer::with(entries.iter().copied().cloned(), &[&keys(ALICE), &keys(BOB), &keys(CAROL)])
}

fn identity(seed: u8) -> Arc<Identity> {
    keys(seed).identity().clone()
}

#[test]
fn a_list_knows_no_former_writers() {
    let access = Access::from(AccessController::ipfs(vec![id(ALICE)]));
    assert_eq!(access.judge(&identity(ALICE)), Standing::Allowed);
    assert_eq!(access.judge(&identity(BOB)), Standing::Never);
    assert!(!access.is_mutable() && !access.vouches(&LogCid::of(b"x")));
    let anyone = Access::from(AccessController::ipfs(vec!["*".into()]));
    assert_eq!(anyone.judge(&identity(BOB)), Standing::Allowed);
}

#[test]
fn grants_and_revokes() {
    let mut ruler = Ruler::new();
    let judge = |ruler: &Ruler, seed| ruler.access().judge(&identity(seed));
    assert_eq!(judge(&ruler, ALICE), Standing::Allowed, "who writes the access log may write");
    assert_eq!(judge(&ruler, BOB), Standing::Never);
    ruler.grant(Capability::Write, BOB);
    ruler.grant(Capability::Write, BOB);
    ruler.grant(Capability::Admin, CAROL);
    assert_eq!(judge(&ruler, BOB), Standing::Allowed);
    assert_eq!(judge(&ruler, CAROL), Standing::Allowed, "an admin may write");
    assert_eq!(ruler.capabilities().holders(Capability::Write), [id(BOB)]);
    ruler.revoke(Capability::Write, BOB, &[]);
    ruler.revoke(Capability::Admin, CAROL, &[]);
    ruler.revoke(Capability::Write, ALICE, &[]);
    assert_eq!(judge(&ruler, BOB), Standing::Former);
    assert_eq!(judge(&ruler, CAROL), Standing::Former);
    assert_eq!(judge(&ruler, ALICE), Standing::Allowed);
    ruler.grant(Capability::Write, BOB);
    assert_eq!(judge(&ruler, BOB), Standing::Allowed);
    // Anyone.
    let operation = ruler.capabilities().grant(Capability::Write, "*").unwrap();
    ruler.append(operation.into_payload(None));
    assert_eq!(ruler.access().judge(&identity(9)), Standing::Allowed);
    let payload = ruler.capabilities().revoke(Capability::Write, "*", &[], None);
    ruler.append(payload);
    assert_eq!(ruler.access().judge(&identity(9)), Standing::Former);
    assert_eq!(judge(&ruler, BOB), Standing::Allowed, "his grant is another");
}

/// The operations are those of other implementations.
#[test]
fn what_grants_and_revokes_write() {
    let none = Ruler::new().capabilities();
    let list = |ids: &[String]| Ipld::List(ids.iter().cloned().map(Ipld::String).collect());
    let put = |ids: &[String]| Operation::Put { key: "write".into(), value: list(ids) };
    assert_eq!(none.grant(Capability::Write, &id(BOB)), Ok(put(&[id(BOB)])));
    let mut ruler = Ruler::of_bob();
    assert_eq!(
        ruler.capabilities().grant(Capability::Write, &id(CAROL)),
        Ok(put(&[id(BOB), id(CAROL)]))
    );
    ruler.grant(Capability::Write, CAROL);
    let capabilities = ruler.capabilities();
    let (bob, one) = (id(BOB), LogCid::of(b"1"));
    assert_eq!(
        capabilities.revoke(Capability::Write, &bob, &[], Some(7)),
        put(&[id(CAROL)]).into_payload(Some(7))
    );
    let Ipld::Map(fields) = capabilities.revoke(Capability::Write, &bob, &[one], None) else {
        panic!("not a map")
    };
    let expected = Ipld::List(vec![Ipld::String(one.to_string())]);
    assert_eq!(fields["heads"], expected);
    assert_eq!(fields["op"], Ipld::String("PUT".into()));
    let Ipld::Map(fields) = none.revoke(Capability::Admin, &bob, &[], None) else {
        panic!("not a map")
    };
    assert_eq!((&fields["op"], &fields["value"]), (&Ipld::String("DEL".into()), &Ipld::Null));
    assert!(!fields.contains_key("heads"));
    assert_eq!(none.grant(Capability::Write, "bob"), Err(Error::PublicKey));
    assert_eq!("delete".parse::<Capability>(), Err(Error::Capability));
    assert_eq!("admin".parse(), Ok(Capability::Admin));
    assert_eq!(none.owners().write, [id(ALICE)]);
}

#[test]
fn payloads_that_grant_nothing() {
    let text = |text: &str| Ipld::String(text.into());
    let id = id(BOB);
    let payload = |op: &str, key: Ipld, value: Ipld| {
        Ipld::Map(BTreeMap::from([
            ("op".into(), text(op)),
            ("key".into(), key),
            ("value".into(), value),
        ]))
    };
    let list = Ipld::List(vec![text(&id)]);
    let many = Ipld::List(vec![text(&id); ACCESS_WRITERS_MAX + 1]);
    let cases = [
        Ipld::Null,
        Ipld::Bytes(vec![1]),
        payload("ADD", text("write"), list.clone()),
        payload("PUT", text("delete"), list.clone()),
        payload("PUT", Ipld::Null, list.clone()),
        payload("PUT", text("write"), text(&id)),
        payload("PUT", text("write"), Ipld::List(vec![text(&id), Ipld::Null])),
        payload("PUT", text("write"), many),
        payload("DEL", text("write"), list.clone()),
        payload("PUT", text("constructor"), list),
    ];
    for payload in cases {
        let mut ruler = Ruler::new();
        ruler.append(payload.clone());
        assert_eq!(ruler.access().judge(&identity(BOB)), Standing::Never, "{payload:?}");
    }
    // Ids that do not exist here stay in the list for those that know them.
    let mut ruler = Ruler::new();
    ruler.append(payload("PUT", text("write"), Ipld::List(vec![text("did:key:x")])));
    assert_eq!(
        ruler.capabilities().grant(Capability::Write, &id),
        Ok(Operation::Put {
            key: "write".into(),
            value: Ipld::List(vec![text("did:key:x"), text(&id)])
        })
    );
}

#[test]
fn what_access_keeps_is_bounded() {
    let order = |time: u64| OrderKey { time, id: "x".into(), cid: LogCid::of(&time.to_be_bytes()) };
    let fake = |n: usize| format!("{n:066x}");
    let mut one = Ruler::new().capabilities();
    let lists = ACCESS_EVER_WRITERS_MAX / ACCESS_WRITERS_MAX + 2;
    let payload = |n: usize| {
        let ids = n * ACCESS_WRITERS_MAX..(n + 1) * ACCESS_WRITERS_MAX;
        let value = Ipld::List(ids.map(|n| Ipld::String(fake(n))).collect());
        Operation::Put { key: "write".into(), value }.into_payload(None)
    };
    (0..lists).for_each(|n| one.add(&order(n as u64), &payload(n)));
    let mut other = Ruler::new().capabilities();
    (0..lists).rev().for_each(|n| other.add(&order(n as u64), &payload(n)));
    assert_eq!(one, other);
    assert_eq!(one.judge(&fake(0)), Standing::Former);
    assert_eq!(one.judge(&fake(ACCESS_EVER_WRITERS_MAX + 1)), Standing::Never);
    assert_eq!(one.judge(&fake(lists * ACCESS_WRITERS_MAX - 1)), Standing::Allowed);
    assert_eq!(one.grant(Capability::Write, "*"), Err(Error::TooManyWriters));

    // Of the heads that revokes name, those of the newest stay.
    let heads = |n: usize| -> Vec<LogCid> {
        (0..REVOKE_HEADS_MAX)
            .map(|m| LogCid::of(&[n.to_be_bytes(), m.to_be_bytes()].concat()))
            .collect()
    };
    let revokes = ACCESS_VOUCHED_ENTRIES_MAX / REVOKE_HEADS_MAX + 1;
    let payload = |n: usize| one.revoke(Capability::Admin, "x", &heads(n), None);
    let (mut forth, mut back) = (Ruler::new().capabilities(), Ruler::new().capabilities());
    (0..revokes).for_each(|n| forth.add(&order(n as u64), &payload(n)));
    (0..revokes).rev().chain(0..revokes).for_each(|n| back.add(&order(n as u64), &payload(n)));
    assert_eq!(forth, back);
    assert!(heads(0).iter().all(|cid| !forth.vouches(cid)));
    assert!((1..revokes).all(|n| heads(n).iter().all(|cid| forth.vouches(cid))));

    let Ipld::Map(mut fields) = payload(0) else { panic!("not a map") };
    let more: Vec<Ipld> = [heads(0), vec![LogCid::of(b"x")]]
        .concat()
        .iter()
        .map(|cid| Ipld::String(cid.to_string()))
        .collect();
    let mut capabilities = Ruler::new().capabilities();
    for value in [Ipld::List(more), Ipld::Null, Ipld::List(vec![Ipld::Null])] {
        fields.insert("heads".into(), value);
        capabilities.add(&order(1), &Ipld::Map(fields.clone()));
    }
    assert!(heads(0).iter().all(|cid| !capabilities.vouches(cid)));
    let Ipld::Map(fields) =
        one.revoke(Capability::Admin, "x", &[heads(0), heads(1)].concat(), None)
    else {
        panic!("not a map")
    };
    assert!(matches!(&fields["heads"], Ipld::List(named) if named.len() == REVOKE_HEADS_MAX));
    assert!(value::encode(&Ipld::Map(fields)).unwrap().len() < 64 * 1024);
}

#[test]
fn written_before_a_revoke_and_built_on() {
    let mut ruler = Ruler::of_bob();
    let one = entry(&keys(BOB), 1, &[]);
    let two = entry(&keys(BOB), 2, &[&one]);
    let three = entry(&keys(ALICE), 3, &[&two]);
    let all = [&one, &two, &three];
    let peer = peer(&all);
    ruler.revoke(Capability::Write, BOB, &[]);
    // A new node that knows of the revoke from the start; by heads, and streamed.
    assert!(Node::new(ruler.access()).heads(&peer, &[&three]).has(&all));
    let mut node = Node::new(ruler.access());
    assert!(node.stream(&peer, &all).has(&all));
    assert_eq!(node.deferred(&two), Some(&Error::AccessRevoked));
    assert_eq!(node.replica.rejected, BTreeMap::new(), "nobody is to blame");
}

#[test]
fn written_before_a_revoke_and_not_built_on() {
    let mut ruler = Ruler::of_bob();
    let one = entry(&keys(BOB), 1, &[]);
    let two = entry(&keys(BOB), 2, &[&one]);
    let peer = peer(&[&one, &two]);
    // Whoever joined it before keeps it.
    let mut old = Node::new(ruler.access());
    old.heads(&peer, &[&two]);
    let bare = {
        let mut ruler = ruler.clone();
        ruler.revoke(Capability::Write, BOB, &[]);
        ruler.access()
    };
    ruler.revoke(Capability::Write, BOB, &[two.cid()]);
    old.learn(&peer, bare.clone());
    assert!(old.has(&[&one, &two]));
    // A new node does not take it until somebody who may write builds on it.
    let mut new = Node::new(bare.clone());
    new.heads(&peer, &[&two]);
    assert!(new.has(&[]));
    assert_eq!(new.deferred(&two), Some(&Error::AccessRevoked));
    assert_eq!(Error::AccessRevoked.kind(), Kind::Unavailable);
    let three = entry(&keys(ALICE), 3, &[&two]);
    let fetches = peer.announce(&mut new.join, &mut new.replica, three.block());
    assert_eq!(fetches, 1, "what was put off is at hand, what is below it is not");
    assert!(new.has(&[&one, &two, &three]));
    // The revoke that names it vouches for it, whenever that becomes known.
    let mut told = Node::new(ruler.access());
    assert!(told.heads(&peer, &[&two]).has(&[&one, &two]));
    let mut late = Node::new(bare);
    assert!(late.heads(&peer, &[&two]).has(&[]));
    assert!(late.learn(&peer, ruler.access()).has(&[&one, &two]));
}

#[test]
fn written_after_a_revoke() {
    let mut ruler = Ruler::of_bob();
    let one = entry(&keys(BOB), 1, &[]);
    ruler.revoke(Capability::Write, BOB, &[one.cid()]);
    let two = entry(&keys(BOB), 2, &[&one]);
    let peer = self::peer(&[&one, &two]);
    let mut node = Node::new(ruler.access());
    node.heads(&peer, &[&one, &two]);
    assert!(node.has(&[&one]), "what the revoke names is in, what came after is not");
    // Granted again, all of it comes in.
    ruler.grant(Capability::Write, BOB);
    assert!(node.learn(&peer, ruler.access()).has(&[&one, &two]));
}

/// Cut off from the access log, one side goes on writing and others build on it.
#[test]
fn written_on_the_other_side_of_a_partition() {
    let mut ruler = Ruler::of_bob();
    ruler.grant(Capability::Write, CAROL);
    let before = ruler.access();
    let one = entry(&keys(ALICE), 1, &[]);
    let two = entry(&keys(BOB), 2, &[&one]);
    let three = entry(&keys(CAROL), 3, &[&two]);
    let tail = entry(&keys(BOB), 4, &[&three]);
    let aside = entry(&keys(BOB), 2, &[&one]);
    let peer = peer(&[&one, &two, &three, &tail, &aside]);
    ruler.revoke(Capability::Write, BOB, &[one.cid()]);
    let mut there = Node::new(before);
    there.heads(&peer, &[&tail, &aside]);
    let mut here = Node::new(ruler.access());
    here.heads(&peer, &[&one]);
    // It heals.
    there.learn(&peer, ruler.access());
    here.heads(&peer, &[&tail, &aside, &three]);
    assert!(here.has(&[&one, &two, &three]), "what Carol built on is in");
    assert!(there.has(&[&one, &two, &three, &tail, &aside]), "nothing is taken back");
    // The next entry of one who may write on that side makes them equal.
    let merge = entry(&keys(CAROL), 5, &[&tail, &aside]);
    let peer = self::peer(&[&one, &two, &three, &tail, &aside, &merge]);
    here.heads(&peer, &[&merge]);
    there.heads(&peer, &[&merge]);
    assert_eq!(here.replica.cids(), there.replica.cids());
    assert_eq!(here.replica.heads(), there.replica.heads());
}

#[test]
fn never_granted() {
    let ruler = Ruler::of_bob();
    let one = entry(&keys(BOB), 1, &[]);
    let bad = entry(&keys(CAROL), 2, &[&one]);
    let two = entry(&keys(BOB), 3, &[&bad]);
    let peer = peer(&[&one, &bad, &two]);
    let mut node = Node::new(ruler.access());
    node.heads(&peer, &[&bad]);
    assert!(node.has(&[]));
    assert_eq!(node.deferred(&bad), Some(&Error::AccessNotGranted));
    node.heads(&peer, &[&two]);
    assert!(node.has(&[&one, &two]));
    assert_eq!(node.replica.passed.keys().collect::<Vec<_>>(), [&bad.cid()]);
    assert_eq!(node.replica.heads(), [two.cid()]);
    // An access log that says nothing new restores nothing.
    node.learn(&peer, ruler.access());
    assert!(node.has(&[&one, &two]));
}

#[test]
fn granted_later() {
    let mut ruler = Ruler::of_bob();
    let one = entry(&keys(BOB), 1, &[]);
    let carols = entry(&keys(CAROL), 2, &[&one]);
    let more = entry(&keys(CAROL), 3, &[&carols]);
    let two = entry(&keys(BOB), 4, &[&more]);
    let tail = entry(&keys(CAROL), 5, &[&two]);
    let all = [&one, &carols, &more, &two, &tail];
    let peer = peer(&all);
    let early = ruler.access();
    ruler.grant(Capability::Write, CAROL);
    let mut knowing = Node::new(ruler.access());
    assert!(knowing.heads(&peer, &[&tail]).has(&all));
    // The grant comes after all of it, in between, and is revoked again.
    let mut late = Node::new(early.clone());
    late.heads(&peer, &[&tail]).heads(&peer, &[&two]);
    assert!(late.has(&[&one, &two]));
    late.learn(&peer, ruler.access());
    let mut between = Node::new(early.clone());
    between.stream(&peer, &[&one, &carols, &more, &two]).learn(&peer, ruler.access());
    between.stream(&peer, &[&tail]);
    for node in [&late, &between] {
        assert!(node.has(&all));
        assert_eq!(node.replica.passed.len(), 0);
        assert_eq!(node.replica.heads(), knowing.replica.heads());
        assert_eq!(node.replica.winners(), knowing.replica.winners());
    }
    ruler.revoke(Capability::Write, CAROL, &[]);
    let mut former = Node::new(early);
    former.heads(&peer, &[&tail]).heads(&peer, &[&two]).learn(&peer, ruler.access());
    assert!(former.has(&[&one, &carols, &more, &two]), "built on, and so restored");
    assert_eq!(former.replica.heads(), [two.cid()]);
}

/// The grant becomes known while the entry is fetched, or waits as passed over.
#[test]
fn granted_in_between() {
    let mut ruler = Ruler::of_bob();
    let early = ruler.access();
    ruler.grant(Capability::Write, CAROL);
    let one = entry(&keys(BOB), 1, &[]);
    let carols = entry(&keys(CAROL), 2, &[&one]);
    let slow = entry(&keys(BOB), 1, &[]);
    assert_eq!(slow, one);
    let slow = entry(&keys(ALICE), 1, &[]);
    let two = entry(&keys(BOB), 3, &[&carols, &slow]);
    for learn_after in 0..4 {
        let mut node = Node::new(early.clone());
        let feed = |n: usize, node: &mut Node| {
            if learn_after == n {
                let effects = node.join.set_access(&node.replica, ruler.access());
                node.replica.take(effects);
            }
        };
        let effects = node.join.on_announced(&node.replica, two.block());
        node.replica.take(effects);
        for (n, entry) in [&carols, &one, &slow].into_iter().enumerate() {
            feed(n, &mut node);
            let effects = node.join.on_block(&node.replica, entry.cid(), entry.block());
            node.replica.take(effects);
        }
        let known = learn_after < 3;
        assert_eq!(node.replica.entries.contains_key(&carols.cid()), known, "{learn_after}");
        assert_eq!(node.replica.passed.contains_key(&carols.cid()), !known);
        assert_eq!(node.replica.heads(), [two.cid()]);
        feed(3, &mut node);
        node.learn(&peer(&[]), ruler.access());
        assert!(node.has(&[&one, &carols, &slow, &two]));
        assert_eq!(node.replica.heads(), [two.cid()]);
    }
}

/// What waits for its parents is judged by what is known when they are here.
#[test]
fn revoked_in_between() {
    let mut ruler = Ruler::of_bob();
    let one = entry(&keys(ALICE), 1, &[]);
    let two = entry(&keys(BOB), 2, &[&one]);
    let mut node = Node::new(ruler.access());
    let effects = node.join.on_announced(&node.replica, two.block());
    assert_eq!(node.replica.take(effects), [one.cid()]);
    ruler.revoke(Capability::Write, BOB, &[]);
    let effects = node.join.set_access(&node.replica, ruler.access());
    assert_eq!(effects, []);
    let effects = node.join.on_block(&node.replica, one.cid(), one.block());
    node.replica.take(effects);
    assert!(node.has(&[&one]) && node.join.is_idle());
    assert_eq!(node.deferred(&two), Some(&Error::AccessRevoked));
    ruler.grant(Capability::Write, BOB);
    assert!(node.learn(&peer(&[]), ruler.access()).has(&[&one, &two]));
}

#[test]
fn what_is_put_off_is_bounded_and_fetched_again() {
    let mut ruler = Ruler::of_bob();
    ruler.revoke(Capability::Write, BOB, &[]);
    let mut chain = vec![entry(&keys(BOB), 1, &[])];
    for time in 2..=100 {
        chain.push(entry(&keys(BOB), time, &[&chain[chain.len() - 1]]));
    }
    let head = entry(&keys(ALICE), 101, &[&chain[99]]);
    let all: Vec<&Entry> = chain.iter().chain([&head]).collect();
    let block = chain[50].block().len();
    for limits in [
        JoinLimits { deferred_max: 10, ..JoinLimits::default() },
        JoinLimits { deferred_bytes_max: 10 * block + 10, ..JoinLimits::default() },
    ] {
        let mut node = Node::with(ruler.access(), limits);
        let streamed: Vec<&Entry> = chain.iter().collect();
        node.stream(&peer(&[]), &streamed);
        assert!(node.has(&[]));
        let fetches = peer(&all).join(&mut node.join, &mut node.replica, &[head.cid()], |_| 0);
        assert_eq!(fetches, 91, "the head and what was forgotten");
        assert!(node.has(&all));
    }
}

#[test]
fn entries_verified_elsewhere() {
    let ruler = Ruler::of_bob();
    let one = entry(&keys(BOB), 1, &[]);
    let two = entry(&keys(ALICE), 2, &[&one]);
    let three = entry(&keys(BOB), 3, &[&two]);
    let leap = entry(&keys(BOB), 9_999, &[&one]);
    let forged = world::forged(&keys(CAROL), &keys(BOB), 1, &[]);
    let prove = |entry: &Entry, seed| Proven::new(entry.clone(), identity(seed), &log());
    assert_eq!(prove(&forged, BOB), Err(Error::KeyNotBound));
    assert_eq!(prove(&one, CAROL), Err(Error::WrongIdentity));
    let elsewhere = Address::of_manifest(LogCid::of(b"another"));
    assert_eq!(Proven::new(one.clone(), identity(BOB), &elsewhere), Err(Error::WrongLog));
    let mut parts = one.to_stored();
    parts.time = 2;
    let changed = Entry::decode(LogCid::of(&parts.block()), &parts.block()).unwrap();
    assert_eq!(prove(&changed, BOB), Err(Error::SignatureWrong));

    // Nothing is fetched, one step for all, identities once.
    let mut replica = Memory::default();
    let mut join = Join::new(log(), ruler.access());
    let effects = join.on_all_proven(&replica, [&one, &two, &three].map(proven));
    let entries = vec![one.clone(), two.clone(), three.clone()];
    let identities = vec![identity(BOB), identity(ALICE)];
    assert_eq!(effects, [JoinEffect::Ready { entries, identities, passed: vec![] }]);
    replica.take(effects);
    assert_eq!(join.on_all_proven(&replica, [&one, &two, &three].map(proven)), []);
    let effects = join.on_proven(&replica, proven(&leap));
    assert!(matches!(&effects[..], [JoinEffect::Reject { why: Error::ClockJump { .. }, .. }]));
    assert_eq!(join.on_proven(&replica, proven(&leap)), effects, "it is remembered");
    let effects = join.on_proven(&replica, proven(&entry(&keys(CAROL), 4, &[])));
    assert!(matches!(&effects[..], [JoinEffect::Deferred { why: Error::AccessNotGranted, .. }]));

    // Its parent is missing; then it is a head like any other.
    let mut replica = Memory::default();
    let mut join = Join::new(log(), ruler.access());
    let effects = join.on_proven(&replica, proven(&two));
    assert_eq!(effects, [JoinEffect::Fetch { cid: one.cid() }]);
    assert_eq!(join.on_proven(&replica, proven(&two)), []);
    let effects = join.on_proven(&replica, proven(&one));
    replica.take(effects);
    assert_eq!(replica.heads(), [two.cid()]);
    assert_eq!(
        join.on_block(&replica, one.cid(), one.block()),
        [],
        "it came before it was fetched"
    );

    // By a list that never changes it is refused for good, and passed over below others.
    let access = AccessController::ipfs(vec![id(ALICE)]);
    let mut replica = Memory::default();
    let mut join = Join::new(log(), access);
    let effects = join.on_proven(&replica, proven(&one));
    assert_eq!(effects, [JoinEffect::Reject { cid: one.cid(), why: Error::AccessDenied }]);
    let effects = join.on_proven(&replica, proven(&two));
    assert_eq!(replica.take(effects), [one.cid()]);
    let effects = join.on_proven(&replica, proven(&one));
    replica.take(effects);
    assert_eq!(replica.heads(), [two.cid()]);
    assert_eq!(replica.time_of(&one.cid()), Some(1));
    assert_eq!(replica.rejected.len(), 1);
}

#[derive(Debug, Clone)]
enum Event {
    Append { writer: u8, parents: [u8; 2] },
    Grant { writer: u8 },
    Revoke { writer: u8, heads: bool },
}

fn events(revokes: u32) -> impl Strategy<Value = Vec<Event>> {
    let append = (ALICE..=CAROL, any::<[u8; 2]>())
        .prop_map(|(writer, parents)| Event::Append { writer, parents });
    let grant = (BOB..=CAROL).prop_map(|writer| Event::Grant { writer });
    let revoke =
        (BOB..=CAROL, any::<bool>()).prop_map(|(writer, heads)| Event::Revoke { writer, heads });
    prop::collection::vec(prop_oneof![8 => append, 2 => grant, revokes => revoke], 1..40)
}

/// All entries of a log, and its access log.
fn play(events: &[Event]) -> (Vec<Entry>, Ruler) {
    let (mut all, mut ruler) = (Vec::<Entry>::new(), Ruler::new());
    for event in events {
        match *event {
            Event::Append { writer, parents } => {
                let parents = parents.map(|n| all.get(usize::from(n) % all.len().max(1)));
                let mut next: Vec<&Entry> = parents.into_iter().flatten().collect();
                next.dedup();
                let time = next.iter().map(|entry| entry.clock().time).max().unwrap_or(0) + 1;
                let made = entry(&keys(writer), time, &next);
                if !all.contains(&made) {
                    all.push(made);
                }
            }
            Event::Grant { writer } => ruler.grant(Capability::Write, writer),
            Event::Revoke { writer, heads } => {
                let last: Vec<LogCid> = all.last().iter().map(|entry| entry.cid()).collect();
                ruler.revoke(Capability::Write, writer, if heads { &last } else { &[] });
            }
        }
    }
    (all, ruler)
}

/// Delivers every entry to a node as a head, in this order and in one of the ways there are, while
/// it learns of more and more of the access log.
fn deliver(all: &[Entry], ruler: &Ruler, order: &[u8], ways: &[u8], seed: u64) -> Node {
    let everything: Vec<&Entry> = all.iter().collect();
    let peer = peer(&everything);
    let mut heads = everything.clone();
    heads.sort_by_key(|entry| {
        LogCid::of(&[entry.cid().digest().as_slice(), &seed.to_be_bytes()].concat())
    });
    let mut node = Node::new(Access::mutable(fold([])));
    let mut known = 0;
    for (n, head) in heads.iter().enumerate() {
        let more = usize::from(order.get(n).copied().unwrap_or(0) % 3);
        if more > 0 && known < ruler.entries.len() {
            known = (known + more).min(ruler.entries.len());
            node.learn(&peer, Access::mutable(fold(&ruler.entries[..known])));
        }
        match ways.get(n).copied().unwrap_or(0) % 3 {
            0 => drop(node.heads(&peer, &[head])),
            1 => drop(peer.announce(&mut node.join, &mut node.replica, head.block())),
            _ => drop(node.stream(&peer, &[head])),
        }
    }
    node.learn(&peer, ruler.access());
    node
}

fn same(one: &Node, other: &Node) -> Result<(), TestCaseError> {
    prop_assert_eq!(one.replica.cids(), other.replica.cids());
    prop_assert_eq!(one.replica.heads(), other.replica.heads());
    prop_assert_eq!(one.replica.winners(), other.replica.winners());
    let passed = |node: &Node| node.replica.passed.keys().copied().collect::<BTreeSet<_>>();
    prop_assert_eq!(passed(one), passed(other));
    prop_assert_eq!(one.replica.reached().len(), one.replica.cids().len() + passed(one).len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// As long as nobody is revoked, neither the order of entries nor that of grants matters.
    #[test]
    fn grants_in_any_order_end_equal(
        events in events(0), order in any::<[u8; 32]>(), ways in any::<[u8; 32]>(), seed in any::<u64>()
    ) {
        let (all, ruler) = play(&events);
        let everything: Vec<&Entry> = all.iter().collect();
        let mut knowing = Node::new(ruler.access());
        knowing.stream(&peer(&everything), &everything);
        same(&deliver(&all, &ruler, &order, &ways, seed), &knowing)?;
    }

    /// With revokes, the unvouched tails of former writers are in where they came first. Everything
    /// else is equal, and the next entry of one who may write and has them all makes all equal.
    #[test]
    fn revokes_in_any_order_end_equal_once_built_on(
        events in events(2), order in any::<[u8; 32]>(), ways in any::<[u8; 32]>(), seed in any::<u64>()
    ) {
        let (mut all, ruler) = play(&events);
        let everything: Vec<&Entry> = all.iter().collect();
        let mut knowing = Node::new(ruler.access());
        knowing.stream(&peer(&everything), &everything);
        let mut other = deliver(&all, &ruler, &order, &ways, seed);
        for cid in other.replica.cids().symmetric_difference(&knowing.replica.cids()) {
            prop_assert!(other.replica.entries.contains_key(cid), "what is vouched for is in");
            let entry = &other.replica.entries[cid];
            prop_assert_eq!(ruler.access().judge(proven(entry).identity()), Standing::Former);
        }
        let heads: Vec<Entry> = other.replica.heads().iter().map(|cid| other.replica.entries[cid].clone()).collect();
        let time = heads.iter().map(|entry| entry.clock().time).max().unwrap_or(0) + 1;
        let merge = entry(&keys(ALICE), time, &heads.iter().collect::<Vec<_>>());
        all.push(merge.clone());
        let everything: Vec<&Entry> = all.iter().collect();
        let peer = peer(&everything);
        knowing.heads(&peer, &[&merge]);
        other.heads(&peer, &[&merge]);
        same(&other, &knowing)?;
    }

    #[test]
    fn the_order_of_an_access_log_does_not_matter(events in events(4), seed in any::<u64>()) {
        let (_, ruler) = play(&events);
        let mut shuffled: Vec<&Entry> = ruler.entries.iter().chain(&ruler.entries).collect();
        shuffled.sort_by_key(|entry| LogCid::of(&[entry.cid().digest().as_slice(), &seed.to_be_bytes()].concat()));
        prop_assert_eq!(fold(shuffled), ruler.capabilities());
    }
}
