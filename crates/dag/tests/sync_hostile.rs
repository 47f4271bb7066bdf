//! Fast sync with peers that break its rules: each rule is an error of its own, and every pull ends.
#![allow(clippy::unwrap_used)]

mod shelf;

use std::sync::LazyLock;

use optimusdb_dag::limits::{
    CLOCK_TICKS_MAX, IDENTITY_BYTES_MAX, SYNC_CELLS_MAX, SYNC_ENTRIES_MAX, SYNC_IDS_MAX,
    SYNC_REPLY_BYTES_MAX, SYNC_REQUEST_BYTES_MAX, SYNC_SPANS_MAX,
};
use optimusdb_dag::sync::{
    Ask, Cell, Declined, Id, IdTree, Pull, PullEffect, PullError, PullLimits, Reply, Request, Span,
    Summary, Tree, Unreadable,
};
use optimusdb_dag::{Address, Error, LogCid};
use proptest::prelude::*;
use shelf::{Shelf, Traffic, entry, entry_of, honest, identity, log, pull_with, served};

/// Two copies of which one lacks entries in every way: within a leaf, a neighbourhood, a stretch.
fn copies() -> &'static (Shelf, Shelf) {
    static COPIES: LazyLock<(Shelf, Shelf)> = LazyLock::new(made);
    &COPIES
}

fn made() -> (Shelf, Shelf) {
    let from = Shelf::of((1..=4_000).map(|n| entry(n, n)));
    let into = Shelf::of(
        (1..=2_000).filter(|n| *n != 5 && !(900..1_200).contains(n)).map(|n| entry(n, n)),
    );
    (from, into)
}

fn limits() -> PullLimits {
    PullLimits { requests_max: 300, ..PullLimits::default() }
}

/// Pulls from a peer that does `tamper` to every honest reply.
fn pull_tampered(tamper: impl Fn(&Request, &mut Reply)) -> Result<Traffic, PullError> {
    let (from, into) = copies();
    pull_with(
        limits(),
        &into.tree,
        &mut |request| {
            let mut reply = honest(from, request);
            tamper(request, &mut reply);
            reply
        },
        &mut |_, _| {},
    )
}

/// The error of a pull whose replies are tampered with. Replies need not be encodable.
fn offence(tamper: impl Fn(&Request, &mut Reply)) -> PullError {
    let (from, into) = copies();
    let mut pull = Pull::new(log(), limits());
    let mut request = pull.start();
    loop {
        let mut reply = honest(from, &request);
        tamper(&request, &mut reply);
        match pull.on_reply(&into.tree, &|_| false, reply) {
            Err(error) => {
                let again = pull.on_reply(&into.tree, &|_| false, Reply::Declined(Declined::Busy));
                assert_eq!(again, Err(PullError::NotAwaited), "it goes on after an error");
                return error;
            }
            Ok(effects) => {
                let next = effects.into_iter().find_map(|effect| match effect {
                    PullEffect::Ask(next) => Some(next),
                    _ => None,
                });
                request = next.expect("the pull ends without an error");
            }
        }
    }
}

#[test]
fn untampered_it_takes_every_kind_of_question() {
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let traffic = pull_tampered(|request, _| {
        seen.borrow_mut().insert(shelf::sort(&request.ask));
    })
    .unwrap();
    assert_eq!(traffic.entries, 2_301);
    assert_eq!(seen.into_inner().len(), 5);
}

#[test]
fn a_reply_to_another_question() {
    let sorts: [fn() -> Reply; 4] = [
        || Reply::Root { newest: None, summary: Summary::EMPTY },
        || Reply::Children(Vec::new()),
        || Reply::Ids { ids: Vec::new(), more: false },
        || Reply::Blocks { entries: Vec::new(), identities: Vec::new(), more: false },
    ];
    for (n, other) in sorts.into_iter().enumerate() {
        let error = offence(|_, reply| {
            let kind = match reply {
                Reply::Root { .. } => 0,
                Reply::Children(_) => 1,
                Reply::Ids { .. } => 2,
                _ => 3,
            };
            if kind != n {
                *reply = other();
            }
        });
        let expected = if n == 0 { PullError::OtherQuestion } else { error.clone() };
        assert!(error == expected && error.is_offence(), "{error}");
    }
    // Blocks by name are never to be continued.
    let error = offence(|request, reply| {
        if let (Ask::Blocks(_), Reply::Blocks { more, .. }) = (&request.ask, reply) {
            *more = true;
        }
    });
    assert_eq!(error, PullError::OtherQuestion);
}

#[test]
fn cells_that_are_left_out_or_added() {
    for add in [false, true] {
        let error = offence(|_, reply| {
            if let Reply::Children(cells) = reply {
                if add {
                    cells.push(Vec::new());
                } else {
                    cells.pop();
                }
            }
        });
        assert!(matches!(error, PullError::CellsAnswered { .. }), "{error}");
    }
}

#[test]
fn counts_that_shrink() {
    // Of the children, of the ids, of a range.
    let children = offence(|_, reply| {
        if let Reply::Children(cells) = reply {
            cells[0].pop();
        }
    });
    let ids = offence(|_, reply| {
        if let Reply::Ids { ids, .. } = reply {
            ids.pop();
        }
    });
    let range = offence(|request, reply| {
        if let (Ask::Range { .. }, Reply::Blocks { more, .. }) = (&request.ask, reply) {
            *more = false;
        }
    });
    // The root says more than there is.
    let root = offence(|_, reply| {
        if let Reply::Root { summary, .. } = reply {
            summary.count = CLOCK_TICKS_MAX;
        }
    });
    for error in [children, ids, range, root] {
        assert!(matches!(error, PullError::CountShrank { .. }) && error.is_offence(), "{error}");
    }
}

#[test]
fn summaries_that_are_wrong() {
    let root = offence(|_, reply| {
        if let Reply::Root { summary, .. } = reply {
            summary.hash[7] ^= 1;
        }
    });
    let child = offence(|_, reply| {
        if let Reply::Children(cells) = reply {
            cells[0][0].1.hash[0] ^= 1;
        }
    });
    // An id in place of another.
    let id = offence(|_, reply| {
        if let Reply::Ids { ids, .. } = reply {
            ids[0].cid = LogCid::from_digest([0; 32]);
        }
    });
    for error in [root, child, id] {
        assert!(matches!(error, PullError::SummaryWrong { .. }) && error.is_offence(), "{error}");
    }
}

#[test]
fn promises_that_nothing_follows() {
    let ids = offence(|_, reply| {
        if let Reply::Ids { ids, more } = reply {
            ids.clear();
            *more = true;
        }
    });
    let range = offence(|request, reply| {
        if let (Ask::Range { .. }, Reply::Blocks { entries, identities, more }) =
            (&request.ask, reply)
        {
            entries.clear();
            identities.clear();
            *more = true;
        }
    });
    let named = offence(|request, reply| {
        if let (Ask::Blocks(_), Reply::Blocks { entries, identities, .. }) = (&request.ask, reply) {
            entries.clear();
            identities.clear();
        }
    });
    assert_eq!([ids, range, named], [const { PullError::NoProgress }; 3]);
}

#[test]
fn entries_and_ids_out_of_order() {
    let ids = offence(|_, reply| {
        if let Reply::Ids { ids, .. } = reply {
            let first = ids[0];
            ids.insert(1, first);
        }
    });
    let range = offence(|request, reply| {
        if let (Ask::Range { .. }, Reply::Blocks { entries, .. }) = (&request.ask, reply) {
            entries.swap(3, 4);
        }
    });
    // The same batch again.
    let (from, _) = copies();
    let again = offence(|request, reply| {
        if let Ask::Range { span, after: Some(_) } = request.ask {
            *reply = honest(from, &Request { log: log(), ask: Ask::Range { span, after: None } });
        }
    });
    for error in [ids, range, again] {
        assert!(matches!(error, PullError::OutOfOrder(_)) && error.is_offence(), "{error}");
    }
}

#[test]
fn what_was_not_asked_for() {
    let (id, block) = entry(CLOCK_TICKS_MAX, 1);
    let below = offence(|_, reply| {
        if let Reply::Ids { ids, .. } = reply {
            // Between the cells of the list.
            if let Some(n) = ids.iter().position(|id| id.time > 800) {
                ids.insert(n, Id { time: 500, cid: id.cid });
            }
        }
    });
    let beyond = offence(|_, reply| {
        if let Reply::Ids { ids, .. } = reply {
            ids.push(id);
        }
    });
    let range = offence(|request, reply| {
        if let (Ask::Range { .. }, Reply::Blocks { entries, .. }) = (&request.ask, reply) {
            entries.push(block.clone());
        }
    });
    let named = offence(|request, reply| {
        if let (Ask::Blocks(_), Reply::Blocks { entries, .. }) = (&request.ask, reply) {
            entries[0] = block.clone();
        }
    });
    let more_than_named = offence(|request, reply| {
        if let (Ask::Blocks(_), Reply::Blocks { entries, .. }) = (&request.ask, reply) {
            entries.push(block.clone());
        }
    });
    for error in [below, beyond, range, named, more_than_named] {
        assert!(matches!(error, PullError::NotAsked(_)) && error.is_offence(), "{error}");
    }
}

#[test]
fn blocks_that_are_no_entries_of_this_log() {
    let garbage = offence(|request, reply| {
        if let (Ask::Range { .. }, Reply::Blocks { entries, .. }) = (&request.ask, reply) {
            entries[0] = b"garbage".to_vec();
        }
    });
    assert!(matches!(garbage, PullError::NotAnEntry { .. }) && garbage.is_offence());
    let elsewhere = Address::of_manifest(LogCid::of(b"another"));
    let other = offence(|request, reply| {
        if let (Ask::Range { span, .. }, Reply::Blocks { entries, .. }) = (&request.ask, reply) {
            entries[0] = entry_of(elsewhere, span.from, 1, 1).1;
        }
    });
    assert!(matches!(other, PullError::OtherLog(_)) && other.is_offence());
}

/// An entry that we have, listed under a time at which we do not have it.
#[test]
fn an_entry_listed_under_another_time() {
    let (id, block) = entry(1, 1);
    let ours: IdTree = [id].into_iter().collect();
    let mut pull = Pull::new(log(), limits());
    pull.start();
    let listed = Id { time: 2, cid: id.cid };
    let lie: IdTree = [id, listed].into_iter().collect();
    let root = Reply::Root { newest: Some(2), summary: lie.summary(Cell::at(0, 2)).unwrap() };
    pull.on_reply(&ours, &|_| false, root).unwrap();
    let effects = pull
        .on_reply(&ours, &|_| false, Reply::Ids { ids: vec![id, listed], more: false })
        .unwrap();
    let ask = Ask::Blocks(vec![id.cid]);
    assert_eq!(effects, [PullEffect::Ask(Request { log: log(), ask })]);
    let blocks = Reply::Blocks { entries: vec![block], identities: vec![identity(1)], more: false };
    assert_eq!(pull.on_reply(&ours, &|_| false, blocks), Err(PullError::TimeWrong(id.cid)));
}

#[test]
fn identities_that_are_missing_or_too_many() {
    let missing = offence(|_, reply| {
        if let Reply::Blocks { identities, .. } = reply {
            identities.pop();
        }
    });
    assert!(matches!(missing, PullError::IdentityMissing(_)) && missing.is_offence());
    let stranger = offence(|_, reply| {
        if let Reply::Blocks { identities, .. } = reply {
            identities.push(b"stranger".to_vec());
        }
    });
    let twice = offence(|_, reply| {
        if let Reply::Blocks { identities, .. } = reply {
            identities.push(identities[0].clone());
        }
    });
    for error in [stranger, twice] {
        assert!(matches!(error, PullError::IdentityNotAsked(_)) && error.is_offence(), "{error}");
    }
}

#[test]
fn a_peer_that_declines_is_no_offender() {
    for why in [Declined::Unknown, Declined::Busy, Declined::Version, Declined::Malformed] {
        let error = offence(|_, reply| *reply = Reply::Declined(why));
        assert_eq!(error, PullError::Declined(why));
        assert!(!error.is_offence());
    }
}

#[test]
fn our_own_trouble_is_no_offence() {
    struct Broken;
    impl Tree for Broken {
        fn newest(&self) -> Result<Option<u64>, Unreadable> {
            Err(Unreadable("the disk".into()))
        }
        fn summary(&self, _: Cell) -> Result<Summary, Unreadable> {
            Err(Unreadable("the disk".into()))
        }
        fn children(&self, _: Cell) -> Result<Vec<(Cell, Summary)>, Unreadable> {
            Err(Unreadable("the disk".into()))
        }
        fn ids(&self, _: Span, _: Option<Id>, _: usize) -> Result<Vec<Id>, Unreadable> {
            Err(Unreadable("the disk".into()))
        }
    }
    let (from, _) = copies();
    let mut pull = Pull::new(log(), limits());
    let request = pull.start();
    let error = pull.on_reply(&Broken, &|_| false, honest(from, &request)).unwrap_err();
    assert!(matches!(error, PullError::Unreadable(_)) && !error.is_offence());
}

/// A tree without end: every cell has all its children, with as many entries as were promised.
#[test]
fn an_endless_tree_ends_with_the_requests() {
    let (_, into) = copies();
    let hash_of = |cell: Cell| *LogCid::of(format!("{cell:?}").as_bytes()).digest();
    let traffic = pull_with(
        limits(),
        &into.tree,
        &mut |request| match &request.ask {
            Ask::Open { .. } => Reply::Root {
                newest: Some(CLOCK_TICKS_MAX),
                summary: Summary { count: 1, hash: [1; 32] },
            },
            // More with every question, which growth could explain.
            Ask::Children(cells) => Reply::Children(
                cells
                    .iter()
                    .map(|cell| {
                        let all = (0..64).filter_map(|slot| Some((slot, cell.child(slot)?)));
                        all.map(|(slot, child)| {
                            (slot, Summary { count: 1 << 40, hash: hash_of(child) })
                        })
                        .collect()
                    })
                    .collect(),
            ),
            Ask::Ids { .. } => Reply::Ids { ids: Vec::new(), more: false },
            _ => Reply::Blocks { entries: Vec::new(), identities: Vec::new(), more: false },
        },
        &mut |_, _| {},
    );
    // Where nothing is here it asks for entries, and none come.
    assert!(matches!(traffic, Err(PullError::CountShrank { .. } | PullError::NoProgress)));
}

/// Entries without end, each well formed: a pull ends at its bound with what it has.
#[test]
fn an_endless_range_ends_at_the_bound() {
    let mut n = 0;
    let mut handed_over = 0;
    let traffic = pull_with(
        PullLimits { entries_max: 500, ..limits() },
        &IdTree::new(),
        &mut |request| match request.ask {
            Ask::Open { .. } => Reply::Root {
                newest: Some(CLOCK_TICKS_MAX),
                summary: Summary { count: CLOCK_TICKS_MAX, hash: [1; 32] },
            },
            _ => {
                n += 1;
                let (_, block) = entry(n, n);
                let identities = vec![identity((n % 3) as u8)];
                Reply::Blocks { entries: vec![block], identities, more: true }
            }
        },
        &mut |blocks, _| handed_over += blocks.len(),
    );
    // One entry a reply: the requests are used up first.
    assert_eq!(traffic.map(|t| (t.level, t.requests)), Ok((false, 300)));
    assert_eq!(handed_over, 299);
}

/// Leaves that differ without end and hold nothing that we lack.
#[test]
fn requests_that_bring_nothing_are_counted() {
    let ours: IdTree =
        (1..=100_000u64).map(|n| Id { time: n * 8, cid: LogCid::of(&n.to_be_bytes()) }).collect();
    // The peer lacks an entry in every leaf: it has something else everywhere, and nothing new.
    let theirs: IdTree = ours.iter().filter(|id| id.time % 16 == 0).copied().collect();
    let theirs = Shelf { tree: theirs, ..Shelf::default() };
    let traffic = pull_with(
        PullLimits { requests_max: 20, ..PullLimits::default() },
        &ours,
        &mut |request| honest(&theirs, request),
        &mut |_, _| unreachable!("nothing is lacking"),
    );
    assert_eq!(traffic, Err(PullError::NothingNew(20)));
}

#[test]
fn a_server_answers_whatever_comes() {
    let (from, _) = copies();
    let answer = |request: &Request| Reply::decode(&served(from, &request.encode()));
    let ask = |ask| Request { log: log(), ask };
    let declined = |why| Ok(Reply::Declined(why));
    assert_eq!(answer(&ask(Ask::Open { version: 2 })), declined(Declined::Version));
    let elsewhere = Address::of_manifest(LogCid::of(b"another"));
    for question in [Ask::Open { version: 1 }, Ask::Blocks(vec![entry(1, 1).0.cid])] {
        let request = Request { log: elsewhere, ask: question };
        assert_eq!(answer(&request), declined(Declined::Unknown));
    }
    for bytes in [&b""[..], &[1; 33], &[0; 40], &vec![5; SYNC_REQUEST_BYTES_MAX + 1]] {
        let reply = Reply::decode(&served(from, bytes));
        assert_eq!(reply, declined(Declined::Malformed));
    }
    // Cells beyond the newest time, ranges without entries, blocks that are not here.
    let far = Cell::at(3, CLOCK_TICKS_MAX);
    assert_eq!(answer(&ask(Ask::Children(vec![far]))), Ok(Reply::Children(vec![Vec::new()])));
    let span = Span { from: CLOCK_TICKS_MAX, until: CLOCK_TICKS_MAX + 1 };
    let none = Reply::Blocks { entries: vec![], identities: vec![], more: false };
    assert_eq!(answer(&ask(Ask::Range { span, after: None })), Ok(none.clone()));
    assert_eq!(answer(&ask(Ask::Blocks(vec![LogCid::of(b"nothing")]))), Ok(none.clone()));
    // An identity is not an entry.
    assert_eq!(answer(&ask(Ask::Blocks(vec![LogCid::of(&identity(1))]))), Ok(none));
    let whole = Span { from: 0, until: CLOCK_TICKS_MAX + 1 };
    let Ok(Reply::Ids { ids, more }) = answer(&ask(Ask::Ids { spans: vec![whole], after: None }))
    else {
        panic!("no ids")
    };
    assert!(ids.len() == SYNC_IDS_MAX && more);
    // The whole log in one reply is not had, whatever is asked.
    let cids = vec![entry(1, 1).0.cid; SYNC_ENTRIES_MAX];
    let reply = served(from, &ask(Ask::Blocks(cids)).encode());
    assert!(reply.len() <= SYNC_REPLY_BYTES_MAX);
}

#[test]
fn messages_that_break_a_rule() {
    let store = *log().manifest().digest();
    let request =
        |sort: u8, rest: &[u8]| Request::decode(&[&[sort][..], &store, rest].concat()).unwrap_err();
    let rule = |text: &'static str| Error::SyncMessage(text);
    assert_eq!(request(0, &[]), rule("unknown sort of request"));
    assert_eq!(request(6, &[]), rule("unknown sort of request"));
    assert_eq!(request(1, &[0x81, 0x00]), Error::NotMinimal);
    assert_eq!(request(1, &[0xff; 10]), Error::VarintRange);
    assert_eq!(request(1, &[1, 1]), Error::Trailing);
    assert_eq!(request(2, &[0]), rule("number of cells"));
    assert_eq!(request(2, &[65]), rule("number of cells"));
    for cell in [[1u8, 0, 0], [1, 10, 0]] {
        assert_eq!(request(2, &cell), rule("there is no such cell, or it has no children"));
    }
    assert_eq!(request(2, &[2, 1, 5, 1, 5]), rule("cells are out of order"));
    assert_eq!(request(2, &[2, 1, 5, 2, 0]), rule("cells are out of order"));
    assert_eq!(request(3, &[65]), rule("number of ranges"));
    assert_eq!(request(3, &[1, 0, 0]), rule("an empty range"));
    assert_eq!(request(4, &[0, 0]), rule("an empty range"));
    let beyond = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 0];
    assert_eq!(request(4, &beyond), rule("a range ends beyond the last time"));
    let after = [&[4, 4, 1, 9][..], &[0; 32]].concat();
    assert_eq!(request(4, &after), rule("to go on after an id beyond the range"));
    assert_eq!(request(4, &[4, 4, 2]), rule("neither yes nor no"));
    assert_eq!(request(5, &[0]), rule("number of blocks"));
    assert_eq!(request(5, &[0x81, 0x08]), rule("number of blocks"));
    assert_eq!(request(5, &[1, 1]), Error::Truncated);

    let reply = |bytes: &[u8]| Reply::decode(bytes).unwrap_err();
    let hash = [9; 32];
    assert_eq!(reply(&[]), Error::Truncated);
    assert_eq!(reply(&[0]), rule("unknown sort of reply"));
    assert_eq!(reply(&[&[1, 5, 0][..], &hash].concat()), rule("number of entries"));
    assert_eq!(reply(&[1, 0, 0]), Error::Trailing);
    assert_eq!(reply(&[2, 65]), rule("number of cells"));
    assert_eq!(reply(&[2, 1, 65]), rule("number of children"));
    let child = |slot: u8| [&[slot, 1][..], &hash].concat();
    let two = [&[2, 1, 2][..], &child(3), &child(3)].concat();
    assert_eq!(reply(&two), rule("children are out of order"));
    assert_eq!(reply(&[&[2, 1, 1][..], &child(64)].concat()), rule("children are out of order"));
    assert_eq!(reply(&[3, 0x81, 0x10]), rule("number of ids"));
    let same = [&[3, 2, 1][..], &hash, &[0], &hash, &[0]].concat();
    assert_eq!(reply(&same), rule("ids are out of order"));
    assert_eq!(reply(&[4, 0x81, 0x08]), rule("number of blocks"));
    assert_eq!(reply(&[4, 1, 0]), rule("bytes of a block"));
    // More identities than entries; an identity that is too long.
    assert_eq!(reply(&[4, 1, 1, 7, 2]), rule("number of blocks"));
    let long = IDENTITY_BYTES_MAX + 1;
    let long = [4, 1, 1, 7, 1, (long & 0x7f) as u8 | 0x80, (long >> 7) as u8];
    assert_eq!(reply(&long), rule("bytes of a block"));
    assert_eq!(reply(&[4, 0, 0, 2]), rule("neither yes nor no"));
    assert_eq!(reply(&[5, 5]), rule("unknown reason"));
    let long = vec![5; SYNC_REPLY_BYTES_MAX + 1];
    assert!(matches!(reply(&long), Error::BlockTooLarge { .. }));
}

fn id() -> impl Strategy<Value = Id> {
    (0..=CLOCK_TICKS_MAX, any::<[u8; 32]>())
        .prop_map(|(time, digest)| Id { time, cid: LogCid::from_digest(digest) })
}

fn summary() -> impl Strategy<Value = Summary> {
    (1..=CLOCK_TICKS_MAX, any::<[u8; 32]>()).prop_map(|(count, hash)| Summary { count, hash })
}

fn spans() -> impl Strategy<Value = Vec<Span>> {
    proptest::collection::vec((0u64..5_000, 1u64..5_000), 1..=SYNC_SPANS_MAX).prop_map(|pairs| {
        let mut end = 0;
        pairs
            .into_iter()
            .map(|(gap, ticks)| {
                let span = Span { from: end + gap, until: end + gap + ticks };
                end = span.until;
                span
            })
            .collect()
    })
}

fn request() -> impl Strategy<Value = Request> {
    let after = move |span: Span, (is, at, digest): (bool, u64, [u8; 32])| {
        let time = span.from + at % (span.until - span.from);
        is.then_some(Id { time, cid: LogCid::from_digest(digest) })
    };
    let drawn = || (any::<bool>(), any::<u64>(), any::<[u8; 32]>());
    let ask = prop_oneof![
        any::<u64>().prop_map(|version| Ask::Open { version }),
        proptest::collection::btree_set(0u64..1 << 30, 1..=SYNC_CELLS_MAX).prop_map(|indexes| {
            Ask::Children(indexes.into_iter().filter_map(|i| Cell::new(1, i)).collect())
        }),
        (spans(), drawn()).prop_map(move |(spans, drawn)| {
            let after = after(spans[0], drawn);
            Ask::Ids { spans, after }
        }),
        (spans(), drawn()).prop_map(move |(spans, drawn)| Ask::Range {
            span: spans[0],
            after: after(spans[0], drawn)
        }),
        proptest::collection::vec(any::<[u8; 32]>(), 1..50)
            .prop_map(|d| Ask::Blocks(d.into_iter().map(LogCid::from_digest).collect())),
    ];
    ask.prop_map(|ask| Request { log: log(), ask })
}

fn reply() -> impl Strategy<Value = Reply> {
    let block = || proptest::collection::vec(any::<u8>(), 1..200);
    prop_oneof![
        (1..=CLOCK_TICKS_MAX, summary())
            .prop_map(|(newest, summary)| Reply::Root { newest: Some(newest), summary }),
        Just(Reply::Root { newest: None, summary: Summary::EMPTY }),
        proptest::collection::vec(
            proptest::collection::btree_map(0u8..64, summary(), 0..10),
            0..20
        )
        .prop_map(|cells| {
            Reply::Children(cells.into_iter().map(|c| c.into_iter().collect()).collect())
        }),
        (proptest::collection::btree_set(id(), 0..50), any::<bool>())
            .prop_map(|(ids, more)| Reply::Ids { ids: ids.into_iter().collect(), more }),
        (proptest::collection::vec((block(), any::<bool>()), 0..20), any::<bool>()).prop_map(
            |(blocks, more)| {
                let identities = blocks.iter().filter(|(_, is)| *is).map(|(b, _)| b.clone());
                let identities = identities.collect();
                let entries = blocks.into_iter().map(|(b, _)| b).collect();
                Reply::Blocks { entries, identities, more }
            }
        ),
        Just(Reply::Declined(Declined::Busy)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn messages_come_back(request in request(), reply in reply()) {
        prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
        prop_assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
    }

    /// Bytes that are read are those that would be written: a message has one form.
    #[test]
    fn mutated_messages_are_refused_or_have_one_form(
        request in request(), reply in reply(), at in any::<prop::sample::Index>(), to in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let mutate = |mut bytes: Vec<u8>| {
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at); } else { bytes[at] = to; }
            bytes
        };
        let bytes = mutate(request.encode());
        if let Ok(request) = Request::decode(&bytes) {
            prop_assert_eq!(request.encode(), bytes);
        }
        let bytes = mutate(reply.encode());
        if let Ok(reply) = Reply::decode(&bytes) {
            prop_assert_eq!(reply.encode(), bytes);
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for sort in 0..7 {
            let bytes = [&[sort][..], &bytes].concat();
            if let Ok(request) = Request::decode(&bytes) {
                prop_assert_eq!(request.encode(), &bytes[..]);
            }
            if let Ok(reply) = Reply::decode(&bytes) {
                prop_assert_eq!(reply.encode(), &bytes[..]);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// A peer that answers anything, honest or not: the pull ends, and hands nothing over twice.
    #[test]
    fn every_pull_ends(
        lies in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..10), 1..60),
        arbitrary in proptest::collection::vec(reply(), 60),
    ) {
        let (from, into) = copies();
        let mut step = 0;
        let mut last = None;
        let done = pull_with(
            PullLimits { requests_max: 60, ..PullLimits::default() },
            &into.tree,
            &mut |request| {
                let mut reply = honest(from, request);
                let (at, how) = lies[step % lies.len()];
                step += 1;
                tamper(&mut reply, at, how, &arbitrary[step % arbitrary.len()]);
                reply
            },
            &mut |blocks, _| {
                for block in blocks {
                    let id = from.by_cid.get(&LogCid::of(block)).copied();
                    if let Some(id) = id {
                        assert!(last < Some(id));
                        last = Some(id);
                    }
                }
            },
        );
        if let Ok(traffic) = done {
            prop_assert!(traffic.requests <= 60);
        }
    }
}

/// Makes an honest reply a little or entirely different.
fn tamper(reply: &mut Reply, at: prop::sample::Index, how: u8, other: &Reply) {
    match (how, &mut *reply) {
        (0, _) => *reply = other.clone(),
        (1, Reply::Root { summary, .. }) => summary.hash[0] ^= 1,
        (1, Reply::Children(cells)) if !cells.is_empty() => {
            let n = at.index(cells.len());
            cells[n].iter_mut().for_each(|(_, summary)| summary.count += 1);
        }
        (2, Reply::Children(cells)) if !cells.is_empty() => {
            let n = at.index(cells.len());
            cells[n].iter_mut().for_each(|(_, summary)| {
                summary.count += 1;
                summary.hash[1] ^= 1;
            });
        }
        (1, Reply::Ids { ids, .. }) if !ids.is_empty() => {
            ids.remove(at.index(ids.len()));
        }
        (2, Reply::Ids { more, .. } | Reply::Blocks { more, .. }) => *more = !*more,
        (1, Reply::Blocks { entries, .. }) if !entries.is_empty() => {
            entries.remove(at.index(entries.len()));
        }
        _ => {}
    }
}
