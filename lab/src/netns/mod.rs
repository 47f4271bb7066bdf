//! `cargo xtask netns`: nodes on hosts of their own, whose network is pulled apart and mended.
//!
//! What loopback cannot show: discovery by multicast, cables that are pulled, that are slow, that
//! lose packets or drop all of them, and NATs. Needs the rights of root, `ip` and `tc`; without them
//! it says so and does nothing.

mod heal;
mod lab;
mod machine;
mod nat;
mod node;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::process::{Scratch, build_release};
use lab::Lab;
use node::HostedNode;

/// Longest that nodes may take to find each other.
const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest that nodes may take to become equal once they can reach each other. A connection that
/// was cut is noticed after its keep-alives, not at once.
const HEAL_TIMEOUT: Duration = Duration::from_secs(120);
/// Between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What is played: the binary, and where its nodes may keep their data.
type NetnsCase = fn(&Path, &Scratch) -> Result<()>;

/// Runs every case on fresh hosts.
///
/// # Errors
/// The first case that fails.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (mut binary, mut only) = (None, "");
    for pair in arguments.chunks(2) {
        match pair {
            [flag, path] if flag == "--bin" => binary = Some(PathBuf::from(path)),
            [flag, text] if flag == "--only" => only = text,
            _ => bail!("cargo xtask netns [--bin PATH] [--only TEXT], TEXT being part of a name"),
        }
    }
    if let Some(missing) = missing() {
        println!("SKIPPED: hosts in network namespaces need {missing}");
        return Ok(());
    }
    let binary = binary.map_or_else(build_release, Ok)?;
    let cases: [(&str, NetnsCase); 12] = [
        ("two hosts find each other by multicast", found_by_multicast),
        ("a host cut off writes on both sides and heals", partition),
        ("a host that was away catches up", away),
        ("a slow and lossy cable", slow_and_lossy),
        ("packets are dropped silently for a while", heal::silent_cut),
        ("packets of 40 stores are dropped silently", heal::silent_cut_of_many_stores),
        ("a host stands still for a while", heal::frozen),
        ("a host gets another address", heal::other_address),
        ("a host behind a NAT", nat::behind_nat),
        ("two hosts, each behind a NAT", nat::behind_two_nats),
        ("two hosts, each behind a NAT that changes ports", nat::behind_two_random_nats),
        ("a host without IPv6", machine::without_ipv6),
    ];
    for (index, (name, case)) in cases.into_iter().enumerate() {
        if !name.contains(only) {
            continue;
        }
        let (started, scratch) = (Instant::now(), Scratch::new(&format!("netns-{index}"))?);
        case(&binary, &scratch).map_err(|error| error.context(name))?;
        println!("netns: {name}: {:.1} s", started.elapsed().as_secs_f64());
    }
    Ok(())
}

/// What this machine lacks.
fn missing() -> Option<&'static str> {
    for program in ["ip", "tc"] {
        if Command::new(program).arg("-V").output().is_err() {
            return Some(program);
        }
    }
    Lab::new().err().map(|_| "the rights of root")
}

fn found_by_multicast(binary: &Path, scratch: &Scratch) -> Result<()> {
    let mut lab = Lab::new()?;
    let nodes = nodes(&mut lab, binary, scratch, 2)?;
    nodes[0].put("found", "by multicast")?;
    eventually(DISCOVERY_TIMEOUT, "the document on the other host", || {
        Ok(nodes[1].get("found")?.as_deref() == Some("by multicast"))
    })
}

fn partition(binary: &Path, scratch: &Scratch) -> Result<()> {
    let mut lab = Lab::new()?;
    let nodes = nodes(&mut lab, binary, scratch, 3)?;
    nodes[0].put("before", "the cut")?;
    equal(&nodes, DISCOVERY_TIMEOUT)?;
    lab.plug(2, false)?;
    for n in 0..20 {
        nodes[0].put(&format!("left-{n}"), "written on the larger side")?;
        nodes[2].put(&format!("right-{n}"), "written on the host that was cut off")?;
        nodes[1].put("both", &format!("left {n}"))?;
        nodes[2].put("both", &format!("right {n}"))?;
    }
    eventually(DISCOVERY_TIMEOUT, "the larger side to go on", || {
        Ok(nodes[1].get("left-19")?.is_some())
    })?;
    ensure!(nodes[2].get("left-0")?.is_none(), "the host was not cut off");
    lab.plug(2, true)?;
    equal(&nodes, HEAL_TIMEOUT)?;
    ensure!(nodes[0].get("right-19")?.is_some(), "what was written while cut off is lost");
    Ok(())
}

fn away(binary: &Path, scratch: &Scratch) -> Result<()> {
    let mut lab = Lab::new()?;
    let mut nodes = nodes(&mut lab, binary, scratch, 3)?;
    nodes[0].put("before", "it left")?;
    equal(&nodes, DISCOVERY_TIMEOUT)?;
    nodes.pop().expect("invariant: there are three").kill()?;
    for n in 0..50 {
        nodes[n % 2].put(&format!("meanwhile-{n}"), "written while it was away")?;
    }
    nodes.push(lab.start(2, binary, scratch.path("2"), &["-http-port=0", "-gateway-port=0"])?);
    equal(&nodes, HEAL_TIMEOUT)
}

fn slow_and_lossy(binary: &Path, scratch: &Scratch) -> Result<()> {
    let mut lab = Lab::new()?;
    let nodes = nodes(&mut lab, binary, scratch, 2)?;
    equal(&nodes, DISCOVERY_TIMEOUT)?;
    // A token bucket with hardly a queue: what comes in bursts is dropped. (Not every kernel has
    // netem.)
    lab.trouble(1, &["tbf", "rate", "300kbit", "burst", "3kb", "limit", "6kb"])?;
    for n in 0..20 {
        nodes[0].put(&format!("a-{n}"), "over a bad cable")?;
        nodes[1].put(&format!("b-{n}"), "over a bad cable")?;
    }
    equal(&nodes, HEAL_TIMEOUT)?;
    lab.trouble(1, &[])?;
    nodes[0].put("after", "the trouble")?;
    equal(&nodes, HEAL_TIMEOUT)
}

/// Nodes on hosts of their own that have all found each other.
fn nodes(lab: &mut Lab, binary: &Path, scratch: &Scratch, count: usize) -> Result<Vec<HostedNode>> {
    let mut nodes = Vec::new();
    for n in 0..count {
        let host = lab.add_host()?;
        nodes.push(lab.start(
            host,
            binary,
            scratch.path(&n.to_string()),
            &["-http-port=0", "-gateway-port=0"],
        )?);
    }
    eventually(DISCOVERY_TIMEOUT, "the hosts to find each other", || {
        for node in &nodes {
            if node.peers()? + 1 < count {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    Ok(nodes)
}

/// Waits until all nodes have the same documents.
fn equal(nodes: &[HostedNode], patience: Duration) -> Result<()> {
    eventually(patience, "equal documents everywhere", || {
        let first = nodes[0].everything()?;
        for node in &nodes[1..] {
            if node.everything()? != first {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

fn eventually(
    patience: Duration,
    what: &str,
    mut holds: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let started = Instant::now();
    while !holds()? {
        ensure!(started.elapsed() < patience, "not within {patience:?}: {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}
