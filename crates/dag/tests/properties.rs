//! What holds for any value, any log and any order of delivery.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod world;

use std::collections::BTreeMap;

use optimusdb_dag::join::{Join, JoinLimits};
use optimusdb_dag::{Address, Entry, EntryLinks, Ipld, Links, LogCid, plan_append, value};
use proptest::prelude::*;
use proptest::sample::Index;
use world::{Memory, Peer, Writer, anyone, keys, log, prove, put};

fn any_value() -> impl Strategy<Value = Ipld> {
    let text = prop_oneof!["[a-z]{0,3}", "\\PC{0,12}"]
        .prop_filter("no JavaScript object has it", |text| text != "__proto__");
    let scalar = prop_oneof![
        Just(Ipld::Null),
        any::<bool>().prop_map(Ipld::Bool),
        any::<i64>().prop_map(|integer| Ipld::Integer(integer.into())),
        (-300i128..300).prop_map(Ipld::Integer),
        (0u32..64, -1i128..2).prop_map(|(bits, off)| Ipld::Integer((1 << bits) + off)),
        any::<f64>().prop_filter("finite", |float| float.is_finite()).prop_map(Ipld::Float),
        (-40i32..40).prop_map(|half| Ipld::Float(f64::from(half) / 2.0)),
        text.clone().prop_map(Ipld::String),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Ipld::Bytes),
    ];
    scalar.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Ipld::List),
            prop::collection::btree_map(text.clone(), inner, 0..6).prop_map(Ipld::Map),
        ]
    })
}

fn cids(range: std::ops::Range<usize>) -> impl Strategy<Value = Vec<LogCid>> {
    prop::collection::btree_set(any::<[u8; 32]>(), range)
        .prop_map(|set| set.into_iter().map(LogCid::from_digest).collect())
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn values_round_trip(value in any_value()) {
        let bytes = value::encode(&value).unwrap();
        let normal = value::normalise(value).unwrap();
        prop_assert_eq!(&serde_ipld_dagcbor::to_vec(&normal).unwrap(), &bytes, "another encoder agrees");
        prop_assert_eq!(&value::encode(&normal).unwrap(), &bytes);
        prop_assert_eq!(value::normalise(normal.clone()).unwrap(), normal.clone());
        prop_assert_eq!(value::decode(&bytes).unwrap(), normal);
    }

    #[test]
    fn what_decodes_encodes_the_same(value in any_value(), changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4)) {
        let mut bytes = value::encode(&value).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(decoded) = value::decode(&bytes) {
            prop_assert_eq!(value::encode(&decoded).unwrap(), bytes.clone());
            prop_assert_eq!(serde_ipld_dagcbor::from_slice::<Ipld>(&bytes).unwrap(), decoded);
        }
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(decoded) = value::decode(&bytes) {
            prop_assert_eq!(value::encode(&decoded).unwrap(), bytes.clone());
        }
        prop_assert!(Entry::decode(LogCid::of(&bytes), &bytes).is_err());
    }

    #[test]
    fn texts_round_trip(digest in any::<[u8; 32]>()) {
        let cid = LogCid::from_digest(digest);
        prop_assert_eq!(cid.to_string().parse::<LogCid>().unwrap(), cid);
        let address = Address::of_manifest(cid);
        prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        prop_assert_eq!(address.manifest(), cid);
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn entries_round_trip(
        payload in any_value(), next in cids(0..30), refs in cids(0..30), time in 1u64..1 << 53, position in any::<Index>()
    ) {
        let keys = keys(1);
        let entry = Entry::sign(&keys, log(), Links { next: next.clone(), refs: refs.clone(), time }, payload.clone()).unwrap();
        let decoded = Entry::decode(entry.cid(), entry.block()).unwrap();
        prove(&decoded, &log(), keys.identity()).unwrap();
        prop_assert_eq!(decoded.payload(), &value::normalise(payload).unwrap());
        prop_assert_eq!(decoded.payload(), entry.payload());
        prop_assert_eq!((decoded.next(), decoded.refs(), decoded.clock()), (&next[..], &refs[..], entry.clock()));
        prop_assert_eq!(decoded.to_stored().sig_der, entry.to_stored().sig_der);
        prop_assert_eq!(decoded.identity(), keys.identity().cid);

        let parts = decoded.to_stored();
        prop_assert_eq!(&parts, &entry.to_stored());
        prop_assert_eq!(parts.block(), entry.block());
        let rebuilt = Entry::from_stored(&parts).unwrap();
        prop_assert_eq!(rebuilt.block(), entry.block());
        let mut wrong = parts.clone();
        let at = position.index(wrong.payload_cbor.len());
        wrong.payload_cbor[at] ^= 1;
        prop_assert!(Entry::from_stored(&wrong).is_err());
    }
}

/// What happens in a log with three writers.
#[derive(Debug, Clone)]
enum Event {
    Append { writer: usize, key: u8 },
    Learn { writer: usize, from: usize },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let append = (0..3usize, 0..4u8).prop_map(|(writer, key)| Event::Append { writer, key });
    let learn = (0..3usize, 0..3usize).prop_map(|(writer, from)| Event::Learn { writer, from });
    prop::collection::vec(prop_oneof![3 => append, 1 => learn], 1..60)
}

/// Plays the events; every append is compared with the rule stated anew.
fn play(events: &[Event]) -> Vec<Writer> {
    let mut writers: Vec<Writer> = (1..=3).map(Writer::new).collect();
    for (n, event) in events.iter().enumerate() {
        match *event {
            Event::Append { writer, key } => {
                let writer = &mut writers[writer];
                let expected = expected_links(&writer.replica);
                let heads: Vec<EntryLinks> =
                    writer.replica.heads.as_slice().iter().rev().cloned().collect();
                assert_eq!(plan_append(&heads, &mut |cid| writer.replica.links(cid)), expected);
                let entry = writer.append(put(&key.to_string(), n as i128));
                assert_eq!(
                    (entry.next(), entry.refs(), entry.clock().time),
                    (&expected.next[..], &expected.refs[..], expected.time)
                );
            }
            Event::Learn { writer, from } if writer != from => {
                let other = std::mem::take(&mut writers[from].replica);
                writers[writer].learn(&other);
                writers[from].replica = other;
            }
            Event::Learn { .. } => {}
        }
    }
    writers
}

/// The rule for links over a whole log: since a parent always comes before its
/// child, walking from the heads is the same as counting from the newest entry.
fn expected_links(replica: &Memory) -> Links {
    let named: Vec<LogCid> =
        replica.entries.values().flat_map(|entry| entry.next().to_vec()).collect();
    let newest_first: Vec<LogCid> = replica.order().into_iter().rev().collect();
    let next: Vec<LogCid> =
        newest_first.iter().copied().filter(|cid| !named.contains(cid)).collect();
    let refs = newest_first.into_iter().take(16 + next.len()).skip(next.len()).collect();
    let time = replica.entries.values().map(|entry| entry.clock().time).max().unwrap_or(0) + 1;
    Links { next, refs, time }
}

fn everything(writers: &[Writer]) -> (Memory, Peer) {
    let mut all = Writer::new(9);
    for writer in writers {
        all.learn(&writer.replica);
    }
    let keys: Vec<_> = writers.iter().map(|writer| &writer.keys).collect();
    let peer = Peer::with(all.replica.entries.values().cloned(), &keys);
    (all.replica, peer)
}

fn assert_same(one: &Memory, other: &Memory) {
    assert_eq!(one.cids(), other.cids());
    assert_eq!(one.heads(), other.heads());
    assert_eq!(one.order(), other.order());
    assert_eq!(one.winners(), other.winners());
}

/// Joins the heads of the writers, in this order, into an empty replica.
fn joined(
    peer: &Peer,
    writers: &[Writer],
    order: &[usize],
    picks: &[Index],
    limits: &JoinLimits,
) -> Memory {
    let mut replica = Memory::default();
    if *limits != JoinLimits::default() {
        // Entries whose writer is unknown are given up where memory is short.
        replica.identities.extend(
            writers
                .iter()
                .map(|writer| (writer.keys.identity().cid, writer.keys.identity().clone())),
        );
    }
    let mut join = Join::with_limits(log(), anyone(), limits.clone());
    let mut picks = picks.iter().cycle();
    for writer in order {
        let heads = writers[*writer].replica.heads();
        peer.join(&mut join, &mut replica, &heads, |n| {
            picks.next().map_or(0, |pick| pick.index(n))
        });
    }
    assert_eq!(replica.rejected, BTreeMap::new());
    replica
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn logs_converge(
        events in events(),
        order in Just(vec![0, 1, 2]).prop_shuffle(),
        again in prop::collection::vec(0..3usize, 0..3),
        picks in prop::collection::vec(any::<Index>(), 1..200),
    ) {
        let writers = play(&events);
        let (all, peer) = everything(&writers);
        let limits = JoinLimits::default();
        let one = joined(&peer, &writers, &[0, 1, 2], &[], &limits);
        assert_same(&one, &all);
        let shuffled: Vec<usize> = order.iter().chain(&again).copied().collect();
        let other = joined(&peer, &writers, &shuffled, &picks, &limits);
        assert_same(&other, &all);

        // All heads at once; in next to no memory; without hints.
        let mut replica = Memory::default();
        let heads: Vec<LogCid> = writers.iter().flat_map(|writer| writer.replica.heads()).collect();
        let mut at_once = Join::new(log(), anyone());
        peer.join(&mut at_once, &mut replica, &heads, |n| n - 1);
        assert_same(&replica, &all);
        prop_assert_eq!(peer.join(&mut at_once, &mut replica, &heads, |n| n - 1), 0, "a second time changes nothing");
        assert_same(&replica, &all);
        let tight = JoinLimits { bytes_max: 3_000, fetches_max: 3, hints_max: 5, handed_over_max: 2, ..JoinLimits::default() };
        assert_same(&joined(&peer, &writers, &shuffled, &picks, &tight), &all);
        let unhinted = JoinLimits { hints_max: 0, ..JoinLimits::default() };
        assert_same(&joined(&peer, &writers, &shuffled, &picks, &unhinted), &all);
    }

    #[test]
    fn merges_associate(events in events()) {
        let mut writers = play(&events);
        let (all, _) = everything(&writers);
        let [a, b, c] = &mut writers[..] else { unreachable!() };
        // (a with b) with c, and a with (b with c).
        let mut left = Writer::new(9);
        [&a.replica, &b.replica, &c.replica].into_iter().for_each(|replica| left.learn(replica));
        b.learn(&c.replica);
        a.learn(&b.replica);
        assert_same(&left.replica, &all);
        assert_same(&a.replica, &all);
        let heads: Vec<LogCid> = a.tip.heads().iter().map(|head| head.cid).collect();
        prop_assert_eq!(heads, all.heads());
    }

    #[test]
    fn a_tip_is_restored_by_its_clone(events in events(), more in 1..5usize) {
        let mut writers = play(&events);
        let writer = &mut writers[0];
        let before = writer.tip.clone();
        let kept = writer.tip.append(&writer.keys, put("x", 0), &mut |cid| writer.replica.links(cid)).unwrap();
        for n in 1..more {
            writer.tip.append(&writer.keys, put("x", n as i128), &mut |cid| writer.replica.links(cid)).unwrap();
        }
        let mut restored = before;
        let again = restored.append(&writer.keys, put("x", 0), &mut |cid| writer.replica.links(cid)).unwrap();
        prop_assert_eq!(again, kept);
    }
}
