//! A node with little in it: memory, reads and disk at 10,000 documents.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::Bench;
use super::disk::occupied_bytes;
use super::load::{Latencies, fill};
use super::table::Table;
use crate::client::command_request;
use crate::documents::{SeededRandom, get_body, id, name};
use crate::process::NodeProcess;

/// Documents in the store.
const DOCUMENTS: u64 = 10_000;
/// Reads by `_id`.
const ID_READS: usize = 5_000;
/// Reads by another field, each a look at every document.
const FIELD_READS: usize = 500;
/// How long a node is left alone before its memory is looked at.
const SETTLE: Duration = Duration::from_secs(2);
const MB: f64 = 1_000_000.0;

/// Adds memory, reads and disk of a small store.
///
/// # Errors
/// When the node does not start, answer or end as it should.
pub(super) fn measure(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let repo = bench.scratch.path("small");
    let node = NodeProcess::start(bench.binary, &repo)?;
    sleep(SETTLE);
    table.at_most("memory, empty and idle", node.resident_bytes()? as f64 / MB, 25.0, "MB");
    fill(node.port(), 0..DOCUMENTS)?;
    sleep(SETTLE);
    table.at_most("memory, 10,000 documents", node.resident_bytes()? as f64 / MB, 60.0, "MB");

    let by_id = Latencies::of(node.port(), &id_requests(DOCUMENTS, ID_READS))?;
    table.plain("crudget by _id, 10,000 documents, p50", by_id.quantile_ms(0.5), "ms");
    table.at_most("crudget by _id, 10,000 documents, p99", by_id.quantile_ms(0.99), 2.0, "ms");

    let mut random = SeededRandom::new(2);
    let requests: Vec<Vec<u8>> = (0..FIELD_READS)
        .map(|_| command_request(&get_body("resource_name", &name(random.below(DOCUMENTS)))))
        .collect();
    let by_field = Latencies::of(node.port(), &requests)?;
    table.plain("equality on a field, 10,000 documents, p50", by_field.quantile_ms(0.5), "ms");
    table.at_most(
        "equality on a field, 10,000 documents, p99",
        by_field.quantile_ms(0.99),
        10.0,
        "ms",
    );

    node.stop()?;
    let bytes = occupied_bytes(&repo)? as f64 / DOCUMENTS as f64;
    table.at_most("disk per document, 10,000 documents", bytes, 2_048.0, "bytes");
    Ok(())
}

/// Requests for `count` documents out of `documents`, by `_id`, in no order.
pub(super) fn id_requests(documents: u64, count: usize) -> Vec<Vec<u8>> {
    let mut random = SeededRandom::new(1);
    (0..count).map(|_| command_request(&get_body("_id", &id(random.below(documents))))).collect()
}
