//! The one task that owns bitswap's state.
//!
//! It takes in what happened, lets the two machines decide, and hands out work: messages to the
//! writers, look-ups to readers of the store. It never waits for any of them. What happens while it
//! works is taken in together, so messages grow with the load, and none is delayed on purpose.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libp2p::futures::StreamExt;
use libp2p::{PeerId, Stream};
use optimusdb_dag::Cid;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;

use super::client::{Client, FetchEffect};
use super::limits::{ENGINE_EVENTS_MAX, EVENTS_MAX, PEERS_MAX, TICK_MS};
use super::look_up::look_up;
use super::outbox::Outbox;
use super::reader::{self, MemoryLease, ReadPool, ReceivedMessage};
use super::roster::Change;
use super::server::{Found, Server, Want, WantAnswer};
use super::writer::{self, SendOutcome};
use super::{Asked, EngineShared, FetchError};
use crate::protocols::streams::{Control, IncomingStreams};
use crate::{Asker, Local};

type FetchReply = oneshot::Sender<Result<(Vec<u8>, PeerId), FetchError>>;

/// What this node asks of bitswap.
pub(super) enum EngineCommand {
    Fetch { cid: Cid, asked: Asked, reply: FetchReply },
    Stored(Vec<Cid>),
}

/// What the tasks of the engine report.
enum Report {
    Received(PeerId, ReceivedMessage, MemoryLease),
    Sent(PeerId, SendOutcome),
    Found(PeerId, Vec<(Cid, Want, Found)>),
}

/// A peer that can be spoken to.
struct Channel {
    outbox: Outbox,
    messages: mpsc::Sender<Vec<u8>>,
    /// A message is with the writer.
    writing: bool,
    /// The peer opened a stream before it was announced. It is forgotten at its first failure.
    implied: bool,
    /// It is a node of the own swarm.
    member: bool,
    pool: ReadPool,
    writer: AbortHandle,
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

/// All of bitswap's state.
pub(super) struct Engine {
    control: Control,
    local: Arc<dyn Local>,
    shared: Arc<EngineShared>,
    reports: mpsc::Sender<Report>,
    happened: mpsc::Receiver<Report>,
    reading: Arc<Semaphore>,
    client: Client,
    server: Server,
    callers: HashMap<Cid, Vec<FetchReply>>,
    channels: HashMap<PeerId, Channel>,
    /// Peers whose outbox may have something.
    dirty: HashSet<PeerId>,
    started: Instant,
}

impl Engine {
    pub(super) fn new(
        control: Control,
        local: Arc<dyn Local>,
        shared: Arc<EngineShared>,
    ) -> Engine {
        let (reports, happened) = mpsc::channel(EVENTS_MAX);
        Engine {
            control,
            local,
            shared,
            reports,
            happened,
            reading: ReadPool::all(),
            client: Client::new(),
            server: Server::new(),
            callers: HashMap::new(),
            channels: HashMap::new(),
            dirty: HashSet::new(),
            started: Instant::now(),
        }
    }

    /// Works until it is closed or the last handle is dropped.
    pub(super) async fn run(
        mut self,
        mut accepted: IncomingStreams,
        mut commands: mpsc::Receiver<EngineCommand>,
    ) {
        let mut tick = tokio::time::interval(Duration::from_millis(TICK_MS));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shared = Arc::clone(&self.shared);
        loop {
            let busy = !self.client.is_idle() || self.server.needs_ticks();
            tokio::select! {
                // In this order: none of the first ones is ready again and again, and what stands
                // behind them is taken in below in any case.
                biased;
                _ = tick.tick(), if busy => self.on_tick(),
                Some((peer, stream)) = accepted.next() => self.on_stream(peer, stream),
                () = shared.roster.changed() => {}
                Some(report) = self.happened.recv() => self.on_report(report),
                command = commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
            }
            if shared.closed.load(Ordering::Acquire) {
                return;
            }
            self.take_changes();
            for _ in 0..ENGINE_EVENTS_MAX {
                let Ok(report) = self.happened.try_recv() else { break };
                self.on_report(report);
            }
            for _ in 0..ENGINE_EVENTS_MAX {
                let Ok(command) = commands.try_recv() else { break };
                self.on_command(command);
            }
            self.hand_out();
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn take_changes(&mut self) {
        let now = self.now();
        for (peer, change) in self.shared.roster.take() {
            if matches!(change, Change::Down | Change::Again { .. }) {
                self.peer_down(now, peer);
            }
            if let Change::Up { member } | Change::Again { member } = change
                && let Some(channel) = self.channel(peer)
            {
                let earlier = std::mem::replace(&mut channel.member, member);
                channel.implied = false;
                self.client.peer_up(now, peer, member);
                if earlier != member {
                    // What it asked for before it had said who it is may be for it after all.
                    self.server.look_again(peer);
                }
            }
        }
    }

    fn peer_down(&mut self, now: u64, peer: PeerId) {
        self.channels.remove(&peer);
        self.client.peer_down(now, peer);
        self.server.peer_down(peer);
    }

    /// The channel to a peer. It is made if the peer is new; `None` if there are too many.
    fn channel(&mut self, peer: PeerId) -> Option<&mut Channel> {
        if !self.channels.contains_key(&peer) {
            if self.channels.len() >= PEERS_MAX {
                return None;
            }
            // One message at a time: the next one is made when this one has left.
            let (messages, waiting) = mpsc::channel(1);
            let (reports, control) = (self.reports.clone(), self.control.clone());
            let report = async move |sent| {
                let _ = reports.send(Report::Sent(peer, sent)).await;
            };
            let writer = tokio::spawn(writer::write(peer, control, waiting, report));
            let channel = Channel {
                outbox: Outbox::new(),
                messages,
                writing: false,
                implied: true,
                member: false,
                pool: ReadPool::of_peer(Arc::clone(&self.reading)),
                writer: writer.abort_handle(),
            };
            self.channels.insert(peer, channel);
            self.client.peer_up(self.now(), peer, false);
        }
        self.channels.get_mut(&peer)
    }

    fn on_command(&mut self, command: EngineCommand) {
        // Peers that came before the command may be asked.
        self.take_changes();
        match command {
            EngineCommand::Fetch { cid, asked, reply } => {
                self.callers.entry(cid.clone()).or_default().push(reply);
                match asked {
                    Asked::Candidates(peers) => self.client.fetch(self.now(), cid, &peers),
                    Asked::InSession(ticket) => self.client.fetch_in(self.now(), cid, &ticket),
                }
            }
            EngineCommand::Stored(cids) => {
                cids.into_iter().for_each(|cid| self.server.arrived(cid))
            }
        }
    }

    /// A peer opened a stream: it is read in a task of its own.
    fn on_stream(&mut self, peer: PeerId, mut stream: Stream) {
        let Some(channel) = self.channel(peer) else { return };
        let pool = channel.pool.clone();
        let Some(turn) = pool.stream() else {
            count(&self.shared.counters.streams_refused, 1);
            return;
        };
        let (reports, shared) = (self.reports.clone(), Arc::clone(&self.shared));
        tokio::spawn(async move {
            let _turn = turn;
            loop {
                match reader::next_message(&mut stream, &pool).await {
                    Ok(Some((received, lease))) => {
                        let report = Report::Received(peer, received, lease);
                        if reports.send(report).await.is_err() {
                            return;
                        }
                    }
                    Ok(None) => return,
                    Err(error) => {
                        count(&shared.counters.streams_refused, 1);
                        tracing::debug!(%peer, %error, "bitswap: a stream is refused");
                        return;
                    }
                }
            }
        });
    }

    fn on_report(&mut self, report: Report) {
        let now = self.now();
        match report {
            Report::Received(peer, received, _lease) => self.on_received(now, peer, received),
            Report::Sent(peer, sent) => self.on_sent(now, peer, sent),
            Report::Found(peer, found) => {
                let answers = self.server.on_read(now, peer, found);
                let Some(channel) = self.channels.get_mut(&peer) else { return };
                for answer in answers {
                    match answer {
                        WantAnswer::Block(cid, block) => {
                            count(&self.shared.counters.blocks_sent, 1);
                            count(&self.shared.counters.bytes_sent, block.len() as u64);
                            self.shared.shares.charge_bytes(peer, block.len());
                            channel.outbox.block(cid.prefix(), block);
                        }
                        WantAnswer::Presence(cid, have) => {
                            channel.outbox.presence(cid.to_bytes(), have);
                        }
                    }
                }
                self.dirty.insert(peer);
            }
        }
    }

    fn on_received(&mut self, now: u64, peer: PeerId, received: ReceivedMessage) {
        let Some(channel) = self.channel(peer) else { return };
        for cid in received.foreign_wants {
            if channel.outbox.has_room() {
                channel.outbox.presence(cid, false);
            }
        }
        self.dirty.insert(peer);
        if received.full {
            self.server.forget_all(peer);
        }
        for (cid, want) in received.wants {
            match want {
                Some(want) => self.server.want(now, peer, cid, want),
                None => self.server.cancel(peer, &cid),
            }
        }
        count(&self.shared.counters.blocks_unwanted, received.foreign_blocks);
        for (cid, block) in received.blocks {
            self.client.on_block(now, peer, cid, block);
        }
        for (cid, have) in received.presences {
            self.client.on_presence(now, peer, &cid, have);
        }
    }

    fn on_sent(&mut self, now: u64, peer: PeerId, sent: SendOutcome) {
        let Some(channel) = self.channels.get_mut(&peer) else { return };
        channel.writing = false;
        self.dirty.insert(peer);
        if sent == SendOutcome::Yes {
            return;
        }
        if channel.implied {
            return self.peer_down(now, peer);
        }
        // What it wanted is lost with the message; it asks again if it still can.
        channel.outbox = Outbox::new();
        self.client.on_send_failed(now, peer, sent == SendOutcome::Unsupported);
    }

    fn on_tick(&mut self) {
        let now = self.now();
        let mut abandoned = Vec::new();
        for (cid, callers) in &mut self.callers {
            callers.retain(|caller| !caller.is_closed());
            if callers.is_empty() {
                abandoned.push(cid.clone());
            }
        }
        for cid in abandoned {
            self.callers.remove(&cid);
            self.client.abandon(now, &cid);
        }
        self.client.on_tick(now);
        self.server.on_tick(now);
    }

    /// Carries out the effects of the machines.
    fn hand_out(&mut self) {
        for effect in self.client.take_effects() {
            match effect {
                FetchEffect::Send(peer, cid, update) => {
                    if let Some(channel) = self.channels.get_mut(&peer) {
                        channel.outbox.update(cid, update);
                        self.dirty.insert(peer);
                    }
                }
                FetchEffect::Done(cid, result) => self.answer(&cid, result),
            }
        }
        let now = self.now();
        loop {
            let (channels, shares) = (&self.channels, &self.shared.shares);
            let turn = |peer: &PeerId| {
                channels.get(peer)?.outbox.has_room().then(|| shares.charged(*peer))
            };
            let Some(batch) = self.server.next_read(now, turn) else { break };
            let (local, reports) = (Arc::clone(&self.local), self.reports.clone());
            let member = self.channels.get(&batch.peer).is_some_and(|channel| channel.member);
            tokio::spawn(async move {
                let peer = batch.peer;
                let found = look_up(local.as_ref(), Asker { peer, member }, batch.wants).await;
                let _ = reports.send(Report::Found(peer, found)).await;
            });
        }
        for peer in std::mem::take(&mut self.dirty) {
            if let Some(channel) = self.channels.get_mut(&peer)
                && !channel.writing
                && let Some(message) = channel.outbox.next_message()
            {
                channel.writing = channel.messages.try_send(message).is_ok();
            }
        }
        let counters = &self.shared.counters;
        count(&counters.blocks_unwanted, std::mem::take(&mut self.client.unwanted_blocks));
        count(&counters.wants_dropped, std::mem::take(&mut self.server.dropped_wants));
        self.shared.peers_wait.store(self.server.waits_for_blocks(), Ordering::Release);
    }

    fn answer(&mut self, cid: &Cid, result: Result<(Vec<u8>, PeerId), FetchError>) {
        let counters = &self.shared.counters;
        match &result {
            Ok((block, _)) => {
                count(&counters.blocks_received, 1);
                count(&counters.bytes_received, block.len() as u64);
            }
            Err(_) => count(&counters.fetches_failed, 1),
        }
        let mut callers = self.callers.remove(cid).unwrap_or_default();
        // The last one gets the bytes themselves. Callers may have gone, which does not matter.
        let last = callers.pop();
        for caller in callers {
            let _ = caller.send(result.clone());
        }
        if let Some(last) = last {
            let _ = last.send(result);
        }
    }
}

fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}
