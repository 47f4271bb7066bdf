//! How fast documents are stored: one by one, by many clients, in large requests.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::load::{BATCH_DOCUMENTS, median, put_requests, requests_per_second};
use super::table::Table;
use crate::process::NodeProcess;

/// Rounds of each measure; the median counts.
const ROUNDS: u64 = 3;
/// Documents that one client puts in a round, one a request.
const SINGLE_DOCUMENTS: u64 = 5_000;
/// Documents that many clients put in a round, one a request.
const CROWD_DOCUMENTS: u64 = 30_000;
/// How many clients a crowd is.
const CROWD_CLIENTS: usize = 64;
/// Documents put in a round of large requests.
const BULK_DOCUMENTS: u64 = 20_000;

/// Adds the rates of writing, durable as a node is by default.
///
/// # Errors
/// When the node does not start, answer or end as it should.
pub(super) fn measure(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let node = NodeProcess::start(bench.binary, &bench.scratch.path("writes"))?;
    let mut numbers = Numbers(0);

    let mut rate = |documents, per_request, clients| -> Result<f64> {
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            let requests = put_requests(numbers.take(documents), per_request);
            rates.push(requests_per_second(node.port(), clients, &requests)?);
        }
        Ok(median(rates) * per_request as f64)
    };
    let single = rate(SINGLE_DOCUMENTS, 1, 1)?;
    table.at_least("one document a request, one client", single, 1_500.0, "/s");
    let crowd = rate(CROWD_DOCUMENTS, 1, CROWD_CLIENTS)?;
    table.at_least("one document a request, 64 clients", crowd, 8_000.0, "/s");
    let bulk = rate(BULK_DOCUMENTS, BATCH_DOCUMENTS, 1)?;
    table.at_least("1,000 documents a request", bulk, 10_000.0, "documents/s");
    node.stop()?;

    const SHARE: &str = "  of signing, encoding, inserting alone";
    match write_cost() {
        Ok(alone) => {
            table.plain("signing, encoding, inserting alone", alone, "documents/s");
            table.at_least(SHARE, bulk / alone * 100.0, 50.0, "%");
        }
        Err(error) => table.missing(SHARE, &format!("{error:#}")),
    }
    Ok(())
}

/// Documents per second that are signed, encoded, inserted and committed without HTTP, as
/// the example of the db crate measures it.
fn write_cost() -> Result<f64> {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--release", "--package", "optimusdb-db", "--example", "write_cost"])
        .current_dir(crate::workspace_root())
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "the example write_cost of optimusdb-db failed");
    let text = String::from_utf8(output.stdout)?;
    let figure = text
        .lines()
        .find_map(|line| line.strip_prefix("docs_per_second="))
        .context("write_cost printed no docs_per_second")?;
    Ok(figure.trim().parse()?)
}

/// Hands out numbers of documents that no round has used.
struct Numbers(u64);

impl Numbers {
    fn take(&mut self, count: u64) -> std::ops::Range<u64> {
        let start = self.0;
        self.0 += count;
        start..self.0
    }
}
