//! The life of the process: ports → node → API and gateway, until a signal or a failure ends it.
//!
//! The ports come before the node, so that a port in use leaves the repo untouched. An opening that takes
//! longer is answered for: the node lives and is not ready. Stopping is in the opposite order, and bounded:
//! requests in flight get [`DRAIN_MS_MAX`], everything together [`STOP_MS_MAX`], and a second signal ends
//! the wait.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use optimusdb_db::{
    FilesConfig, JournalReceiver, NetworkConfig, Node, NodeConfig, NodeOpening, SwarmKey,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::door::{self, Door, Serving};
use crate::free_space::free_bytes;
use crate::host_name::host_name;
use crate::limits::{
    BLOCKING_THREADS_MAX, DRAIN_MS_MAX, RUNTIME_STOP_MS_MAX, STOP_MS_MAX, SWARM_KEY_FILE_BYTES_MAX,
    THREAD_STACK_BYTES, WORKERS_MAX, WORKERS_MIN,
};
use crate::settings::{Settings, file};
use crate::signals::Signals;
use crate::version::VERSION;
use crate::{open_files, port};

/// How a node's process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As asked, everything closed.
    Stopped,
    /// It did not come up; one line for the user says why.
    NotStarted(String),
    /// It came up and failed, or did not stop in time; the journal says why.
    Failed,
}

/// Runs a node on a runtime of its own until it ends.
pub(crate) fn run(settings: Settings, journal: JournalReceiver, started: Instant) -> Ending {
    open_files::raise_limit();
    let processors = std::thread::available_parallelism().map_or(WORKERS_MIN, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors.clamp(WORKERS_MIN, WORKERS_MAX))
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_stack_size(THREAD_STACK_BYTES)
        .thread_name("optimusdb")
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return Ending::NotStarted(format!("cannot start threads: {error}")),
    };
    let ending = runtime.block_on(live(settings, journal, started));
    runtime.shutdown_timeout(Duration::from_millis(RUNTIME_STOP_MS_MAX));
    ending
}

async fn live(settings: Settings, journal: JournalReceiver, started: Instant) -> Ending {
    let mut signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(error) => return Ending::NotStarted(format!("cannot catch signals: {error}")),
    };
    let (opening, stopping) = (NodeOpening::default(), CancellationToken::new());
    // Whatever ends the node, the API is told.
    let _stopping = stopping.clone().drop_guard();
    let mut door = match &settings.api {
        None => None,
        Some(api) => {
            match Door::new(api, settings.gateway_port, opening.clone(), stopping.clone()).await {
                Ok(door) => Some(door),
                Err(why) => return Ending::NotStarted(why),
            }
        }
    };
    let opened = tokio::select! {
        opened = start(&settings, journal, opening.clone()) => opened,
        never = door::answer_for(&mut door, &opening) => match never {},
        // Nothing was acknowledged yet, and a node that opens is safe to interrupt.
        name = signals.next() => {
            tracing::info!("{name} before the node was ready: stopping");
            return Ending::Stopped;
        }
    };
    let node = match opened {
        Ok(node) => node,
        Err(why) => return Ending::NotStarted(why),
    };
    let bound = door.as_ref().map(Door::bound);
    let mut serving = door.map(|door| door.open(&node)).unwrap_or_default();
    let failure = async {
        greet(&settings, &node, bound, started).await;
        tokio::select! {
            why = node.failed() => format!("the node failed: {why}"),
            why = serving_ended(&mut serving) => format!("the API or the gateway ended: {why}"),
        }
    };
    let asked = tokio::select! {
        name = signals.next() => {
            tracing::info!("{name}: stopping");
            true
        }
        why = failure => {
            tracing::error!("stopping, {why}");
            false
        }
    };
    let closed = stop(node, serving, stopping, &mut signals).await;
    if asked && closed { Ending::Stopped } else { Ending::Failed }
}

/// Opens the node and lets it meet its peers.
async fn start(
    settings: &Settings,
    journal: JournalReceiver,
    opening: NodeOpening,
) -> Result<Node, String> {
    let network = network(settings)?;
    let node = open(settings, journal, opening).await?;
    match node.join_swarm(network).await {
        Ok(()) => Ok(node),
        Err(error) => {
            node.close().await;
            Err(error.to_string())
        }
    }
}

/// What the node is told of its network, the key of a private swarm read from its file.
fn network(settings: &Settings) -> Result<NetworkConfig, String> {
    let mut network = settings.network.clone();
    if let Some(path) = &settings.swarm_key_file {
        let read = file::read_bytes(path, SWARM_KEY_FILE_BYTES_MAX);
        let bytes = read.map_err(|error| {
            format!("cannot read the swarm key {} (-swarm-key): {error}", path.display())
        })?;
        let key = SwarmKey::from_file(&bytes).map_err(|error| format!("-swarm-key: {error}"))?;
        network.swarm_key = Some(key);
    }
    Ok(network)
}

/// What the node is to be told of its files.
fn files_config(settings: &Settings) -> FilesConfig {
    let usual = settings.user_downloads.clone().filter(|path| path.is_dir());
    FilesConfig {
        peers: settings.file_peers,
        agent_name: settings
            .agent_name
            .clone()
            .or_else(host_name)
            .unwrap_or_else(|| "optimusdb".into()),
        download_dir: settings.download_dir.clone().or(usual),
        full_replica: settings.full_replica,
        storage_max_bytes: settings.storage_max_bytes,
        profile: settings.profile,
    }
}

/// Opens the node off the runtime's workers: it waits for the disk, after a crash for long.
async fn open(
    settings: &Settings,
    journal: JournalReceiver,
    opening: NodeOpening,
) -> Result<Node, String> {
    let config = NodeConfig {
        repo: settings.repo.clone(),
        swarm: settings.swarm.clone(),
        region: settings.region.clone(),
        coordinator: settings.coordinator,
        durable: settings.durable,
        reindex: settings.reindex,
        version: VERSION.to_owned(),
        journal: Some(journal),
        journal_retention: settings.log_retention,
        opening,
        files: files_config(settings),
        disk_reserve_bytes: settings.disk_reserve_bytes,
        free_bytes,
    };
    let why = match tokio::task::spawn_blocking(move || Node::open(config)).await {
        Ok(Ok(node)) => return Ok(node),
        Ok(Err(error)) => error.to_string(),
        Err(broken) => broken.to_string(),
    };
    // Some reasons name the way out already; a file system's do not.
    if why.contains("-repo") {
        return Err(why);
    }
    Err(format!(
        "{why} (data directory {}, chosen with -repo and -data-root)",
        settings.repo.display()
    ))
}

/// Writes to the journal what runs where, and what its operator should know.
async fn greet(
    settings: &Settings,
    node: &Node,
    bound: Option<(SocketAddr, SocketAddr)>,
    started: Instant,
) {
    for notice in &settings.without_effect {
        tracing::warn!("{notice}");
    }
    let api = match (&settings.api, bound) {
        (Some(api), Some((bound, gateway))) => {
            if !bound.ip().is_loopback() && api.token.is_none() {
                tracing::warn!(
                    "the API listens on {bound} without a token: whoever reaches it may write (-api-token)"
                );
            }
            let (url, gateway) = (port::url(bound, &api.context), port::url(gateway, "ipfs/"));
            format!("API on {url}, gateway on {gateway}")
        }
        _ => "no API and no gateway (-http=false)".to_owned(),
    };
    let stores = match node.stores().await {
        Ok(stores) => stores.len().to_string(),
        Err(error) => format!("unknown ({error})"),
    };
    for address in node.addrs() {
        tracing::info!("peers reach this node at {address}");
    }
    let (ready_ms, repo) = (started.elapsed().as_millis(), settings.repo.display());
    tracing::info!("ready in {ready_ms} ms: {api}, repo {repo}, stores: {stores}");
}

/// Resolves when the API or the gateway ends by itself, which neither should.
async fn serving_ended(serving: &mut Serving) -> String {
    match serving.join_next().await {
        None => std::future::pending().await,
        Some(Ok(())) => "without a reason".to_owned(),
        Some(Err(broken)) => broken.to_string(),
    }
}

/// Drains the API and closes the node; true when the node closed in time.
async fn stop(
    node: Node,
    serving: Serving,
    stopping: CancellationToken,
    signals: &mut Signals,
) -> bool {
    let started = Instant::now();
    // A task of its own, so that the deadline and a second signal are noticed while it blocks.
    let closing = tokio::spawn(close(node.clone(), serving, stopping));
    let closed = tokio::select! {
        closed = timeout(Duration::from_millis(STOP_MS_MAX), closing) => match closed {
            Ok(Ok(())) => true,
            Ok(Err(broken)) => {
                tracing::error!("the node did not close: {broken}");
                false
            }
            Err(_) => {
                tracing::error!("the node did not close within {STOP_MS_MAX} ms: leaving it");
                false
            }
        },
        name = signals.next() => {
            tracing::warn!("{name} again: leaving at once");
            false
        }
    };
    if closed {
        tracing::info!("stopped in {} ms", started.elapsed().as_millis());
    } else {
        // Dropping the last handle may wait for the writer; what is acknowledged is on the disk.
        std::mem::forget(node);
    }
    closed
}

async fn close(node: Node, mut serving: Serving, stopping: CancellationToken) {
    stopping.cancel();
    let drained = async {
        while let Some(ended) = serving.join_next().await {
            if let Err(broken) = ended {
                tracing::error!("the API or the gateway failed while it stopped: {broken}");
            }
        }
    };
    if timeout(Duration::from_millis(DRAIN_MS_MAX), drained).await.is_err() {
        tracing::warn!("some requests did not end within {DRAIN_MS_MAX} ms and are cut off");
        serving.abort_all();
    }
    node.close().await;
}
