//! Nodes that know each other, and waiting for what reaches them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::super::Bench;
use crate::client::{HttpClient, Names, NodeApi};
use crate::process::NodeProcess;

/// The store that is measured: every node has it, under the same address.
pub(super) const STORE: &str = "dsswres";
/// Longest that anything measured here may take.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(300);
/// Shortest answer that holds a document; the one that holds none is far shorter.
const ANSWER_BYTES_MIN: usize = 100;

/// A node with its API.
pub(super) struct Member {
    pub(super) node: NodeProcess,
    pub(super) api: NodeApi,
    pub(super) names: Names,
}

impl Member {
    /// Starts a node on a new directory called `name`.
    pub(super) fn start(bench: &Bench<'_>, name: &str, flags: &[&str]) -> Result<Member> {
        let node = NodeProcess::start_with(bench.binary, &bench.scratch.path(name), flags)?;
        let api = NodeApi::new(node.port());
        let names = api.names()?;
        Ok(Member { node, api, names })
    }

    /// Documents in the store.
    pub(super) fn documents(&self) -> Result<u64> {
        self.api.store("name", STORE)?["documents"].as_u64().context("no count of documents")
    }

    /// Waits until the store has `count` documents or more.
    pub(super) fn wait_documents(&self, count: u64, pause: Duration) -> Result<()> {
        let began = Instant::now();
        loop {
            let documents = self.documents()?;
            if documents >= count {
                return Ok(());
            }
            let over = began.elapsed() > WAIT_MAX;
            ensure!(!over, "{documents} of {count} documents after {} s", WAIT_MAX.as_secs());
            sleep(pause);
        }
    }
}

/// `count` nodes, the others connected to the first one.
pub(super) fn star(bench: &Bench<'_>, name: &str, count: usize) -> Result<Vec<Member>> {
    let mut members = vec![Member::start(bench, &format!("{name}-0"), &[])?];
    for number in 1..count {
        let member = Member::start(bench, &format!("{name}-{number}"), &[])?;
        member.api.connect(&members[0].names.address)?;
        members.push(member);
    }
    Ok(members)
}

/// `count` nodes that were told of the first one and find the others themselves.
pub(super) fn swarm(bench: &Bench<'_>, name: &str, count: usize) -> Result<Vec<Member>> {
    let mut members = vec![Member::start(bench, &format!("{name}-0"), &["-dht=true"])?];
    let bootstrap = format!("-bootstrap={}", members[0].names.address);
    for number in 1..count {
        let flags = ["-dht=true", bootstrap.as_str()];
        members.push(Member::start(bench, &format!("{name}-{number}"), &flags)?);
    }
    Ok(members)
}

/// Stops all of them, the last first.
pub(super) fn stop(members: Vec<Member>) -> Result<()> {
    members.into_iter().rev().try_for_each(|member| member.node.stop())
}

/// Whether the answer to `request`, which asks for one document, holds it.
pub(super) fn holds(client: &mut HttpClient, request: &[u8]) -> Result<bool> {
    Ok(client.send_ok(request)?.len() > ANSWER_BYTES_MIN)
}
