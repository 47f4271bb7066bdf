//! The answering side, without a network and with a clock of its own.

use optimusdb_dag::LogCid;

use super::*;
use crate::peering::accounts::Accounts;
use crate::source::Source;

const PLEASE: Want = Want { ask: WantType::Block, send_dont_have: true };

fn cid(number: usize) -> Cid {
    LogCid::of(&number.to_be_bytes()).into()
}

fn wants(server: &mut Server, peer: PeerId, numbers: std::ops::Range<usize>) {
    for number in numbers {
        server.want(0, peer, cid(number), PLEASE);
    }
}

/// The next read and what was wanted, as numbers of blocks below 10,000.
fn read(server: &mut Server, now: u64) -> Option<(PeerId, Vec<Cid>)> {
    let read = server.next_read(now, |_| Some(Charged::default()))?;
    Some((read.peer, read.wants.into_iter().map(|(cid, _)| cid).collect()))
}

fn answer(server: &mut Server, peer: PeerId, cids: &[Cid], here: bool) -> Vec<WantAnswer> {
    let found = |cid: &Cid| {
        let found = if here { Found::Block(Vec::new()) } else { Found::Missing };
        (cid.clone(), PLEASE, found)
    };
    server.on_read(0, peer, cids.iter().map(found).collect())
}

#[test]
fn wants_are_answered_in_their_order() {
    let (mut server, peer) = (Server::new(), PeerId::random());
    wants(&mut server, peer, 0..3);
    // Asked again, now only whether it is here: one want, in its old place.
    server.want(0, peer, cid(1), Want { ask: WantType::Have, send_dont_have: false });
    server.cancel(peer, &cid(2));
    let found = server.next_read(0, |_| Some(Charged::default())).unwrap();
    let asks: Vec<(Cid, WantType)> =
        found.wants.iter().map(|(cid, want)| (cid.clone(), want.ask)).collect();
    assert_eq!(asks, [(cid(0), WantType::Block), (cid(1), WantType::Have)]);
    let results = vec![
        (cid(0), found.wants[0].1, Found::Block(b"0".to_vec())),
        (cid(1), found.wants[1].1, Found::Have),
    ];
    assert_eq!(
        server.on_read(0, peer, results),
        [WantAnswer::Block(cid(0), b"0".to_vec()), WantAnswer::Presence(cid(1), true)]
    );
    assert!(!server.needs_ticks() || read(&mut server, 0).is_none());
}

#[test]
fn peers_take_turns() {
    let mut server = Server::new();
    let [greedy, modest] = [PeerId::random(), PeerId::random()];
    wants(&mut server, greedy, 0..1_000);
    wants(&mut server, modest, 0..1);
    assert_eq!(read(&mut server, 0).unwrap().0, greedy);
    assert_eq!(read(&mut server, 0).unwrap(), (modest, vec![cid(0)]));
    // The greedy one has as many readers as it may, others would get one.
    for _ in 1..PEER_READS_MAX {
        assert_eq!(read(&mut server, 0).unwrap().0, greedy);
    }
    assert_eq!(read(&mut server, 0), None);
    let third = PeerId::random();
    wants(&mut server, third, 0..1);
    assert_eq!(read(&mut server, 0).unwrap().0, third);
}

#[test]
fn readers_are_bounded_over_all_peers() {
    let mut server = Server::new();
    let peers: Vec<PeerId> = (0..=READS_MAX).map(|_| PeerId::random()).collect();
    peers.iter().for_each(|peer| wants(&mut server, *peer, 0..1));
    for peer in &peers[..READS_MAX] {
        assert_eq!(read(&mut server, 0).unwrap().0, *peer);
    }
    assert_eq!(read(&mut server, 0), None);
    answer(&mut server, peers[0], &[cid(0)], true);
    assert_eq!(read(&mut server, 0).unwrap().0, peers[READS_MAX]);
}

#[test]
fn who_has_cost_least_is_served_first_whatever_others_ask_for() {
    let mut server = Server::new();
    let [greedy, modest] = [PeerId::random(), PeerId::random()];
    wants(&mut server, greedy, 0..PEER_WANTS_MAX);
    wants(&mut server, modest, 0..3 * READ_WANTS_MAX);
    let accounts = Accounts::default();
    let source = |peer| Source { peer, network: None };
    let now = std::time::Instant::now();
    accounts.charge(now, &source(greedy), 100.0);
    let next = |server: &mut Server| {
        let read = server.next_read(0, |peer| Some(accounts.charged(now, &source(*peer)))).unwrap();
        accounts.charge(now, &source(read.peer), 40.0);
        let cids: Vec<Cid> = read.wants.into_iter().map(|(cid, _)| cid).collect();
        answer(server, read.peer, &cids, true);
        read.peer
    };
    let order: Vec<PeerId> = (0..6).map(|_| next(&mut server)).collect();
    assert_eq!(order, [modest, modest, modest, greedy, greedy, greedy]);
}

#[test]
fn nothing_is_read_for_a_peer_whose_outbox_is_full() {
    let mut server = Server::new();
    let [full, empty] = [PeerId::random(), PeerId::random()];
    wants(&mut server, full, 0..1);
    wants(&mut server, empty, 0..1);
    let turn = |peer: &PeerId| (*peer == empty).then(Charged::default);
    assert_eq!(server.next_read(0, turn).unwrap().peer, empty);
    assert_eq!(server.next_read(0, turn), None);
    assert_eq!(server.next_read(0, |_| Some(Charged::default())).unwrap().peer, full);
}

#[test]
fn a_queue_is_bounded() {
    let (mut server, peer) = (Server::new(), PeerId::random());
    wants(&mut server, peer, 0..PEER_WANTS_MAX);
    assert_eq!(server.dropped_wants, 0);
    wants(&mut server, peer, PEER_WANTS_MAX..PEER_WANTS_MAX + 1);
    assert_eq!(server.dropped_wants, 1);
    let other = PeerId::random();
    wants(&mut server, other, 0..1);
    assert_eq!(server.dropped_wants, 1);
}

/// Serves the peer as long as it may be served.
fn serve(server: &mut Server, peer: PeerId, now: u64) -> usize {
    let mut served = 0;
    while let Some((_, cids)) = read(server, now) {
        served += cids.len();
        answer(server, peer, &cids, true);
    }
    served
}

#[test]
fn a_flood_is_served_at_its_rate() {
    let (mut server, peer) = (Server::new(), PeerId::random());
    let mut served = 0;
    for _ in 0..10 {
        wants(&mut server, peer, 0..PEER_WANTS_MAX);
        served += serve(&mut server, peer, 0);
    }
    assert_eq!(served as u64, BURST_WANTS_MAX);
    assert!(server.needs_ticks());
    assert_eq!(serve(&mut server, peer, 10) as u64, PEER_WANTS_PER_SECOND_MAX / 100);
    // Another peer is not held up by it.
    let other = PeerId::random();
    wants(&mut server, other, 0..1);
    assert_eq!(read(&mut server, 10).unwrap().0, other);
}

#[test]
fn wants_come_back_from_a_reader_that_had_enough() {
    let (mut server, peer) = (Server::new(), PeerId::random());
    wants(&mut server, peer, 0..READ_WANTS_MAX + 1);
    let first = server.next_read(0, |_| Some(Charged::default())).unwrap();
    assert_eq!(first.wants.len(), READ_WANTS_MAX);
    let results = first.wants.into_iter().enumerate().map(|(at, (cid, want))| {
        let found = if at < 2 { Found::Block(Vec::new()) } else { Found::Unread };
        (cid, want, found)
    });
    assert_eq!(server.on_read(0, peer, results.collect()).len(), 2);
    let again: Vec<Cid> = (2..READ_WANTS_MAX + 1).map(cid).collect();
    assert_eq!(read(&mut server, 0), Some((peer, again)));
}

/// A peer that wants a block which is not here.
fn waiting(send_dont_have: bool) -> (Server, PeerId) {
    let (mut server, peer) = (Server::new(), PeerId::random());
    let want = Want { ask: WantType::Block, send_dont_have };
    server.want(0, peer, cid(1), want);
    server.next_read(0, |_| Some(Charged::default())).unwrap();
    let told = server.on_read(0, peer, vec![(cid(1), want, Found::Missing)]);
    let dont_have = WantAnswer::Presence(cid(1), false);
    assert_eq!(told, if send_dont_have { vec![dont_have] } else { vec![] });
    assert!(server.waits_for_blocks());
    (server, peer)
}

#[test]
fn a_missing_block_is_sent_when_it_arrives() {
    for send_dont_have in [true, false] {
        let (mut server, peer) = waiting(send_dont_have);
        server.arrived(cid(2));
        assert_eq!(read(&mut server, 0), None);
        server.arrived(cid(1));
        assert_eq!(read(&mut server, 0), Some((peer, vec![cid(1)])));
        server.arrived(cid(1));
        assert_eq!(read(&mut server, 0), None);
    }
}

#[test]
fn a_kept_want_ends_with_a_cancel_a_full_list_a_lost_peer_and_its_time() {
    let ends: [fn(&mut Server, PeerId); 4] = [
        |server, peer| server.cancel(peer, &cid(1)),
        |server, peer| server.forget_all(peer),
        |server, peer| server.peer_down(peer),
        |server, _| {
            server.on_tick(KEPT_WANTS_MS - 1);
            assert!(server.waits_for_blocks());
            server.on_tick(KEPT_WANTS_MS);
        },
    ];
    for end in ends {
        let (mut server, peer) = waiting(true);
        end(&mut server, peer);
        assert!(!server.waits_for_blocks());
        server.arrived(cid(1));
        assert_eq!(read(&mut server, 0), None);
    }
}

#[test]
fn kept_wants_are_bounded_and_the_oldest_goes_first() {
    let (mut server, peer) = (Server::new(), PeerId::random());
    wants(&mut server, peer, 0..KEPT_WANTS_MAX + 1);
    while let Some((_, cids)) = read(&mut server, 0) {
        answer(&mut server, peer, &cids, false);
    }
    assert_eq!(server.waiting.len(), KEPT_WANTS_MAX);
    server.arrived(cid(0));
    assert_eq!(read(&mut server, 0), None);
    server.arrived(cid(1));
    assert_eq!(read(&mut server, 0), Some((peer, vec![cid(1)])));
}

#[test]
fn a_block_that_arrives_while_it_is_looked_up_is_found() {
    let (mut server, peer) = (Server::new(), PeerId::random());
    wants(&mut server, peer, 1..2);
    read(&mut server, 0).unwrap();
    assert!(server.waits_for_blocks());
    server.arrived(cid(1));
    assert_eq!(answer(&mut server, peer, &[cid(1)], false), []);
    assert_eq!(read(&mut server, 0), Some((peer, vec![cid(1)])));
    // Once: then it is missing indeed.
    assert_eq!(answer(&mut server, peer, &[cid(1)], false).len(), 1);
    assert_eq!(read(&mut server, 0), None);
}
