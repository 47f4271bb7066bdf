//! The handle of a host.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use libp2p::{Multiaddr, PeerId, relay};
use optimusdb_dag::replicator::{Offence, Verdict};
use optimusdb_dag::{Address, Cid};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::command::Command;
use crate::event::{Announcement, Events};
use crate::file_session::{FileHolder, FileSession};
use crate::host::behaviour::Behaviour;
use crate::host::figures::count;
use crate::host::listen::Listening;
use crate::host::{Host, Parts, Profile, Shared};
use crate::host::{behaviour, listen};
use crate::limits::{
    COMMANDS_MAX, CONNECT_TIMEOUT, FILE_HOLDERS_MAX, GOSSIP_BYTES_MAX, SEEDS_MAX, SHUTDOWN_TIMEOUT,
};
use crate::peering::dialler::Dialler;
use crate::peering::peers::PeerView;
use crate::peering::shares::Shares;
use crate::peering::target::{self, DialTarget};
use crate::protocols::bitswap::Bitswap;
use crate::protocols::bitswap::session::BlockSession;
use crate::protocols::question::Questions;
use crate::protocols::serving::Serving;
use crate::protocols::sql::{self, STATEMENTS};
use crate::protocols::sync_stream::{self, SyncStream};
use crate::protocols::votes::{self, VOTES};
use crate::protocols::{heads, streams};
use crate::transport::Traffic;
use crate::{Error, FetchError, Local, SwarmConfig, SwarmFigures, event, transport};

mod questions;

/// Bytes of a gossip message beside its content: author, number, topic, signature, framing.
const ENVELOPE_BYTES: usize = 1_024;

/// A running host. Clones are the same host; it stops at [`Swarm::shutdown`], or when the last
/// clone is dropped.
#[derive(Clone)]
pub struct Swarm {
    inner: Arc<Inner>,
}

struct Inner {
    own: PeerId,
    quic: bool,
    shared: Shared,
    traffic: Traffic,
    control: streams::Control,
    bitswap: Bitswap,
    commands: mpsc::Sender<Command>,
    serving: Arc<Serving>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Swarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Swarm").field("own", &self.inner.own).finish_non_exhaustive()
    }
}

impl Swarm {
    /// Starts a host: listens, and begins to look for its peers.
    ///
    /// # Errors
    /// [`Error::Listen`] and [`Error::Taken`] when it cannot listen, [`Error::Address`] for a bootstrap
    /// entry that is none, [`Error::Setup`] when this machine lacks something.
    pub async fn start(
        config: SwarmConfig,
        local: Arc<dyn Local>,
    ) -> Result<(Swarm, Events), Error> {
        let targets = targets(&config)?;
        let traffic = Traffic::default();
        let mut swarm = set_up(&config, &traffic)?;
        let Listening { addresses, early } = listen::start(&mut swarm, &config).await?;
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let (sender, events) = event::channel();
        let shared = Shared {
            peers: Arc::default(),
            listen: Arc::new(Mutex::new(addresses)),
            counters: Arc::default(),
        };
        let weak = commands.downgrade();
        let mut control = swarm.behaviour().streams.new_control();
        let shares = Shares { accounts: Arc::default(), peers: Arc::clone(&shared.peers) };
        let bitswap = Bitswap::start(control.clone(), Arc::clone(&local), shares.clone())
            .map_err(|e| Error::setup("bitswap", e))?;
        let serving = Serving::new(local, sender.clone(), shares, weak.clone());
        let serving = Arc::new(serving);
        let syncing = control
            .accept(sync_stream::PROTOCOL)
            .map_err(|e| Error::setup("the sync protocol", e))?;
        let mut accept = |questions: &Questions| {
            let protocol = questions.protocol.clone();
            control.accept(protocol).map_err(|e| Error::setup("a protocol of questions", e))
        };
        let (voting, reading) = (accept(&VOTES)?, accept(&STATEMENTS)?);
        let (own, quic) = (config.key.id(), config.network.swarm_key.is_none());
        let randomness = getrandom::u64().map_err(|e| Error::setup("randomness", e))?;
        let dialler = Dialler::new(targets, Instant::now(), quic, randomness);
        let parts = Parts {
            swarm,
            control: control.clone(),
            bitswap: bitswap.clone(),
            profile: Profile { own, swarm: config.swarm, version: config.version, quic },
            shared: shared.clone(),
            serving: serving.clone(),
            events: sender,
            commands: receiver,
            weak_commands: weak,
            dialler,
        };
        let host = Host::new(parts);
        let serving_sync = tokio::spawn(sync_stream::serve(syncing, serving.clone()));
        let (votes_pool, sql_pool) = (serving.votes_pool.clone(), serving.sql_pool.clone());
        let votes = VOTES.serve(voting, votes_pool, serving.clone(), votes::answer);
        let statements = STATEMENTS.serve(reading, sql_pool, serving.clone(), sql::answer);
        let (serving_votes, serving_sql) = (tokio::spawn(votes), tokio::spawn(statements));
        let task = tokio::spawn(async move {
            host.run(early).await;
            serving_sync.abort();
            serving_votes.abort();
            serving_sql.abort();
        });
        let task = Mutex::new(Some(task));
        let inner = Inner { own, quic, shared, traffic, control, bitswap, commands, serving, task };
        Ok((Swarm { inner: Arc::new(inner) }, events))
    }

    /// The id of this host.
    pub fn peer_id(&self) -> PeerId {
        self.inner.own
    }

    /// Where this host listens, as multiaddrs that end with its id.
    pub fn listen_addrs(&self) -> Vec<String> {
        let with_peer = |address: &Multiaddr| match address.clone().with_p2p(self.inner.own) {
            Ok(address) | Err(address) => address.to_string(),
        };
        self.inner.shared.listen().iter().map(with_peer).collect()
    }

    /// The peers that are connected and were let in.
    pub fn peers(&self) -> Vec<PeerView> {
        self.inner.shared.peers().infos()
    }

    /// Gets a block from connected peers: from `candidates` first, best first, then from others.
    /// Its bytes hash to `cid`.
    ///
    /// # Errors
    /// [`FetchError`]: nobody has it, it did not come in time, or the host has stopped.
    pub async fn fetch(
        &self,
        cid: impl Into<Cid>,
        candidates: Vec<PeerId>,
    ) -> Result<Vec<u8>, FetchError> {
        self.inner.bitswap.fetch(cid, candidates).await
    }

    /// A session in which the blocks below `root` are fetched. `holders` are said to have them, and are
    /// connected to; all peers are asked, or only nodes of this swarm.
    pub fn file_session(
        &self,
        root: Cid,
        holders: &[FileHolder],
        members_only: bool,
    ) -> FileSession {
        let holders = &holders[..holders.len().min(FILE_HOLDERS_MAX)];
        let named = holders.iter().map(|holder| holder.peer).collect();
        let blocks = BlockSession::new(self.inner.bitswap.clone(), named, members_only);
        FileSession::new(root, holders, blocks, self.inner.commands.downgrade())
    }

    /// Tells the swarm that this node has all below `root`, or has it no longer. Of very many the
    /// newest are told of.
    pub async fn provide(&self, root: Cid, here: bool) {
        // A host that has stopped tells nobody anything.
        let _ = self.inner.commands.send(Command::Provide { root, here }).await;
    }

    /// Blocks are here that were not before: peers that asked for them and still wait are served.
    /// Never waits, and costs nothing while no peer waits.
    pub fn stored(&self, cids: &[impl Clone + Into<Cid>]) {
        self.inner.bitswap.stored(cids);
    }

    /// What the host counted.
    pub fn figures(&self) -> SwarmFigures {
        let (peers, connections) = {
            let peers = self.inner.shared.peers();
            (peers.count(), peers.connections())
        };
        let mut figures =
            self.inner.shared.counters.figures(peers, connections, &self.inner.traffic);
        figures.bitswap = self.inner.bitswap.counts();
        figures
    }

    /// Connects to a multiaddr, a host or `host:port`, and waits until the peer was let in.
    ///
    /// # Errors
    /// [`Error::Address`] for text that is none of these, [`Error::OwnAddress`],
    /// [`Error::Unreachable`], [`Error::OtherPeer`], [`Error::OtherSwarm`],
    /// [`Error::OtherVersion`], [`Error::Banned`]; [`Error::Deadline`] at the latest.
    pub async fn connect(&self, address: &str) -> Result<PeerId, Error> {
        let target = DialTarget::parse(address)?;
        let connecting = self.connect_to(target);
        tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| Error::Deadline("connecting"))?
    }

    async fn connect_to(&self, target: DialTarget) -> Result<PeerId, Error> {
        let addresses: Vec<Multiaddr> = match &target {
            DialTarget::Address(address) => vec![address.clone()],
            DialTarget::Host { host, port } => {
                let port = *port;
                let unreachable =
                    |why: String| Error::Unreachable { address: format!("{host}:{port}"), why };
                let ips = target::resolve(host, port).await.map_err(unreachable)?;
                let quic = self.inner.quic;
                ips.into_iter().flat_map(|ip| target::addresses(ip, port, quic)).collect()
            }
        };
        let mut failures = Vec::new();
        for address in addresses {
            let (reply, answer) = oneshot::channel();
            self.send(Command::Connect { address, reply }).await?;
            match answer.await.map_err(|_| Error::Closed)? {
                Err(Error::Unreachable { why, .. }) => failures.push(why),
                result => return result,
            }
        }
        Err(Error::Unreachable { address: target.to_string(), why: failures.join(", ") })
    }

    /// Takes part in a store: serves its heads to peers that ask, and hears its announcements.
    ///
    /// # Errors
    /// [`Error::TooMany`] when too many are open.
    pub async fn open_store(&self, log: Address) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Open { log, reply }).await?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Announces an entry to the peers of its store, if there are any. Never waits, and does not say
    /// whether one hears it: while the host has too much else to do, it is not announced.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a block that no message holds, [`Error::Closed`] after the end.
    pub fn publish(&self, log: Address, block: &[u8]) -> Result<(), Error> {
        let (bytes, bytes_max) = (block.len(), GOSSIP_BYTES_MAX - ENVELOPE_BYTES);
        if bytes > bytes_max {
            return Err(Error::TooLarge { what: "an entry", bytes, bytes_max });
        }
        // If nobody listens, the host is not woken and nothing is signed. A peer that comes later asks
        // for the heads.
        if !self.inner.shared.peers().has_listener(&log) {
            return Ok(());
        }
        let block = block.to_vec();
        match self.inner.commands.try_send(Command::Publish { log, block }) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                // The periodic comparison brings it to the peers.
                count(&self.inner.shared.counters.announcements_unsent);
                Ok(())
            }
            Err(TrySendError::Closed(_)) => Err(Error::Closed),
        }
    }

    /// Says what to do with an announcement. One that is never judged is dropped.
    ///
    /// # Errors
    /// [`Error::Closed`] after the end.
    pub async fn validated(
        &self,
        announcement: Announcement,
        verdict: Verdict,
    ) -> Result<(), Error> {
        self.send(Command::Judge { announcement, verdict }).await
    }

    /// Exchanges heads of a store with a connected peer: sends what [`Local::heads`] gives, and returns
    /// those of the peer.
    ///
    /// # Errors
    /// [`Error::NotConnected`]; [`Error::Unsupported`] if it does not have the store open;
    /// [`Error::Stream`], [`Error::Deadline`].
    pub async fn exchange_heads(&self, peer: PeerId, log: Address) -> Result<Vec<Vec<u8>>, Error> {
        self.check_up(&peer)?;
        let control = self.inner.control.clone();
        match heads::ask(control, peer, log, &self.inner.serving).await {
            Ok(theirs) => Ok(theirs),
            Err((error, offence)) => {
                if let Some(offence) = offence {
                    self.inner.serving.report(peer, offence);
                }
                Err(error)
            }
        }
    }

    /// Opens a stream for fast sync to a connected peer.
    ///
    /// # Errors
    /// [`Error::NotConnected`]; [`Error::Unsupported`] if the peer is no native one;
    /// [`Error::Stream`], [`Error::Deadline`].
    pub async fn open_sync(&self, peer: PeerId) -> Result<SyncStream, Error> {
        self.check_up(&peer)?;
        let mut control = self.inner.control.clone();
        let stream = streams::open(&mut control, peer, sync_stream::PROTOCOL).await?;
        Ok(SyncStream::new(peer, stream))
    }

    /// Notes an offence of a peer. After too many it is disconnected and banned for a while.
    ///
    /// # Errors
    /// [`Error::Closed`] after the end.
    pub async fn blame(&self, peer: PeerId, offence: Offence) -> Result<(), Error> {
        self.send(Command::Blame { peer, offence }).await
    }

    /// Notes that a peer brought what was missing here: it keeps its place when others want one.
    ///
    /// # Errors
    /// [`Error::Closed`] after the end.
    pub async fn proved(&self, peer: PeerId) -> Result<(), Error> {
        self.send(Command::Proved { peer }).await
    }

    /// Closes all connections and stops. Returns when that is done, or after a deadline.
    pub async fn shutdown(&self) {
        let _ = self.inner.commands.send(Command::Shutdown).await;
        let task = self.inner.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut task) = task
            && tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut task).await.is_err()
        {
            task.abort();
        }
    }

    fn check_up(&self, peer: &PeerId) -> Result<(), Error> {
        let up = self.inner.shared.peers().is_up(peer);
        if up { Ok(()) } else { Err(Error::NotConnected(*peer)) }
    }

    async fn send(&self, command: Command) -> Result<(), Error> {
        self.inner.commands.send(command).await.map_err(|_| Error::Closed)
    }
}

/// The libp2p swarm, not yet listening.
fn set_up(config: &SwarmConfig, traffic: &Traffic) -> Result<Box<libp2p::Swarm<Behaviour>>, Error> {
    let own = config.key.id();
    let (relay_transport, relay_client) = relay::client::new(own);
    let key = config.key.keypair();
    let transport = transport::all(key, config.network.swarm_key, relay_transport, traffic)?;
    let behaviour = behaviour::build(config, relay_client)?;
    if let Some(swarm_key) = &config.network.swarm_key {
        let key = swarm_key.fingerprint();
        tracing::info!(key, "a private swarm: TCP only, QUIC is off");
    }
    let swarm_config = behaviour::swarm_config();
    Ok(Box::new(libp2p::Swarm::new(transport, behaviour, own, swarm_config)))
}

/// Bootstrap and seed entries, each once.
fn targets(config: &SwarmConfig) -> Result<Vec<(String, DialTarget)>, Error> {
    let mut targets: Vec<(String, DialTarget)> = Vec::new();
    for text in config.network.bootstrap.iter().chain(&config.network.seeds) {
        let target = DialTarget::parse(text)?;
        if !targets.iter().any(|(_, known)| *known == target) {
            targets.push((text.trim().to_owned(), target));
        }
    }
    if targets.len() > SEEDS_MAX {
        return Err(Error::TooMany { what: "bootstrap entries", count_max: SEEDS_MAX });
    }
    Ok(targets)
}
