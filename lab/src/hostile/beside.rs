//! What others notice of an attack: one client that puts, probes, and a node that is new.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{DOCUMENTS, SWARM, Victim, connect, documents};
use crate::bench::load::Latencies;
use crate::client::{HttpClient, NodeApi, command_request, get_request};
use crate::documents::{document, put_body};
use crate::process::NodeProcess;

/// Between two puts.
const PUT_PAUSE: Duration = Duration::from_millis(5);
/// Between two probes, and two looks at the memory.
const PROBE_PAUSE: Duration = Duration::from_millis(100);
/// Between two looks at the newcomer.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// Numbers of the documents that are put meanwhile begin here.
const PUTS_FROM: u64 = 1_000_000;

/// What was measured beside an attack.
pub(super) struct Beside {
    pub(super) puts: Latencies,
    pub(super) probes: Latencies,
    /// From its connect to all documents; `None` if it was not level in time.
    pub(super) newcomer: Option<Duration>,
    pub(super) core_share: f64,
    pub(super) resident_bytes: u64,
    pub(super) disk_bytes: u64,
}

/// Measures for so long, or until the newcomer is level.
///
/// # Errors
/// When the node does not answer, refuses a put, or the newcomer does not start.
pub(super) fn measure(
    victim: &Victim,
    binary: &Path,
    newcomer: &Path,
    time: Duration,
) -> Result<Beside> {
    let (began, until) = (Instant::now(), Instant::now() + time);
    let (processor, disk) = (victim.node.processor_time()?, disk_bytes(&victim.repo)?);
    let resident = AtomicU64::new(0);
    let (puts, probes, newcomer) = thread::scope(|scope| {
        let putting = scope.spawn(|| put(victim.node.port(), until));
        let probing = scope.spawn(|| probe(victim, until, &resident));
        let newcomer = level_after(victim, binary, newcomer, until);
        let done = |joined: thread::Result<Result<Latencies>>| {
            joined.expect("invariant: a load thread does not panic")
        };
        (done(putting.join()), done(probing.join()), newcomer)
    });
    let spent = victim.node.processor_time()?.saturating_sub(processor);
    Ok(Beside {
        puts: puts.context("honest puts")?,
        probes: probes.context("probes")?,
        newcomer: newcomer.context("the newcomer")?,
        core_share: spent.as_secs_f64() / began.elapsed().as_secs_f64(),
        resident_bytes: resident.load(Ordering::Relaxed),
        disk_bytes: disk_bytes(&victim.repo)?.saturating_sub(disk),
    })
}

fn put(port: u16, until: Instant) -> Result<Latencies> {
    let (mut client, mut taken) = (HttpClient::connect(port)?, Vec::new());
    while Instant::now() < until {
        let number = PUTS_FROM + taken.len() as u64;
        let request = command_request(&put_body([document(number, 0).as_str()]));
        let began = Instant::now();
        client.send_ok(&request)?;
        taken.push(began.elapsed());
        sleep(PUT_PAUSE);
    }
    ensure!(!taken.is_empty(), "no put in the time");
    Ok(Latencies::from(taken))
}

fn probe(victim: &Victim, until: Instant, resident: &AtomicU64) -> Result<Latencies> {
    let (request, mut taken) = (get_request("/healthz"), Vec::new());
    while Instant::now() < until {
        let began = Instant::now();
        HttpClient::connect(victim.node.port())?.send_ok(&request)?;
        taken.push(began.elapsed());
        resident.fetch_max(victim.node.resident_bytes()?, Ordering::Relaxed);
        sleep(PROBE_PAUSE);
    }
    ensure!(!taken.is_empty(), "no probe in the time");
    Ok(Latencies::from(taken))
}

fn level_after(
    victim: &Victim,
    binary: &Path,
    repo: &Path,
    until: Instant,
) -> Result<Option<Duration>> {
    let node = NodeProcess::start_with(binary, repo, &[&format!("-swarm={SWARM}")])?;
    let (api, began) = (NodeApi::new(node.port()), Instant::now());
    let left = || until.saturating_duration_since(Instant::now());
    if !connect(&api, &victim.names.address, left())? {
        return Ok(None);
    }
    while !left().is_zero() {
        if documents(&api)? >= DOCUMENTS {
            return Ok(Some(began.elapsed()));
        }
        sleep(LOOK_PAUSE);
    }
    Ok(None)
}

/// Bytes of the files below a directory.
fn disk_bytes(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // A file may go while the directory is read.
        let Ok(metadata) = entry.metadata() else { continue };
        bytes += if metadata.is_dir() { disk_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
