//! The asking side, without a network and with a clock of its own.

use super::super::limits::{
    ANSWERS_AWAITED_MS, FETCH_LIFE_MS, FETCH_TIMEOUT_MS, QUESTION_AGE_MS, SESSION_MISSES_MAX,
    WINDOW_BLOCKS_MAX, WINDOW_BLOCKS_MIN, WINDOW_BYTES_MAX,
};
use super::*;
use optimusdb_dag::LogCid;

struct World {
    client: Client,
    peers: Vec<PeerId>,
    now: u64,
}

fn block(number: u32) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

fn cid(number: u32) -> Cid {
    LogCid::of(&block(number)).into()
}

fn want(peer: PeerId, number: u32) -> FetchEffect {
    FetchEffect::Send(peer, cid(number), WantUpdate::Want(WantType::Block))
}

fn have(peer: PeerId, number: u32) -> FetchEffect {
    FetchEffect::Send(peer, cid(number), WantUpdate::Want(WantType::Have))
}

fn cancel(peer: PeerId, number: u32) -> FetchEffect {
    FetchEffect::Send(peer, cid(number), WantUpdate::Cancel)
}

fn done(sender: PeerId, number: u32) -> FetchEffect {
    FetchEffect::Done(cid(number), Ok((block(number), sender)))
}

fn failed(number: u32, why: FetchError) -> FetchEffect {
    FetchEffect::Done(cid(number), Err(why))
}

impl World {
    fn new(peers: usize) -> World {
        let mut ids: Vec<PeerId> = (0..peers).map(|_| PeerId::random()).collect();
        ids.sort();
        let mut client = Client::new();
        ids.iter().for_each(|peer| client.peer_up(0, *peer, true));
        World { client, peers: ids, now: 0 }
    }

    fn fetch(&mut self, number: u32, candidates: &[usize]) -> Vec<FetchEffect> {
        let candidates: Vec<PeerId> = candidates.iter().map(|at| self.peers[*at]).collect();
        self.client.fetch(self.now, cid(number), &candidates);
        self.client.take_effects()
    }

    fn block(&mut self, peer: usize, number: u32) -> Vec<FetchEffect> {
        self.client.on_block(self.now, self.peers[peer], cid(number), block(number));
        self.client.take_effects()
    }

    fn presence(&mut self, peer: usize, number: u32, have: bool) -> Vec<FetchEffect> {
        self.client.on_presence(self.now, self.peers[peer], &cid(number), have);
        self.client.take_effects()
    }

    fn wait(&mut self, ms: u64) -> Vec<FetchEffect> {
        self.now += ms;
        self.client.on_tick(self.now);
        self.client.take_effects()
    }
}

#[test]
fn the_best_candidate_is_asked_and_nobody_else() {
    let mut world = World::new(3);
    let [_, b, _] = world.peers[..] else { unreachable!() };
    assert_eq!(world.fetch(1, &[1, 2]), [want(b, 1)]);
    assert_eq!(world.block(1, 1), [done(b, 1)]);
    assert!(world.client.is_idle());
    // It comes once more: nobody waits.
    assert_eq!(world.block(2, 1), []);
    assert_eq!(world.client.unwanted_blocks, 1);
}

#[test]
fn a_no_brings_in_the_next_one_at_once() {
    let mut world = World::new(3);
    let [a, b, c] = world.peers[..] else { unreachable!() };
    assert_eq!(world.fetch(1, &[2, 0]), [want(c, 1)]);
    assert_eq!(world.presence(2, 1, false), [want(a, 1)]);
    assert_eq!(world.presence(0, 1, false), [want(b, 1)]);
    assert_eq!(
        world.presence(1, 1, false),
        [failed(1, FetchError::NotFound), cancel(c, 1), cancel(a, 1), cancel(b, 1)]
    );
    assert!(world.client.is_idle());
}

#[test]
fn strangers_are_asked_for_it_or_whether_they_have_it() {
    let mut world = World::new(8);
    let peers = world.peers.clone();
    let asked = world.fetch(1, &[]);
    assert_eq!(
        asked,
        [
            want(peers[0], 1),
            want(peers[1], 1),
            have(peers[2], 1),
            have(peers[3], 1),
            have(peers[4], 1),
            have(peers[5], 1),
        ]
    );
    // One has it and is asked as soon as one of the first two has not; the next one takes its place.
    assert_eq!(world.presence(4, 1, true), []);
    assert_eq!(world.presence(0, 1, false), [want(peers[4], 1), have(peers[6], 1)]);
    let over = world.block(4, 1);
    assert_eq!(over[0], done(peers[4], 1));
    let told: Vec<&FetchEffect> = over[1..].iter().collect();
    assert_eq!(told.len(), 6, "{told:?}");
    assert!(!over.contains(&cancel(peers[4], 1)));
}

#[test]
fn silence_brings_in_others_and_ends_in_time() {
    let mut world = World::new(3);
    let [a, b, c] = world.peers[..] else { unreachable!() };
    assert_eq!(world.fetch(1, &[0]), [want(a, 1)]);
    assert_eq!(world.wait(HEDGE_MS - 1), []);
    assert_eq!(world.wait(1), [want(b, 1), have(c, 1)]);
    // b and c answer that they do not have it; a is late after its time.
    assert_eq!(world.presence(1, 1, false), []);
    assert_eq!(world.presence(2, 1, false), []);
    assert_eq!(world.wait(PEER_TIMEOUT_MS - HEDGE_MS - 1), []);
    let over = world.wait(1);
    assert_eq!(over[0], failed(1, FetchError::TimedOut));
    // a failed: it comes last now, even as a candidate.
    assert_eq!(world.fetch(2, &[0]), [want(b, 2)]);
}

#[test]
fn a_late_block_is_welcome() {
    let mut world = World::new(2);
    let [a, b] = world.peers[..] else { unreachable!() };
    world.fetch(1, &[0]);
    world.wait(HEDGE_MS);
    world.now += PEER_TIMEOUT_MS - HEDGE_MS;
    world.client.on_tick(world.now);
    world.client.take_effects();
    assert_eq!(world.block(0, 1), [done(a, 1), cancel(b, 1)]);
    // It is heard of again, so it is trusted again.
    assert_eq!(world.fetch(2, &[0]), [want(a, 2)]);
}

#[test]
fn a_peer_that_sends_is_not_silent_and_a_fetch_ends_all_the_same() {
    let mut world = World::new(1);
    let a = world.peers[0];
    world.fetch(0, &[0]);
    let mut number = 1;
    while world.now + PEER_TIMEOUT_MS / 2 < FETCH_TIMEOUT_MS {
        world.fetch(number, &[0]);
        world.now += PEER_TIMEOUT_MS / 2;
        assert_eq!(world.wait(0), []);
        assert_eq!(world.block(0, number), [done(a, number)]);
        number += 1;
    }
    let rest = FETCH_TIMEOUT_MS - world.now;
    assert_eq!(world.wait(rest), [failed(0, FetchError::TimedOut), cancel(a, 0)]);
}

#[test]
fn a_lost_peer_is_replaced_and_forgotten() {
    let mut world = World::new(2);
    let [a, b] = world.peers[..] else { unreachable!() };
    assert_eq!(world.fetch(1, &[0]), [want(a, 1)]);
    world.client.peer_down(world.now, a);
    assert_eq!(world.client.take_effects(), [want(b, 1)]);
    world.client.peer_down(world.now, b);
    assert_eq!(world.client.take_effects(), [failed(1, FetchError::NotFound)]);
    assert_eq!(world.fetch(2, &[0, 1]), [failed(2, FetchError::NotFound)]);
    // One that comes later helps with what is under way.
    world.client.peer_up(world.now, a, true);
    assert_eq!(world.fetch(3, &[0]), [want(a, 3)]);
    world.client.peer_up(world.now, b, true);
    assert_eq!(world.presence(0, 3, false), [want(b, 3)]);
}

#[test]
fn a_peer_that_cannot_be_sent_to_is_late_and_a_mute_one_does_not_have_it() {
    let mut world = World::new(2);
    let [a, b] = world.peers[..] else { unreachable!() };
    world.fetch(1, &[0]);
    world.client.on_send_failed(world.now, a, false);
    assert_eq!(world.client.take_effects(), [want(b, 1)]);
    world.client.on_send_failed(world.now, b, true);
    assert_eq!(world.client.take_effects()[0], failed(1, FetchError::TimedOut));
    // b is not asked again; a is, having nobody before it.
    assert_eq!(world.fetch(2, &[1, 0]), [want(a, 2)]);
    assert_eq!(world.presence(0, 2, false)[0], failed(2, FetchError::NotFound));
}

#[test]
fn the_window_bounds_what_a_peer_is_asked_for() {
    let mut world = World::new(1);
    let a = world.peers[0];
    let count = WINDOW_BLOCKS_MAX as u32;
    for number in 0..count {
        assert_eq!(world.fetch(number, &[0]), [want(a, number)]);
    }
    assert_eq!(world.fetch(count, &[0]), []);
    assert_eq!(world.fetch(count + 1, &[0]), []);
    // A place becomes free by a block, by a no, and by the end of a fetch.
    assert_eq!(world.block(0, 0), [done(a, 0), want(a, count)]);
    let no = world.presence(0, 1, false);
    assert_eq!(no, [failed(1, FetchError::NotFound), cancel(a, 1), want(a, count + 1)]);
    assert_eq!(world.fetch(count + 2, &[0]), []);
    world.client.abandon(world.now, &cid(2));
    assert_eq!(world.client.take_effects(), [cancel(a, 2), want(a, count + 2)]);
    // Who waits when the peer goes is told.
    world.fetch(count + 3, &[0]);
    world.client.peer_down(world.now, a);
    assert_eq!(world.client.take_effects().len(), WINDOW_BLOCKS_MAX + 1);
    assert!(world.client.is_idle());
}

#[test]
fn large_blocks_narrow_the_window() {
    let mut window = PeerWindow::new(0);
    let places = |window: &mut PeerWindow| {
        let mut taken = 0;
        while window.has_place() {
            window.take_place(WantType::Block);
            taken += 1;
        }
        (0..taken).for_each(|_| window.release(WantType::Block));
        taken
    };
    assert_eq!(places(&mut window), WINDOW_BLOCKS_MAX);
    (0..100).for_each(|_| window.heard(0, 256 * 1024));
    let of_quarters = WINDOW_BYTES_MAX / (256 * 1024);
    assert!((of_quarters..=of_quarters + 1).contains(&places(&mut window)));
    (0..100).for_each(|_| window.heard(0, WINDOW_BYTES_MAX));
    assert_eq!(places(&mut window), WINDOW_BLOCKS_MIN);
    (0..200).for_each(|_| window.heard(0, 1));
    assert_eq!(places(&mut window), WINDOW_BLOCKS_MAX);
    (0..ASKED_WANTS).for_each(|_| window.take_place(WantType::Have));
    assert!(!window.has_place() && !window.may_be_asked());
}

const ASKED_WANTS: usize = super::super::limits::ASKED_WANTS_MAX;

#[test]
fn a_fetch_that_gets_no_place_does_not_wait_for_ever() {
    let mut world = World::new(1);
    for number in 0..=WINDOW_BLOCKS_MAX as u32 {
        world.fetch(number, &[0]);
    }
    let last = WINDOW_BLOCKS_MAX as u32;
    // The peer goes on sending blocks that nobody asked for, so its places stay taken.
    let mut over = Vec::new();
    while world.now < FETCH_LIFE_MS {
        world.block(0, u32::MAX);
        over.extend(world.wait(PEER_TIMEOUT_MS / 2));
    }
    assert!(over.contains(&failed(last, FetchError::TimedOut)));
    assert!(world.client.is_idle());
}

#[test]
fn work_is_shared_between_candidates() {
    let mut world = World::new(2);
    let mut asked = [0, 0];
    for number in 0..100 {
        for effect in world.fetch(number, &[0, 1]) {
            let FetchEffect::Send(peer, ..) = effect else { panic!("{effect:?}") };
            asked[usize::from(peer == world.peers[1])] += 1;
        }
    }
    assert_eq!(asked, [50, 50]);
}

#[test]
fn a_second_caller_shares_the_fetch_and_brings_its_candidates() {
    let mut world = World::new(2);
    let [a, b] = world.peers[..] else { unreachable!() };
    assert_eq!(world.fetch(1, &[0]), [want(a, 1)]);
    assert_eq!(world.fetch(1, &[1]), []);
    assert_eq!(world.presence(0, 1, false), [want(b, 1)]);
    world.client.abandon(world.now, &cid(1));
    assert_eq!(world.client.take_effects(), [cancel(a, 1), cancel(b, 1)]);
    assert_eq!(world.block(1, 1), []);
}

impl World {
    fn fetch_in(&mut self, ticket: &SessionTicket, number: u32) -> Vec<FetchEffect> {
        self.client.fetch_in(self.now, cid(number), ticket);
        self.client.take_effects()
    }
}

fn session(named: &[PeerId]) -> SessionTicket {
    SessionTicket { number: 1, named: named.to_vec(), members_only: false }
}

#[test]
fn a_session_asks_many_once_and_then_those_that_have_its_blocks() {
    let mut world = World::new(6);
    let peers = world.peers.clone();
    let ticket = session(&[]);
    let asked = world.fetch_in(&ticket, 1);
    assert_eq!(asked[0], want(peers[0], 1));
    assert_eq!(asked[1..], peers[1..].iter().map(|peer| have(*peer, 1)).collect::<Vec<_>>());
    // One has it, before the block comes, and one after it: both are asked for later blocks.
    assert_eq!(world.presence(1, 1, true), []);
    assert_eq!(world.block(0, 1), [done(peers[0], 1), cancel(peers[1], 1)]);
    assert_eq!(world.presence(2, 1, true), [cancel(peers[2], 1)]);
    assert_eq!(world.presence(3, 1, false), [cancel(peers[3], 1)]);
    let mut counts = [0; 6];
    for number in 2..92 {
        let asked = world.fetch_in(&ticket, number);
        let [FetchEffect::Send(peer, _, WantUpdate::Want(WantType::Block))] = asked[..] else {
            panic!("{asked:?}")
        };
        counts[peers.iter().position(|one| *one == peer).unwrap()] += 1;
    }
    assert_eq!(counts, [30, 30, 30, 0, 0, 0]);
    // Whoever has said nothing is no longer waited for.
    let waited = world.wait(ANSWERS_AWAITED_MS);
    assert!(waited.contains(&cancel(peers[4], 1)) && waited.contains(&cancel(peers[5], 1)));
}

#[test]
fn a_named_peer_is_asked_first_and_when_it_comes_later() {
    let mut world = World::new(2);
    let (a, late) = (world.peers[0], PeerId::random());
    let ticket = session(&[late]);
    // It is not there yet.
    assert_eq!(world.fetch_in(&ticket, 1)[0], want(a, 1));
    world.presence(0, 1, false);
    world.presence(1, 1, false);
    world.client.peer_up(world.now, late, false);
    assert_eq!(world.wait(50), [want(late, 1)]);
    world.client.on_block(world.now, late, cid(1), block(1));
    assert_eq!(world.client.take_effects()[0], done(late, 1));
    assert_eq!(world.fetch_in(&ticket, 2), [want(late, 2)]);
    // It goes, and comes back: it is the next one to be asked.
    world.client.peer_down(world.now, late);
    assert_eq!(world.client.take_effects()[0], want(a, 2));
    world.client.peer_up(world.now, late, false);
    assert_eq!(world.presence(0, 2, false), [want(late, 2)]);
}

#[test]
fn a_block_of_a_session_that_nobody_has_is_waited_for() {
    let mut world = World::new(1);
    let a = world.peers[0];
    let ticket = session(&[]);
    assert_eq!(world.fetch_in(&ticket, 1), [want(a, 1)]);
    assert_eq!(world.presence(0, 1, false), []);
    assert_eq!(world.wait(LATE_BLOCK_MS - 1), []);
    assert_eq!(world.wait(1), [failed(1, FetchError::NotFound), cancel(a, 1)]);
    // The peer kept the want, and sends the block when it gets it.
    world.fetch_in(&ticket, 2);
    world.presence(0, 2, false);
    assert_eq!(world.block(0, 2), [done(a, 2)]);
    // Where nobody is, nobody is waited for.
    world.client.peer_down(world.now, a);
    assert_eq!(world.fetch_in(&session(&[]), 3)[..], []);
    let nobody = SessionTicket { number: 2, ..session(&[]) };
    assert_eq!(world.fetch_in(&nobody, 4), [failed(4, FetchError::NotFound)]);
}

#[test]
fn a_peer_that_froze_is_asked_again_where_there_is_no_other() {
    let mut world = World::new(1);
    let a = world.peers[0];
    assert_eq!(world.fetch_in(&session(&[]), 1), [want(a, 1)]);
    assert_eq!(world.wait(PEER_TIMEOUT_MS), []);
    assert_eq!(world.wait(ASK_AGAIN_MS - PEER_TIMEOUT_MS), [want(a, 1)]);
    assert_eq!(world.block(0, 1), [done(a, 1)]);
}

#[test]
fn who_sends_other_blocks_and_not_the_one_asked_for_does_not_hold_it_up() {
    let mut world = World::new(2);
    let [liar, b] = world.peers[..] else { unreachable!() };
    let ticket = session(&[liar]);
    assert_eq!(world.fetch_in(&ticket, 1), [want(liar, 1), have(b, 1)]);
    assert_eq!(world.presence(1, 1, true), []);
    // Blocks that nobody asked for do not make it a peer that is heard.
    assert_eq!(world.block(0, 77), []);
    assert_eq!(world.wait(HEDGE_MS), [want(b, 1)]);
    // Nor do those that were asked for, for ever.
    let mut asked = world.fetch_in(&ticket, 2);
    for number in 100..110 {
        world.fetch_in(&session(&[liar]), number);
        world.block(0, number);
        asked.extend(world.wait(QUESTION_AGE_MS / 10));
    }
    assert!(asked.contains(&want(b, 2)), "{asked:?}");
}

#[test]
fn who_lacks_block_after_block_is_asked_no_more() {
    let mut world = World::new(3);
    let [empty, full, _] = world.peers[..] else { unreachable!() };
    let ticket = session(&[empty, full]);
    let mut asked_empty = 0;
    for number in 0..2 * SESSION_MISSES_MAX {
        asked_empty += usize::from(world.fetch_in(&ticket, number).contains(&want(empty, number)));
        world.presence(0, number, false);
        world.block(1, number);
    }
    assert_eq!(asked_empty, SESSION_MISSES_MAX as usize);
}

#[test]
fn only_members_are_asked_where_only_they_may_be() {
    let mut world = World::new(2);
    let [stranger, member] = world.peers[..] else { unreachable!() };
    world.client.peer_up(0, stranger, false);
    let ticket = SessionTicket { members_only: true, ..session(&[stranger]) };
    assert_eq!(world.fetch_in(&ticket, 1), [want(member, 1)]);
    assert_eq!(world.presence(1, 1, false), []);
    assert_eq!(world.wait(HEDGE_MS), []);
    world.client.peer_down(world.now, member);
    assert_eq!(world.client.take_effects(), []);
    assert_eq!(world.wait(LATE_BLOCK_MS), [failed(1, FetchError::NotFound)]);
}

#[test]
fn answers_that_nobody_asked_for_cost_nothing() {
    let mut world = World::new(2);
    let ticket = session(&[]);
    world.fetch_in(&ticket, 0);
    world.block(0, 0);
    world.wait(ANSWERS_AWAITED_MS);
    for number in 1..100_000 {
        assert_eq!(world.presence(1, number, true), []);
    }
    assert!(world.client.is_idle());
    let a = world.peers[0];
    assert_eq!(world.fetch_in(&ticket, 1), [want(a, 1)]);
}
