//! A node with a million documents: what grows with the store, and what must not.

use anyhow::Result;

use super::Bench;
use super::disk::occupied_bytes;
use super::load::{Latencies, fill, median};
use super::small::id_requests;
use super::table::Table;
use crate::process::NodeProcess;

const DOCUMENTS: u64 = 1_000_000;
/// The store that a million is compared with.
const FEW_DOCUMENTS: u64 = 10_000;
/// Reads by `_id`.
const ID_READS: usize = 10_000;
/// Reads of each store in one round of comparing them, and the number of rounds.
const COMPARED_READS: usize = 1_000;
const COMPARED_ROUNDS: usize = 9;
/// Starts; the median counts.
const STARTS: usize = 5;
/// How much longer a read by `_id` may take with a hundred times the documents: flat, within what
/// two runs of one measure differ by.
const FLAT: f64 = 2.0;
const MB: f64 = 1_000_000.0;

/// Adds reads, start, memory and disk of a large store.
///
/// # Errors
/// When the node does not start, answer or end as it should.
pub(super) fn measure(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let repo = bench.scratch.path("million");
    let node = NodeProcess::start(bench.binary, &repo)?;
    fill(node.port(), 0..DOCUMENTS)?;
    let reads = Latencies::of(node.port(), &id_requests(DOCUMENTS, ID_READS))?;
    table.plain("crudget by _id, 1,000,000 documents, p50", reads.quantile_ms(0.5), "ms");
    table.at_most("crudget by _id, 1,000,000 documents, p99", reads.quantile_ms(0.99), 2.0, "ms");
    table.at_most("  p50 over that of 10,000 documents", growth(bench, &node)?, FLAT, "x");
    table.plain("memory, 1,000,000 documents", node.resident_bytes()? as f64 / MB, "MB");
    node.stop()?;

    let mut starts_ms = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let node = NodeProcess::start(bench.binary, &repo)?;
        starts_ms.push(node.ready_after().as_secs_f64() * 1_000.0);
        node.stop()?;
    }
    table.at_most("start to ready, 1,000,000 documents", median(starts_ms), 300.0, "ms");
    let bytes = occupied_bytes(&repo)? as f64 / DOCUMENTS as f64;
    table.at_most("disk per document, 1,000,000 documents", bytes, 2_048.0, "bytes");
    Ok(())
}

/// The median read by `_id` from the full `node` over that from one with few documents. The two are
/// asked in turns, so that whatever else the machine does meets both.
fn growth(bench: &Bench<'_>, node: &NodeProcess) -> Result<f64> {
    let few = NodeProcess::start(bench.binary, &bench.scratch.path("few"))?;
    fill(few.port(), 0..FEW_DOCUMENTS)?;
    let few_requests = id_requests(FEW_DOCUMENTS, COMPARED_READS);
    let many_requests = id_requests(DOCUMENTS, COMPARED_READS);
    let mut ratios = Vec::with_capacity(COMPARED_ROUNDS);
    for _ in 0..COMPARED_ROUNDS {
        let few_ms = Latencies::of(few.port(), &few_requests)?.quantile_ms(0.5);
        let many_ms = Latencies::of(node.port(), &many_requests)?.quantile_ms(0.5);
        ratios.push(many_ms / few_ms);
    }
    few.stop()?;
    Ok(median(ratios))
}
