//! A member that writes as much as it can: a node as any other, whose clients put large documents.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::beside::Beside;
use super::{LEAD, SWARM, Victim, connect};
use crate::bench::table::Table;
use crate::client::{HttpClient, NodeApi, command_request};
use crate::documents::put_body;
use crate::process::NodeProcess;

const CLIENTS: usize = 4;
const DOCUMENT_BYTES: usize = 100_000;

/// Writes while `measure` measures, for `time` at most.
///
/// # Errors
/// When the member does not start or reach the victim, or as `measure`.
pub(super) fn play(
    victim: &Victim,
    binary: &Path,
    repo: &Path,
    time: Duration,
    table: &mut Table,
    measure: impl FnOnce() -> Result<Beside>,
) -> Result<Beside> {
    let node = NodeProcess::start_with(binary, repo, &[&format!("-swarm={SWARM}")])?;
    let api = NodeApi::new(node.port());
    ensure!(connect(&api, &victim.names.address, time)?, "the member is refused");
    let (ended, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let until = Instant::now() + time;
    let beside = thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (ended, written, port) = (&ended, &written, node.port());
            scope.spawn(move || {
                let Ok(mut connection) = HttpClient::connect(port) else { return };
                while !ended.load(Ordering::Relaxed) && Instant::now() < until {
                    let number = written.fetch_add(1, Ordering::Relaxed);
                    let filling = "x".repeat(DOCUMENT_BYTES);
                    let document = format!(r#"{{"_id":"big-{client}-{number}","x":"{filling}"}}"#);
                    let request = command_request(&put_body([document.as_str()]));
                    if connection.send_ok(&request).is_err() {
                        return;
                    }
                }
            });
        }
        thread::sleep(LEAD);
        let beside = measure();
        ended.store(true, Ordering::Relaxed);
        beside
    })?;
    let megabytes = written.load(Ordering::Relaxed) as usize * DOCUMENT_BYTES / 1_000_000;
    table.note(format!("big-writer: it wrote {megabytes} MB"));
    Ok(beside)
}
