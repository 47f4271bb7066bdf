//! More than two nodes on one machine.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::super::Bench;
use super::super::load::{Latencies, fill};
use super::super::table::Table;
use super::SwarmMeasures;
use super::group::{Member, WAIT_MAX, holds, star, stop, swarm};
use crate::client::{HttpClient, command_request};
use crate::documents::{document, get_body, id, put_body};
use crate::process::loopback_bytes;

/// Nodes that one write has to reach.
const REACH_NODES: usize = 20;
/// Writes that are followed, from one node after the other.
const REACH_PUTS: u64 = 200;
/// Between two of them.
const REACH_GAP: Duration = Duration::from_millis(50);
/// Documents of the node whose memory is looked at.
const MEMORY_DOCUMENTS: u64 = 10_000;
/// Its peers.
const MEMORY_PEERS: usize = 5;
/// Nodes of the swarm that does nothing.
const IDLE_NODES: usize = 8;
/// How long nodes are left alone before they are looked at.
const SETTLE: Duration = Duration::from_secs(20);
/// How long they are looked at.
const IDLE_TIME: Duration = Duration::from_secs(60);
/// Between two looks at a node that is catching up.
const PAUSE: Duration = Duration::from_millis(20);
const MB: f64 = 1_000_000.0;
const KB: f64 = 1_000.0;

/// How long it takes until a write is visible on every node of a swarm.
pub(super) fn reach(bench: &Bench<'_>, _: &mut SwarmMeasures, table: &mut Table) -> Result<()> {
    let members = swarm(bench, "reach", REACH_NODES)?;
    fill(members[0].node.port(), 0..1)?;
    members.iter().try_for_each(|member| member.wait_documents(1, PAUSE))?;
    sleep(SETTLE);
    let mut clients: Vec<HttpClient> = members
        .iter()
        .map(|member| HttpClient::connect(member.node.port()))
        .collect::<Result<_>>()?;
    let mut taken = Vec::new();
    for number in 1..=REACH_PUTS {
        let writer = number as usize % clients.len();
        taken.push(reach_all(&mut clients, writer, number)?);
        sleep(REACH_GAP);
    }
    let taken = Latencies::from(taken);
    table.plain("a write reaches 20 nodes, p50", taken.quantile_ms(0.5), "ms");
    table.at_most("a write reaches 20 nodes, p99", taken.quantile_ms(0.99), 500.0, "ms");
    stop(members)
}

/// From the put of the document `number` until every node answers with it.
fn reach_all(clients: &mut [HttpClient], writer: usize, number: u64) -> Result<Duration> {
    let put = command_request(&put_body([document(number, 0).as_str()]));
    let get = command_request(&get_body("_id", &id(number)));
    let mut missing: Vec<usize> = (0..clients.len()).filter(|node| *node != writer).collect();
    let began = Instant::now();
    clients[writer].begin(&put)?;
    while !missing.is_empty() {
        let mut still = Vec::new();
        for node in missing {
            if !holds(&mut clients[node], &get)? {
                still.push(node);
            }
        }
        missing = still;
        ensure!(began.elapsed() < WAIT_MAX, "write {number} does not reach {missing:?}");
    }
    let taken = began.elapsed();
    ensure!(clients[writer].finish()?.status == 200, "write {number} was refused");
    Ok(taken)
}

/// What a node with documents and peers holds in memory; its peers fetched the documents from it.
pub(super) fn memory(bench: &Bench<'_>, _: &mut SwarmMeasures, table: &mut Table) -> Result<()> {
    let members = star(bench, "memory", 1 + MEMORY_PEERS)?;
    fill(members[0].node.port(), 0..MEMORY_DOCUMENTS)?;
    members.iter().try_for_each(|member| member.wait_documents(MEMORY_DOCUMENTS, PAUSE))?;
    sleep(SETTLE);
    let first = members[0].node.resident_bytes()? as f64 / MB;
    table.at_most("memory, 10,000 documents and 5 peers", first, 80.0, "MB");
    let mut others = Vec::new();
    for member in &members[1..] {
        others.push(member.node.resident_bytes()? as f64 / MB);
    }
    let most = others.into_iter().fold(0.0, f64::max);
    table.at_most("  the largest of those that fetched them", most, 80.0, "MB");
    stop(members)
}

/// What a swarm costs in which nothing happens.
pub(super) fn idle(bench: &Bench<'_>, _: &mut SwarmMeasures, table: &mut Table) -> Result<()> {
    let members = swarm(bench, "idle", IDLE_NODES)?;
    fill(members[0].node.port(), 0..1)?;
    members.iter().try_for_each(|member| member.wait_documents(1, PAUSE))?;
    sleep(SETTLE);
    let (cpu, bytes) = (processor_times(&members)?, loopback_bytes()?);
    let began = Instant::now();
    sleep(IDLE_TIME);
    let seconds = began.elapsed().as_secs_f64();
    let moved = (loopback_bytes()? - bytes) as f64;
    let spent = processor_times(&members)?.into_iter().zip(cpu);
    let busiest = spent.map(|(after, before)| after.saturating_sub(before)).max();
    let busiest = busiest.context("no nodes")?.as_secs_f64() / seconds * 100.0;
    // Every byte on loopback is sent by one node and received by another.
    let each = moved * 2.0 / IDLE_NODES as f64 / seconds / KB;
    table.at_most("idle swarm of 8: sent and received, each", each, 10.0, "KB/s");
    table.at_most("idle swarm of 8: the busiest, of a core", busiest, 2.0, "%");
    stop(members)
}

fn processor_times(members: &[Member]) -> Result<Vec<Duration>> {
    members.iter().map(|member| member.node.processor_time()).collect()
}
