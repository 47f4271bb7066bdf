//! Entries that break a rule below entries that break none: they are passed over.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use optimusdb_dag::join::{Join, JoinEffect, JoinLimits, Replica};
use optimusdb_dag::limits::{CLOCK_JUMP_TICKS_MAX, CLOCK_TICKS_MAX};
use optimusdb_dag::{AccessController, Entry, Error, Ipld, Links, LogCid, value};
use proptest::prelude::*;
use world::{Memory, Peer, Writer, altered, anyone, entry, forged, keys, log, put};

fn cids<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> BTreeSet<LogCid> {
    entries.into_iter().map(Entry::cid).collect()
}

fn passed(replica: &Memory) -> BTreeSet<LogCid> {
    replica.passed.keys().copied().collect()
}

/// Joins these heads one after the other from a peer with these blocks.
fn join(peer: &Peer, access: AccessController, heads: &[LogCid]) -> Memory {
    let mut replica = Memory::default();
    let mut join = Join::new(log(), access);
    for head in heads {
        peer.join(&mut join, &mut replica, &[*head], |_| 0);
    }
    replica
}

/// A bad entry is refused as a head, and passed over below an honest one, whichever comes first.
fn check_passed(
    bad: (LogCid, Vec<u8>, u64),
    access: &AccessController,
    more: &[(LogCid, Vec<u8>)],
    why: &Error,
) {
    let (bad, block, time) = bad;
    let alice = keys(1);
    let honest = entry(&alice, 1, &[]);
    let links = Links { next: vec![honest.cid(), bad], refs: vec![], time: time + 1 };
    let child = Entry::sign(&alice, log(), links, put("k", 0)).unwrap();
    let grandchild = entry(&alice, child.clock().time + 1, &[&child]);
    let beside = entry(&alice, 2, &[&honest]);
    let good = [&honest, &child, &grandchild, &beside];
    let mut peer = Peer::with(good.map(Entry::clone), &[&alice, &keys(2)]);
    peer.blocks.insert(bad, block.clone());
    peer.blocks.extend(more.iter().cloned());
    for heads in [[grandchild.cid(), bad], [bad, grandchild.cid()]] {
        let mut heads = heads.to_vec();
        heads.push(beside.cid());
        let mut replica = Memory::default();
        let mut join = Join::new(log(), access.clone());
        for (n, head) in heads.iter().enumerate() {
            peer.join(&mut join, &mut replica, &[*head], |_| 0);
            let refused = BTreeMap::from([(bad, why.clone())]);
            let expected = if heads[0] == bad { refused } else { BTreeMap::new() };
            assert_eq!(replica.rejected, expected, "after head {n}");
        }
        assert_eq!(replica.cids(), cids(good));
        assert_eq!(passed(&replica), BTreeSet::from([bad]));
        assert_eq!(*replica.passed[&bad].block, *block);
        assert_eq!(replica.passed[&bad].identity, more.first().map(|(c, b)| (*c, b[..].into())));
        // At once with the honest one it is refused and passed over.
        let mut replica = Memory::default();
        let mut join = Join::new(log(), access.clone());
        peer.join(&mut join, &mut replica, &heads, |n| n - 1);
        assert_eq!(replica.rejected, BTreeMap::from([(bad, why.clone())]));
        assert_eq!(replica.cids(), cids(good));
        assert_eq!(passed(&replica), BTreeSet::from([bad]));
        // It is as good as stored.
        assert_eq!(join.on_heads(&replica, &heads), []);
    }
}

fn of(entry: &Entry) -> (LogCid, Vec<u8>, u64) {
    (entry.cid(), entry.block().to_vec(), entry.clock().time)
}

#[test]
fn each_fault_is_passed_over() {
    let (alice, bob) = (keys(1), keys(2));
    let only_alice = AccessController::ipfs(vec![alice.identity().id.clone()]);
    check_passed(of(&entry(&bob, 1, &[])), &only_alice, &[], &Error::AccessDenied);

    let leap = entry(&bob, CLOCK_JUMP_TICKS_MAX + 1, &[]);
    let why = Error::ClockJump { time: CLOCK_JUMP_TICKS_MAX + 1, newest: 0 };
    check_passed(of(&leap), &anyone(), &[], &why);

    // Signed, then changed.
    let mut parts = entry(&bob, 1, &[]).to_stored();
    parts.time = 2;
    let block = parts.block();
    check_passed((LogCid::of(&block), block, 2), &anyone(), &[], &Error::SignatureWrong);

    // It names another's identity.
    check_passed(of(&forged(&bob, &alice, 1, &[])), &anyone(), &[], &Error::KeyNotBound);

    // It names a block that is no identity.
    let mut parts = entry(&bob, 1, &[]).to_stored();
    parts.identity = LogCid::of(&[0x80]);
    let block = parts.block();
    let more = [(LogCid::of(&[0x80]), vec![0x80])];
    check_passed((LogCid::of(&block), block, 1), &anyone(), &more, &Error::FieldSort("identity"));
}

#[test]
fn what_no_entry_of_ours_looks_like_is_passed_over_if_its_links_can_be_read() {
    let text = |text: &str| Ipld::String(text.into());
    let bob = keys(2);
    let clock = |id: &str, time: u64| {
        let time = Ipld::Integer(time.into());
        Ipld::Map(BTreeMap::from([("id".into(), text(id)), ("time".into(), time)]))
    };
    let other = keys(3);
    let cases = [
        ("clock", clock(&other.identity().public_key, 1), Error::ClockNotOwn),
        ("clock", clock(&bob.identity().public_key, 0), Error::ClockRange(0)),
        ("key", text(&bob.identity().public_key[2..]), Error::PublicKey),
        ("sig", text(""), Error::SignatureDer),
        ("v", Ipld::Integer(1), Error::EntryVersion),
        ("refs", Ipld::Null, Error::FieldSort("refs")),
        ("zzzzzzzzz", Ipld::Null, Error::FieldUnknown("identity")),
    ];
    for (field, value, why) in cases {
        let block = altered(&entry(&bob, 1, &[]), field, Some(value));
        check_passed((LogCid::of(&block), block, 1), &anyone(), &[], &why);
    }
    let block = altered(&entry(&bob, 1, &[]), "identity", None);
    check_passed((LogCid::of(&block), block, 1), &anyone(), &[], &Error::FieldMissing("identity"));
}

#[test]
fn what_cannot_be_followed_takes_all_above_it() {
    let alice = keys(1);
    let good = entry(&alice, 1, &[]);
    let one = |field: &str, value: Option<Ipld>| altered(&good, field, value);
    let many = (0..1_025u16).map(|n| Ipld::String(LogCid::of(&n.to_be_bytes()).to_string()));
    let mut not_minimal = good.block().to_vec();
    let at = not_minimal.windows(3).position(|window| window == b"av\x02").unwrap();
    not_minimal.splice(at..at + 3, *b"av\x18\x02");
    let cases = [
        (one("clock", None), Error::FieldMissing("clock")),
        (one("clock", Some(Ipld::Map(BTreeMap::new()))), Error::FieldMissing("id")),
        (one("next", Some(Ipld::Null)), Error::FieldSort("next")),
        (one("next", Some(Ipld::List(vec![Ipld::Null]))), Error::FieldSort("next")),
        (one("next", Some(Ipld::List(many.collect()))), Error::TooManyNext),
        (one("id", Some(Ipld::Null)), Error::FieldSort("id")),
        (value::encode(&Ipld::List(vec![])).unwrap(), Error::FieldSort("entry")),
        (not_minimal, Error::NotMinimal),
    ];
    for (block, why) in cases {
        let bad = LogCid::of(&block);
        // Also when something that is passed over lies between.
        let links = Links { next: vec![bad], refs: vec![], time: 2 };
        let between = Entry::sign(&keys(2), log(), links, Ipld::Null).unwrap();
        let child = entry(&alice, 3, &[&between]);
        let mut peer = Peer::with([between.clone(), child.clone()], &[&alice, &keys(2)]);
        peer.blocks.insert(bad, block);
        let access = AccessController::ipfs(vec![alice.identity().id.clone()]);
        let replica = join(&peer, access, &[child.cid()]);
        assert_eq!((replica.cids(), passed(&replica)), Default::default());
        let ancestor = Error::AncestorRefused(bad);
        let expected = [(bad, why), (between.cid(), ancestor.clone()), (child.cid(), ancestor)];
        assert_eq!(replica.rejected, BTreeMap::from(expected));
    }
}

/// A forged entry below an honest one, as other implementations let happen.
#[test]
fn an_honest_entry_built_on_a_forged_one() {
    let (alice, mallory) = (keys(1), keys(3));
    let access = AccessController::ipfs(vec![alice.identity().id.clone()]);
    let one = entry(&alice, 1, &[]);
    let forgery = forged(&mallory, &alice, 2, &[&one]);
    let two = entry(&alice, 3, &[&forgery]);
    let three = entry(&alice, 4, &[&two]);
    let entries = [&one, &forgery, &two, &three];
    let peer = Peer::with(entries.map(Entry::clone), &[&alice, &mallory]);
    let whole = join(&peer, access.clone(), &[three.cid()]);
    assert_eq!(whole.cids(), cids([&one, &two, &three]));
    assert_eq!(whole.heads(), [three.cid()]);
    assert_eq!(whole.time_of(&forgery.cid()), Some(2));
    // Any order of heads, one at a time, known or announced.
    let mut orders = vec![vec![]];
    for _ in 0..4 {
        orders = orders
            .iter()
            .flat_map(|order: &Vec<usize>| {
                let free = (0..4).filter(|n| !order.contains(n)).collect::<Vec<_>>();
                free.into_iter().map(|n| [&order[..], &[n]].concat()).collect::<Vec<_>>()
            })
            .collect();
    }
    assert_eq!(orders.len(), 24);
    for order in orders {
        let heads: Vec<LogCid> = order.iter().map(|n| entries[*n].cid()).collect();
        let fetched = join(&peer, access.clone(), &heads);
        let mut announced = Memory::default();
        let mut machine = Join::new(log(), access.clone());
        for n in &order {
            peer.announce(&mut machine, &mut announced, entries[*n].block());
        }
        for replica in [fetched, announced] {
            assert_eq!(replica.cids(), whole.cids(), "{order:?}");
            assert_eq!(replica.heads(), whole.heads());
            assert_eq!(replica.winners(), whole.winners());
            assert_eq!(passed(&replica), passed(&whole));
        }
    }
}

#[test]
fn what_is_below_a_passed_entry_is_no_head() {
    let (alice, bob) = (keys(1), keys(2));
    let only_alice = AccessController::ipfs(vec![alice.identity().id.clone()]);
    let (one, other) = (entry(&alice, 1, &[]), entry(&alice, 2, &[]));
    let bad = entry(&bob, 3, &[&one, &other]);
    let worse = entry(&bob, 4, &[&bad]);
    let two = entry(&alice, 5, &[&worse]);
    let peer = Peer::with([&one, &other, &bad, &worse, &two].map(Entry::clone), &[&alice, &bob]);
    for heads in [vec![two.cid()], vec![one.cid(), other.cid(), two.cid()]] {
        let replica = join(&peer, only_alice.clone(), &heads);
        assert_eq!(replica.heads(), [two.cid()]);
        assert_eq!(passed(&replica), cids([&bad, &worse]));
    }
    // A second entry above it, once it is stored.
    let mut replica = join(&peer, only_alice.clone(), &[two.cid()]);
    let three = entry(&alice, 5, &[&bad]);
    let effects = Join::new(log(), only_alice).on_announced(&replica, three.block());
    assert_eq!(
        effects,
        [JoinEffect::Ready { entries: vec![three.clone()], identities: vec![], passed: vec![] }]
    );
    replica.take(effects);
    assert_eq!(replica.heads.as_slice().len(), 2);
}

#[test]
fn a_passed_entry_carries_no_clock_away() {
    let (alice, bob) = (keys(1), keys(2));
    let access = AccessController::ipfs(vec![alice.identity().id.clone()]);
    let one = entry(&alice, 5, &[]);
    let leap = entry(&bob, CLOCK_TICKS_MAX - 5, &[&one]);
    // Honest in the eyes of one who let it leap.
    let high = entry(&alice, CLOCK_TICKS_MAX - 4, &[&leap]);
    let fine = entry(&alice, 5 + CLOCK_JUMP_TICKS_MAX + 1, &[&leap]);
    let back = entry(&bob, 2, &[&one]);
    let low = entry(&alice, 5, &[&back]);
    let six = entry(&alice, 6, &[&back, &one]);
    let entries = [&one, &leap, &high, &fine, &back, &low, &six];
    let peer = Peer::with(entries.map(Entry::clone), &[&alice, &bob]);
    let heads = [high.cid(), fine.cid(), low.cid(), six.cid()];
    let replica = join(&peer, access, &heads);
    assert_eq!(replica.cids(), cids([&one, &fine, &six]));
    let jump = Error::ClockJump { time: CLOCK_TICKS_MAX - 4, newest: 5 + CLOCK_JUMP_TICKS_MAX };
    let not_after = Error::ClockNotAfter { time: 5, newest: 5 };
    assert_eq!(replica.rejected, BTreeMap::from([(high.cid(), jump), (low.cid(), not_after)]));
    assert_eq!(replica.time_of(&leap.cid()), Some(5 + CLOCK_JUMP_TICKS_MAX));
    assert_eq!(replica.time_of(&back.cid()), Some(5));
}

#[test]
fn nothing_is_passed_over_for_an_entry_that_falls() {
    let (alice, bob) = (keys(1), keys(2));
    let access = AccessController::ipfs(vec![alice.identity().id.clone()]);
    let one = entry(&alice, 1, &[]);
    let bad = entry(&bob, 2, &[&one]);
    // Its clock is wrong; another parent is missing.
    let wrong = entry(&alice, 2, &[&bad]);
    let gone = entry(&alice, 1, &[&one]);
    let lacking = entry(&alice, 3, &[&bad, &gone]);
    let peer = Peer::with([&one, &bad, &wrong, &lacking].map(Entry::clone), &[&alice, &bob]);
    for head in [&wrong, &lacking] {
        let replica = join(&peer, access.clone(), &[head.cid()]);
        assert_eq!(replica.cids(), cids([&one]), "what an entry that falls names may be joined");
        assert_eq!(passed(&replica), BTreeSet::new());
        assert_eq!(replica.heads(), [one.cid()]);
    }
}

/// Alternating writers, one of whom may not write; ends with one who may.
fn mixed(runs: &[usize]) -> (Vec<Entry>, Vec<Entry>) {
    let (mut good, mut bad) = (Vec::<Entry>::new(), Vec::<Entry>::new());
    let (mut last, mut time): (Option<Entry>, u64) = (None, 0);
    for (n, run) in runs.iter().enumerate() {
        for _ in 0..*run {
            time += 1;
            let next: Vec<&Entry> = last.iter().collect();
            let writer = if n % 2 == 0 { keys(1) } else { keys(2) };
            let entry = entry(&writer, time, &next);
            if n % 2 == 0 {
                good.push(entry.clone())
            } else {
                bad.push(entry.clone())
            }
            last = Some(entry);
        }
    }
    (good, bad)
}

#[test]
fn chains_of_passed_entries_in_a_log_larger_than_memory() {
    let (good, bad) = mixed(&[100, 30, 1, 1, 200, 60, 100]);
    let access = AccessController::ipfs(vec![keys(1).identity().id.clone()]);
    let all: Vec<Entry> = good.iter().chain(&bad).cloned().collect();
    let bytes: usize = all.iter().map(|entry| entry.block().len()).sum();
    let peer = Peer::with(all, &[&keys(1), &keys(2)]);
    let head = good[good.len() - 1].cid();
    for bytes_max in [usize::MAX, bytes / 3, bytes / 10, 4_000] {
        for last in [false, true] {
            let limits = JoinLimits { bytes_max, fetches_max: 16, ..JoinLimits::default() };
            let mut replica = Memory::default();
            for keys in [keys(1), keys(2)] {
                replica.identities.insert(keys.identity().cid, keys.identity().clone());
            }
            let mut join = Join::with_limits(log(), access.clone(), limits);
            let pick = |n: usize| if last { n - 1 } else { 0 };
            let fetches = peer.join(&mut join, &mut replica, &[head], pick);
            assert_eq!(replica.rejected, BTreeMap::new());
            assert_eq!(replica.cids(), cids(&good));
            assert_eq!(passed(&replica), cids(&bad));
            assert_eq!(replica.heads(), [head]);
            assert!(fetches < 3 * 492, "{fetches} fetches");
        }
    }
}

#[test]
fn a_long_passed_chain_is_bounded() {
    let access = AccessController::ipfs(vec![keys(1).identity().id.clone()]);
    let (good, bad) = mixed(&[1, 10_000, 1]);
    let all = good.iter().chain(&bad).cloned();
    let peer = Peer::with(all, &[&keys(1), &keys(2)]);
    let limits = JoinLimits { passed_max: 100, ..JoinLimits::default() };
    let mut join = Join::with_limits(log(), access.clone(), limits);
    let mut replica = Memory::default();
    let fetches = peer.join(&mut join, &mut replica, &[good[1].cid()], |_| 0);
    assert!(fetches < 110, "{fetches} fetches");
    assert_eq!(replica.rejected[&good[1].cid()], Error::JoinFull);
    assert_eq!((replica.cids(), passed(&replica)), Default::default());
    // By its bytes, too.
    let limits = JoinLimits { passed_bytes_max: 20_000, ..JoinLimits::default() };
    let mut join = Join::with_limits(log(), access.clone(), limits);
    let fetches = peer.join(&mut join, &mut replica, &[good[1].cid()], |_| 0);
    assert!(fetches < 60, "{fetches} fetches");
    // It is no worse than a long chain otherwise: no recursion, everything once.
    let limits = JoinLimits { passed_max: 20_000, ..JoinLimits::default() };
    let mut join = Join::with_limits(log(), access, limits);
    let fetches = peer.join(&mut join, &mut replica, &[good[1].cid()], |_| 0);
    assert_eq!(fetches, 10_004);
    assert_eq!((replica.entries.len(), replica.passed.len()), (2, 10_000));
}

#[test]
fn passed_entries_of_the_fallen_make_room() {
    let (alice, bob) = (keys(1), keys(2));
    let access = AccessController::ipfs(vec![alice.identity().id.clone()]);
    let limits = JoinLimits { passed_max: 2, ..JoinLimits::default() };
    let mut join = Join::with_limits(log(), access, limits);
    let mut replica = Memory::default();
    for keys in [&alice, &bob] {
        replica.identities.insert(keys.identity().cid, keys.identity().clone());
    }
    // Something is awaited all the while.
    let awaited = join.on_heads(&replica, &[LogCid::of(b"slow")]);
    assert_eq!(awaited.len(), 1);
    for time in 1..50 {
        let bad = entry(&bob, time, &[]);
        let (falls, stays) = (entry(&alice, time, &[&bad]), entry(&alice, time + 1, &[&bad]));
        let head = if time % 5 == 0 { stays } else { falls };
        let mut effects = join.on_announced(&replica, head.block());
        assert_eq!(replica.take(effects), [bad.cid()]);
        effects = join.on_block(&replica, bad.cid(), bad.block());
        replica.take(effects);
        assert_eq!(replica.entries.contains_key(&head.cid()), time % 5 == 0);
    }
    assert!(replica.rejected.values().all(|why| matches!(why, Error::ClockNotAfter { .. })));
    assert_eq!(replica.passed.len(), 9);
}

#[test]
fn hints_of_a_bad_entry_are_not_followed() {
    let (alice, bob) = (keys(1), keys(2));
    let access = AccessController::ipfs(vec![alice.identity().id.clone()]);
    let links =
        Links { next: vec![LogCid::of(b"parent")], refs: vec![LogCid::of(b"hint")], time: 2 };
    let bad = Entry::sign(&bob, log(), links, Ipld::Null).unwrap();
    let child = entry(&alice, 3, &[&bad]);
    let mut replica = Memory::default();
    for keys in [&alice, &bob] {
        replica.identities.insert(keys.identity().cid, keys.identity().clone());
    }
    let mut join = Join::new(log(), access);
    assert_eq!(join.on_announced(&replica, child.block()), [JoinEffect::Fetch { cid: bad.cid() }]);
    let effects = join.on_block(&replica, bad.cid(), bad.block());
    assert_eq!(effects, [JoinEffect::Fetch { cid: LogCid::of(b"parent") }]);
}

/// What happens in a log to which two may write, and into which a third puts forgeries that one
/// of the two builds on.
fn forging() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    prop::collection::vec((0..6u8, any::<u8>(), any::<u8>()), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn logs_with_forgeries_converge(
        events in forging(), order in any::<u64>(), picks in prop::collection::vec(any::<u8>(), 1..100)
    ) {
        let (alice, bob, mallory) = (keys(1), keys(2), keys(3));
        let access = AccessController::ipfs(vec![alice.identity().id.clone(), bob.identity().id.clone()]);
        let mut all: Vec<(Entry, bool)> = Vec::new();
        for (kind, first, second) in events {
            let mut next: Vec<&Entry> = [first, second]
                .into_iter()
                .filter(|_| !all.is_empty())
                .map(|n| &all[usize::from(n) % all.len()].0)
                .collect();
            next.dedup();
            let time = next.iter().map(|entry| entry.clock().time).max().unwrap_or(0) + 1;
            let (made, good) = match kind {
                0 => (forged(&mallory, &alice, time, &next), false),
                1 => (entry(&mallory, time, &next), false),
                2 => (entry(&bob, time + CLOCK_JUMP_TICKS_MAX, &next), false),
                3 => (entry(&bob, time, &next), true),
                _ => (entry(&alice, time, &next), true),
            };
            all.push((made, good));
        }
        // A leap makes some that are built on it leap, too: ask the machine that has it all.
        let peer = Peer::with(all.iter().map(|(entry, _)| entry.clone()), &[&alice, &bob, &mallory]);
        let heads: Vec<LogCid> = all.iter().map(|(entry, _)| entry.cid()).collect();
        let one = join(&peer, access.clone(), &heads);
        for (entry, good) in &all {
            prop_assert!(*good || !one.entries.contains_key(&entry.cid()));
            if !all.iter().any(|(leap, _)| leap.clock().time > 500) {
                prop_assert_eq!(*good, one.entries.contains_key(&entry.cid()));
            }
        }
        // Every head anew in another order, in next to no memory, picking blocks at random.
        let mut shuffled = heads.clone();
        shuffled.sort_by_key(|cid| LogCid::of(&[cid.digest().as_slice(), &order.to_be_bytes()].concat()));
        let tight = JoinLimits { bytes_max: 3_000, fetches_max: 3, hints_max: 2, handed_over_max: 2, ..JoinLimits::default() };
        for limits in [JoinLimits::default(), tight] {
            let mut replica = Memory::default();
            for keys in [&alice, &bob, &mallory] {
                replica.identities.insert(keys.identity().cid, keys.identity().clone());
            }
            let mut machine = Join::with_limits(log(), access.clone(), limits);
            let mut picks = picks.iter().cycle();
            for heads in shuffled.chunks(3) {
                peer.join(&mut machine, &mut replica, heads, |n| usize::from(*picks.next().unwrap()) % n);
            }
            prop_assert_eq!(replica.cids(), one.cids());
            prop_assert_eq!(replica.heads(), one.heads());
            prop_assert_eq!(replica.winners(), one.winners());
            prop_assert_eq!(passed(&replica), passed(&one));
            for (cid, passed) in &replica.passed {
                prop_assert_eq!(passed.time, one.passed[cid].time);
            }
            // Heads are closed, and none is above another.
            let reached = replica.reached();
            prop_assert_eq!(&reached, &replica.cids().union(&passed(&replica)).copied().collect());
        }
    }
}

#[test]
fn a_writer_goes_on_above_a_passed_entry() {
    let mut writer = Writer::new(1);
    let one = writer.append(put("a", 1));
    let bad = forged(&keys(3), &keys(1), 2, &[&one]);
    let honest = entry(&keys(2), 3, &[&bad]);
    let peer = Peer::with([one, bad, honest.clone()], &[&keys(1), &keys(2)]);
    let mut join = Join::new(log(), anyone());
    let mut fetches = join.on_announced(&writer.replica, honest.block());
    while !fetches.is_empty() {
        let mut effects = Vec::new();
        for effect in fetches {
            match effect {
                JoinEffect::Fetch { cid } => {
                    effects.extend(join.on_block(&writer.replica, cid, &peer.blocks[&cid]));
                }
                JoinEffect::Ready { entries, passed, .. } => {
                    entries.iter().for_each(|entry| writer.tip.join(entry));
                    passed.iter().for_each(|passed| writer.tip.pass(&passed.next));
                    writer.replica.passed.extend(passed.into_iter().map(|p| (p.cid, p)));
                    entries.into_iter().for_each(|entry| writer.replica.store(entry));
                }
                effect => panic!("{effect:?}"),
            }
        }
        fetches = effects;
    }
    let next = writer.append(put("b", 2));
    assert_eq!(next.next(), [honest.cid()]);
    assert_eq!(next.clock().time, 4);
}
