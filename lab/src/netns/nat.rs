//! Hosts behind NATs: found, relayed to, and then reached without the relay.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::lab::{Lab, Ports};
use super::node::HostedNode;
use super::{HEAL_TIMEOUT, equal, eventually};
use crate::process::Scratch;

/// Longest until a host knows that it is behind a NAT and has a relay. The host that would reach it
/// waits for answers that never come before it says so.
const RELAY_TIMEOUT: Duration = Duration::from_secs(90);
/// Longest until hosts that others told of are connected.
const MEETING_TIMEOUT: Duration = Duration::from_secs(90);

/// Whether this machine lacks what makes a NAT. Says so.
fn is_missing() -> bool {
    let missing = Command::new("nft").arg("-V").output().is_err();
    if missing {
        println!("SKIPPED: hosts behind NATs need nft");
    }
    missing
}

/// A public host, which is the only one that the others were told of, a host behind a NAT, and
/// another public one.
pub(super) fn behind_nat(binary: &Path, scratch: &Scratch) -> Result<()> {
    if is_missing() {
        return Ok(());
    }
    let mut lab = Lab::new()?;
    let (public, other) = (lab.add_host()?, lab.add_host()?);
    let router = lab.add_router(Ports::Kept)?;
    let hidden = lab.add_host_behind(router)?;
    let public = start(&lab, binary, scratch, public, None)?;
    let hidden = start(&lab, binary, scratch, hidden, Some(&public))?;
    let other = start(&lab, binary, scratch, other, Some(&public))?;
    hidden.put("hidden", "from behind the NAT")?;
    other.put("other", "from outside")?;
    met_without(public, hidden, other)
}

/// A public host, and two hosts that no one reaches, each behind a NAT of its own.
pub(super) fn behind_two_nats(binary: &Path, scratch: &Scratch) -> Result<()> {
    if is_missing() {
        return Ok(());
    }
    let mut lab = Lab::new()?;
    let [public, one, two] = three(&mut lab, binary, scratch, Ports::Kept)?;
    met_without(public, one, two)
}

/// The same, where nobody can say from which port a NAT will send next: the relay remains the way.
pub(super) fn behind_two_random_nats(binary: &Path, scratch: &Scratch) -> Result<()> {
    if is_missing() {
        return Ok(());
    }
    let mut lab = Lab::new()?;
    let [public, one, two] = three(&mut lab, binary, scratch, Ports::Random)?;
    let name = one.id()?;
    eventually(RELAY_TIMEOUT + MEETING_TIMEOUT, "the hosts to meet through the relay", || {
        Ok(two.way_to(&name)?.is_some())
    })?;
    let way = two.way_to(&name)?.context("the relayed connection broke")?;
    ensure!(!is_direct(&way), "no relay on the way: {way}");
    equal(&[public, one, two], HEAL_TIMEOUT)
}

/// A public host, and two behind NATs that were told of it, each with something to tell.
fn three(lab: &mut Lab, binary: &Path, scratch: &Scratch, ports: Ports) -> Result<[HostedNode; 3]> {
    let public = lab.add_host()?;
    let public = start(lab, binary, scratch, public, None)?;
    let mut hidden = || {
        let router = lab.add_router(ports)?;
        let host = lab.add_host_behind(router)?;
        let node = start(lab, binary, scratch, host, Some(&public))?;
        node.put(&format!("from-{host}"), "from behind its NAT")?;
        Ok::<HostedNode, anyhow::Error>(node)
    };
    let (one, two) = (hidden()?, hidden()?);
    Ok([public, one, two])
}

/// Waits until `hidden` is relayed to, and it and `other` are connected directly; then they go on
/// without the public host.
fn met_without(public: HostedNode, hidden: HostedNode, other: HostedNode) -> Result<()> {
    let started = Instant::now();
    let said = |what: &str| println!("  {what}: {:.1} s", started.elapsed().as_secs_f64());
    let nodes = [public, hidden, other];
    equal(&nodes, HEAL_TIMEOUT)?;
    said("equal documents");
    let [public, hidden, other] = nodes;
    let name = hidden.id()?;
    eventually(RELAY_TIMEOUT, "a relay for the host behind the NAT", || {
        Ok(hidden.addresses()?.iter().any(|address| address.contains("p2p-circuit")))
    })?;
    said("relayed to");
    eventually(MEETING_TIMEOUT, "the other host to meet it", || {
        Ok(other.way_to(&name)?.is_some())
    })?;
    said(&format!("met at {}", other.way_to(&name)?.unwrap_or_default()));
    eventually(MEETING_TIMEOUT, "a way to it without the relay", || {
        Ok(other.way_to(&name)?.is_some_and(|way| is_direct(&way)))
    })?;
    said(&format!("direct at {}", other.way_to(&name)?.unwrap_or_default()));
    public.kill()?;
    for n in 0..10 {
        hidden.put(&format!("hidden-{n}"), "without the public host")?;
        other.put(&format!("other-{n}"), "without the public host")?;
    }
    let way = other.way_to(&name)?.context("the connection went with the public host")?;
    ensure!(is_direct(&way), "the way led through the public host: {way}");
    equal(&[hidden, other], HEAL_TIMEOUT)?;
    said("equal documents without the public host");
    Ok(())
}

/// Whether an address is one to connect to, and not through a relay: then it would have a circuit
/// in it, or, where the connection was accepted, no IP address.
fn is_direct(way: &str) -> bool {
    way.starts_with("/ip4/") && !way.contains("p2p-circuit")
}

/// Starts a node that knows of no other than `seed`.
fn start(
    lab: &Lab,
    binary: &Path,
    scratch: &Scratch,
    host: usize,
    seed: Option<&HostedNode>,
) -> Result<HostedNode> {
    let mut flags =
        vec!["-http-port=0".to_owned(), "-gateway-port=0".to_owned(), "-mdns=false".to_owned()];
    if let Some(seed) = seed {
        let addresses = seed.addresses()?;
        let address = addresses
            .iter()
            .find(|address| address.starts_with("/ip4/10.") && address.contains("/tcp/"))
            .context("the public host has no address")?;
        flags.push(format!("-bootstrap={address}"));
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    lab.start(host, binary, scratch.path(&host.to_string()), &flags)
}
