//! The join under each thing that can go wrong.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod world;

use std::collections::BTreeMap;

use optimusdb_dag::join::{Join, JoinEffect, JoinLimits};
use optimusdb_dag::{AccessController, Address, Entry, Error, Ipld, Links, LogCid};
use world::{Memory, Peer, Writer, anyone, entry, keys, log, put};

fn chain(n: usize) -> (Writer, Vec<Entry>) {
    let mut writer = Writer::new(1);
    let entries = (0..n).map(|n| writer.append(put("k", n as i128))).collect();
    (writer, entries)
}

/// Joins these heads from a peer with these entries, and gives the replica.
fn join(entries: &[&Entry], heads: &[&Entry]) -> Memory {
    let peer = Peer::with(entries.iter().copied().cloned(), &[&keys(1), &keys(2)]);
    let mut replica = Memory::default();
    let heads: Vec<LogCid> = heads.iter().map(|entry| entry.cid()).collect();
    peer.join(&mut Join::new(log(), anyone()), &mut replica, &heads, |_| 0);
    replica
}

fn has(replica: &Memory, entries: &[&Entry]) -> bool {
    replica.cids() == entries.iter().map(|entry| entry.cid()).collect()
}

#[test]
fn a_chain_arrives_parents_first() {
    let (writer, entries) = chain(100);
    let peer = Peer::with(entries.clone(), &[&writer.keys]);
    let mut replica = Memory::default();
    let mut join = Join::new(log(), anyone());
    let fetches = peer.join(&mut join, &mut replica, &writer.replica.heads(), |_| 0);
    assert_eq!(replica.cids(), writer.replica.cids());
    assert_eq!(replica.heads(), writer.replica.heads());
    assert_eq!(fetches, 101, "every entry and the identity once");
    assert_eq!(join.on_heads(&replica, &writer.replica.heads()), []);
}

#[test]
fn references_are_fetched_in_parallel() {
    let (writer, entries) = chain(200);
    let peer = Peer::with(entries, &[&writer.keys]);
    let mut replica = Memory::default();
    let mut join = Join::new(log(), anyone());
    let effects = join.on_heads(&replica, &writer.replica.heads());
    let mut wanted = replica.take(effects);
    let mut rounds = 0;
    while !wanted.is_empty() {
        rounds += 1;
        for cid in std::mem::take(&mut wanted) {
            let effects = join.on_block(&replica, cid, &peer.blocks[&cid]);
            wanted.extend(replica.take(effects));
        }
    }
    assert_eq!(replica.cids(), writer.replica.cids());
    assert!(rounds < 200 / 16 + 5, "{rounds} rounds");
}

#[test]
fn references_are_not_required() {
    let alice = keys(1);
    let one = entry(&alice, 1, &[]);
    let unknown = LogCid::of(b"nobody has it");
    let links =
        Links { next: vec![one.cid()], refs: vec![unknown, LogCid::of(b"nor this")], time: 2 };
    let two = Entry::sign(&alice, log(), links, Ipld::Null).unwrap();
    let replica = join(&[&one, &two], &[&two]);
    assert!(has(&replica, &[&one, &two]));
    assert_eq!(replica.rejected, BTreeMap::new());
}

#[test]
fn hints_that_are_no_entries_harm_nobody() {
    let alice = keys(1);
    let one = entry(&alice, 1, &[]);
    let unrelated = entry(&keys(2), 1, &[]);
    let links =
        Links { next: vec![one.cid()], refs: vec![LogCid::of(b"junk"), unrelated.cid()], time: 2 };
    let two = Entry::sign(&alice, log(), links, Ipld::Null).unwrap();
    let mut peer = Peer::with([one.clone(), two.clone(), unrelated], &[&alice, &keys(2)]);
    peer.blocks.insert(LogCid::of(b"junk"), b"junk".to_vec());
    let mut replica = Memory::default();
    peer.join(&mut Join::new(log(), anyone()), &mut replica, &[two.cid()], |_| 0);
    assert!(has(&replica, &[&one, &two]), "an entry that is only hinted at is not joined");
    assert_eq!(replica.rejected, BTreeMap::new());
}

#[test]
fn what_is_complete_is_joined() {
    let alice = keys(1);
    let (a, gone) = (entry(&alice, 1, &[]), entry(&keys(2), 1, &[]));
    let b = entry(&alice, 2, &[&a]);
    let (c, d) = (entry(&alice, 2, &[&gone]), entry(&alice, 3, &[&gone, &b]));
    let head = entry(&alice, 4, &[&c, &d]);
    let replica = join(&[&a, &b, &c, &d, &head], &[&b, &head]);
    assert!(has(&replica, &[&a, &b]));
    let why = Error::BlockMissing(gone.cid());
    let expected = [&gone, &c, &d, &head].map(|entry| (entry.cid(), why.clone()));
    assert_eq!(replica.rejected, BTreeMap::from(expected));
}

#[test]
fn what_was_missing_may_come_later() {
    let (writer, entries) = chain(40);
    let mut peer = Peer::with(entries.clone(), &[&writer.keys]);
    let lost = peer.blocks.remove(&entries[5].cid()).unwrap();
    let mut replica = Memory::default();
    let mut join = Join::new(log(), anyone());
    peer.join(&mut join, &mut replica, &writer.replica.heads(), |_| 0);
    assert_eq!(replica.rejected.len(), 35);
    assert_eq!(replica.entries.len(), 0, "nothing half-joined is stored");
    peer.blocks.insert(entries[5].cid(), lost);
    peer.join(&mut join, &mut replica, &writer.replica.heads(), |_| 0);
    assert_eq!(replica.cids(), writer.replica.cids());
}

#[test]
fn an_entry_tried_again_does_not_count_a_parent_twice() {
    let (alice, bob) = (keys(1), keys(2));
    let (slow, lost) = (entry(&alice, 1, &[]), entry(&bob, 1, &[]));
    let merge = entry(&alice, 2, &[&slow, &lost]);
    let mut replica = Memory::default();
    for keys in [&alice, &bob] {
        replica.identities.insert(keys.identity().cid, keys.identity().clone());
    }
    let mut join = Join::new(log(), anyone());
    join.on_announced(&replica, merge.block());
    let effects = join.on_missing(&replica, lost.cid());
    assert_eq!(
        effects,
        [
            JoinEffect::Reject { cid: lost.cid(), why: Error::BlockMissing(lost.cid()) },
            JoinEffect::Reject { cid: merge.cid(), why: Error::BlockMissing(lost.cid()) }
        ]
    );
    // `slow` is still awaited when the merge comes again.
    assert_eq!(join.on_announced(&replica, merge.block()), [JoinEffect::Fetch { cid: lost.cid() }]);
    for entry in [&slow, &lost] {
        let effects = join.on_block(&replica, entry.cid(), entry.block());
        replica.take(effects);
    }
    assert!(has(&replica, &[&slow, &lost, &merge]) && join.is_idle());
}

#[test]
fn a_missing_identity_may_come_later() {
    let (writer, entries) = chain(3);
    let mut peer = Peer::with(entries, &[]);
    let mut replica = Memory::default();
    let mut join = Join::new(log(), anyone());
    peer.join(&mut join, &mut replica, &writer.replica.heads(), |_| 0);
    let identity = writer.keys.identity();
    assert_eq!(replica.rejected[&writer.replica.heads()[0]], Error::BlockMissing(identity.cid));
    peer.blocks.insert(identity.cid, identity.block.clone());
    peer.join(&mut join, &mut replica, &writer.replica.heads(), |_| 0);
    assert_eq!(replica.cids(), writer.replica.cids());
    assert_eq!(replica.identities[&identity.cid], *identity);
}

#[test]
fn identities_are_handed_over_once_and_not_when_known() {
    let (writer, entries) = chain(3);
    let mut replica = Memory::default();
    let identity = writer.keys.identity();
    replica.identities.insert(identity.cid, identity.clone());
    let mut join = Join::new(log(), anyone());
    for entry in &entries {
        let effects = join.on_announced(&replica, entry.block());
        assert_eq!(
            effects,
            [JoinEffect::Ready {
                entries: vec![entry.clone()],
                identities: vec![],
                passed: vec![]
            }]
        );
        replica.take(effects);
    }
}

/// A refused entry takes its descendants with it and leaves what is beside it.
fn check_refused(bad: &Entry, access: AccessController, more: &[(LogCid, Vec<u8>)], why: &Error) {
    let alice = keys(1);
    let honest = entry(&alice, 1, &[]);
    let child = entry(&alice, bad.clock().time.min(1 << 40) + 1, &[&honest, bad]);
    let grandchild = entry(&alice, child.clock().time + 1, &[&child]);
    let beside = entry(&alice, 2, &[&honest]);
    let all = [&honest, &child, &grandchild, &beside, bad].map(Entry::clone);
    let mut peer = Peer::with(all, &[&alice, &keys(2)]);
    peer.blocks.extend(more.iter().cloned());
    for first in [0, 1] {
        let mut heads = [grandchild.cid(), beside.cid()];
        heads.rotate_left(first);
        let mut replica = Memory::default();
        let mut join = Join::new(log(), access.clone());
        peer.join(&mut join, &mut replica, &heads, |n| (n - 1) * first);
        assert!(has(&replica, &[&honest, &beside]));
        let ancestor = Error::AncestorRefused(bad.cid());
        let expected = [
            (bad.cid(), why.clone()),
            (child.cid(), ancestor.clone()),
            (grandchild.cid(), ancestor),
        ];
        assert_eq!(replica.rejected, BTreeMap::from(expected.clone()));
        // It is remembered: nothing is fetched again.
        let again = join.on_heads(&replica, &[grandchild.cid(), bad.cid()]);
        let [_, _, last] = expected;
        assert_eq!(
            again,
            [
                JoinEffect::Reject { cid: last.0, why: last.1 },
                JoinEffect::Reject { cid: bad.cid(), why: why.clone() }
            ]
        );
    }
}

#[test]
fn blocks_that_are_no_entries_of_this_log() {
    let bob = keys(2);
    let elsewhere = Address::of_manifest(LogCid::of(b"another"));
    let foreign =
        Entry::sign(&bob, elsewhere, Links { next: vec![], refs: vec![], time: 1 }, Ipld::Null)
            .unwrap();
    check_refused(&foreign, anyone(), &[], &Error::WrongLog);
}

#[test]
fn a_parent_that_is_no_entry() {
    let alice = keys(1);
    let junk = b"junk".to_vec();
    let links = Links { next: vec![LogCid::of(&junk)], refs: vec![], time: 2 };
    let child = Entry::sign(&alice, log(), links, Ipld::Null).unwrap();
    let mut peer = Peer::with([child.clone()], &[&alice]);
    peer.blocks.insert(LogCid::of(&junk), junk.clone());
    let mut replica = Memory::default();
    peer.join(&mut Join::new(log(), anyone()), &mut replica, &[child.cid()], |_| 0);
    assert!(has(&replica, &[]));
    assert_eq!(replica.rejected[&child.cid()], Error::AncestorRefused(LogCid::of(&junk)));
    assert_eq!(replica.rejected[&LogCid::of(&junk)], Error::FieldSort("entry"));
}

#[test]
fn wrong_bytes_are_the_peers_fault_and_not_the_entrys() {
    let (writer, entries) = chain(1);
    let identity = writer.keys.identity();
    let mut replica = Memory::default();
    let mut join = Join::new(log(), anyone());
    let cid = entries[0].cid();
    assert_eq!(join.on_heads(&replica, &[cid]), [JoinEffect::Fetch { cid }]);
    assert_eq!(join.on_block(&replica, cid, b"junk"), [JoinEffect::Mismatch { cid }]);
    let huge = vec![0; 3 << 20];
    assert_eq!(join.on_block(&replica, cid, &huge), [JoinEffect::Mismatch { cid }]);
    assert_eq!(
        join.on_block(&replica, cid, entries[0].block()),
        [JoinEffect::Fetch { cid: identity.cid }]
    );
    assert_eq!(
        join.on_block(&replica, identity.cid, b"junk"),
        [JoinEffect::Mismatch { cid: identity.cid }]
    );
    let effects = join.on_block(&replica, identity.cid, &identity.block);
    replica.take(effects);
    assert!(has(&replica, &[&entries[0]]));
}

#[test]
fn blocks_nobody_asked_for_are_ignored() {
    let (writer, entries) = chain(3);
    let mut join = Join::new(log(), anyone());
    let replica = Memory::default();
    assert_eq!(join.on_block(&replica, entries[2].cid(), entries[2].block()), []);
    assert_eq!(
        join.on_block(&replica, writer.keys.identity().cid, &writer.keys.identity().block),
        []
    );
    assert_eq!(join.on_missing(&replica, entries[2].cid()), []);
    assert!(join.is_idle());
}

#[test]
fn an_announced_entry_is_not_fetched() {
    let (writer, entries) = chain(2);
    let mut replica = Memory::default();
    let mut join = Join::new(log(), anyone());
    let identity = writer.keys.identity();
    assert_eq!(
        join.on_announced(&replica, entries[1].block()),
        [JoinEffect::Fetch { cid: identity.cid }]
    );
    assert_eq!(
        join.on_announced(&replica, entries[1].block()),
        [],
        "a second time changes nothing"
    );
    assert_eq!(
        join.on_block(&replica, identity.cid, &identity.block),
        [JoinEffect::Fetch { cid: entries[0].cid() }]
    );
    let effects = join.on_announced(&replica, entries[0].block());
    assert_eq!(
        effects,
        [JoinEffect::Ready {
            entries: entries.clone(),
            identities: vec![identity.clone()],
            passed: vec![]
        }]
    );
    replica.take(effects);
    assert_eq!(join.on_announced(&replica, entries[1].block()), []);
    assert_eq!(
        join.on_announced(&replica, b"junk"),
        [JoinEffect::Reject { cid: LogCid::of(b"junk"), why: Error::FieldSort("entry") }]
    );
    assert!(join.is_idle());
}

#[test]
fn an_entry_stored_in_the_meantime_is_not_ready_twice() {
    let (writer, entries) = chain(3);
    let mut replica = Memory::default();
    let mut join = Join::new(log(), anyone());
    let identity = writer.keys.identity();
    replica.identities.insert(identity.cid, identity.clone());
    join.on_announced(&replica, entries[2].block());
    // The node learns of the others from somewhere else.
    replica.store(entries[0].clone());
    replica.store(entries[1].clone());
    let effects = join.on_missing(&replica, entries[1].cid());
    replica.take(effects);
    assert!(has(&replica, &[&entries[0], &entries[1], &entries[2]]));
}

#[test]
fn an_identity_stored_in_the_meantime_is_not_awaited() {
    let (writer, entries) = chain(2);
    let other = Writer::new(1).append(put("x", 0));
    let identity = writer.keys.identity();
    for missing in [false, true] {
        let mut replica = Memory::default();
        let mut join = Join::new(log(), anyone());
        assert_eq!(
            join.on_announced(&replica, entries[0].block()),
            [JoinEffect::Fetch { cid: identity.cid }]
        );
        replica.identities.insert(identity.cid, identity.clone());
        let effects = match missing {
            true => join.on_missing(&replica, identity.cid),
            false => join.on_announced(&replica, other.block()),
        };
        replica.take(effects);
        assert!(replica.entries.contains_key(&entries[0].cid()) && join.is_idle());
    }
}

#[test]
fn a_log_larger_than_memory_is_joined() {
    let (writer, entries) = chain(400);
    let bytes: usize = entries.iter().map(|entry| entry.block().len()).sum();
    let peer = Peer::with(entries, &[&writer.keys]);
    let limits = JoinLimits { bytes_max: bytes / 10, ..JoinLimits::default() };
    let mut replica = Memory::default();
    let mut join = Join::with_limits(log(), anyone(), limits);
    let fetches = peer.join(&mut join, &mut replica, &writer.replica.heads(), |_| 0);
    assert_eq!(replica.cids(), writer.replica.cids());
    assert_eq!(replica.rejected, BTreeMap::new());
    assert!(fetches > 401, "blocks were let go");
    assert!(fetches < 2 * 401, "and fetched at most once more: {fetches}");
}

#[test]
fn more_entries_than_it_may_track() {
    let (writer, entries) = chain(100);
    let peer = Peer::with(entries.clone(), &[&writer.keys]);
    let limits = JoinLimits { entries_max: 30, ..JoinLimits::default() };
    let mut replica = Memory::default();
    let mut join = Join::with_limits(log(), anyone(), limits);
    peer.join(&mut join, &mut replica, &writer.replica.heads(), |_| 0);
    assert!(has(&replica, &[]));
    assert_eq!(replica.rejected[&entries[99].cid()], Error::JoinFull);
    // Nearer heads come within reach.
    for near in [19, 39, 59, 79, 99] {
        peer.join(&mut join, &mut replica, &[entries[near].cid()], |_| 0);
    }
    assert_eq!(replica.cids(), writer.replica.cids());

    let unknown: Vec<LogCid> = (0..31u8).map(|n| LogCid::of(&[n])).collect();
    let effects = join.on_heads(&replica, &unknown);
    assert!(effects.contains(&JoinEffect::Reject { cid: unknown[30], why: Error::JoinFull }));
    assert_eq!(join.waiting(), 30);
}

#[test]
fn more_identities_than_it_may_keep() {
    let limits = JoinLimits { identities_max: 2, ..JoinLimits::default() };
    let mut join = Join::with_limits(log(), anyone(), limits);
    let mut replica = Memory::default();
    for seed in 1..=3 {
        let writer = keys(seed);
        let effects = join.on_announced(&replica, entry(&writer, 1, &[]).block());
        replica.take(effects);
    }
    assert_eq!(replica.rejected.values().collect::<Vec<_>>(), [&Error::JoinFull]);
    // Those that are here make room.
    for seed in 1..=2 {
        let effects =
            join.on_block(&replica, keys(seed).identity().cid, &keys(seed).identity().block);
        replica.take(effects);
    }
    let effects = join.on_announced(&replica, entry(&keys(3), 1, &[]).block());
    assert_eq!(effects, [JoinEffect::Fetch { cid: keys(3).identity().cid }]);
}

#[test]
fn strangers_cannot_fill_it_with_blocks() {
    let limits = JoinLimits { bytes_max: 10_000, ..JoinLimits::default() };
    let mut join = Join::with_limits(log(), anyone(), limits);
    let mut replica = Memory::default();
    for n in 0..100 {
        // All wait for an identity that never comes.
        let effects = join.on_announced(&replica, entry(&keys(7), n + 1, &[]).block());
        replica.take(effects);
    }
    assert!(
        join.waiting() * entry(&keys(7), 1, &[]).block().len() <= 10_000,
        "{} wait",
        join.waiting()
    );
    assert!(replica.rejected.values().all(|why| *why == Error::JoinFull));
    let cid = keys(7).identity().cid;
    let effects = join.on_missing(&replica, cid);
    replica.take(effects);
    assert!(join.is_idle());
}

#[test]
fn only_verified_entries_are_followed() {
    let access = AccessController::ipfs(vec![keys(1).identity().id.clone()]);
    let mut join = Join::new(log(), access);
    let mut replica = Memory::default();
    let stranger = keys(5);
    replica.identities.insert(stranger.identity().cid, stranger.identity().clone());
    let links = Links { next: vec![LogCid::of(b"x")], refs: vec![LogCid::of(b"y")], time: 9 };
    let head = Entry::sign(&stranger, log(), links, Ipld::Null).unwrap();
    let effects = join.on_announced(&replica, head.block());
    assert_eq!(effects, [JoinEffect::Reject { cid: head.cid(), why: Error::AccessDenied }]);
}

/// As deep as recursion would not go.
#[test]
fn a_deep_chain() {
    let alice = keys(1);
    let mut entries = vec![entry(&alice, 1, &[])];
    for time in 2..=10_000 {
        let next = entry(&alice, time, &[&entries[entries.len() - 1]]);
        entries.push(next);
    }
    let head = entries[entries.len() - 1].clone();
    let peer = Peer::with(entries.clone(), &[&alice]);
    let mut replica = Memory::default();
    let mut join = Join::new(log(), anyone());
    peer.join(&mut join, &mut replica, &[head.cid()], |_| 0);
    assert_eq!(replica.entries.len(), 10_000);
    // And when its very root is missing.
    let mut replica = Memory::default();
    let mut peer = peer;
    peer.blocks.remove(&entries[0].cid());
    peer.join(&mut Join::new(log(), anyone()), &mut replica, &[head.cid()], |_| 0);
    assert_eq!(replica.rejected.len(), 10_000);
}
