//! Two JavaScript OrbitDB peers with their defaults, doing what two of our nodes did.
//!
//! "Visible" is the `update` event of the reading peer, which OrbitDB raises when an entry is joined:
//! asking for the document, as is done of ours, would cost it a walk through its whole log.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::super::Bench;
use super::super::load::Latencies;
use super::super::table::Table;
use super::SwarmMeasures;
use super::pair::LIVE_DOCUMENTS;
use crate::javascript::{JavaScript, JsNode, PendingCommand, text};

/// Single puts that are followed.
const SINGLE_PUTS: u64 = 200;
/// Puts before the first one that counts.
const WARM_UP_PUTS: u64 = 50;
/// Between two single puts, in milliseconds.
const SINGLE_GAP_MS: u64 = 50;
/// Documents that a new peer has to fetch.
const COLD_DOCUMENTS: [u64; 2] = [1_000, 10_000];
/// Longest that a peer is waited for, in milliseconds.
const WAIT_MAX_MS: u64 = 600_000;

/// Adds what the JavaScript peers do, and how many times better ours were.
pub(super) fn measure(
    bench: &Bench<'_>,
    figures: &mut SwarmMeasures,
    table: &mut Table,
) -> Result<()> {
    let javascript = JavaScript::install()?;
    let mut pair = JsPair::start(&javascript, bench, "js-live")?;
    let address = pair.open()?;
    let taken = pair.latencies(&address)?;
    let half = taken.quantile_ms(0.5);
    table.plain("JavaScript: put on A, visible on B, p50", half, "ms");
    table.plain("JavaScript: put on A, visible on B, p99", taken.quantile_ms(0.99), "ms");
    compare(table, "  ours is shorter, p50", half, figures.visible_ms, None);

    let seconds = pair.live(&address)?;
    table.plain("JavaScript: live, 5,000 puts until B has the last", seconds, "s");
    compare(table, "  ours is shorter", seconds, figures.live_seconds, None);
    pair.stop()?;

    for documents in COLD_DOCUMENTS {
        let mut pair = JsPair::start(&javascript, bench, &format!("js-cold-{documents}"))?;
        let seconds = pair.cold(documents)?;
        let memory = pair.reader.call("rss", Value::Null)?;
        pair.stop()?;
        table.plain(&format!("JavaScript: cold sync, {documents} documents"), seconds, "s");
        let ours = figures.cold_per_second.map(|rate| documents as f64 / rate);
        compare(table, "  ours is shorter, per document", seconds, ours, Some(20.0));
        let bytes = memory["bytes"].as_f64().context("no figure of memory")?;
        table.plain("  memory of the reader after it", bytes / 1_000_000.0, "MB");
    }
    Ok(())
}

fn compare(table: &mut Table, name: &str, theirs: f64, ours: Option<f64>, limit: Option<f64>) {
    match (ours, limit) {
        (None, _) => table.missing(name, "ours was not measured"),
        (Some(ours), None) => table.plain(name, theirs / ours, "times"),
        (Some(ours), Some(limit)) => table.at_least(name, theirs / ours, limit, "times"),
    }
}

struct JsPair {
    writer: JsNode,
    reader: JsNode,
}

impl JsPair {
    fn start(javascript: &JavaScript, bench: &Bench<'_>, name: &str) -> Result<JsPair> {
        let repo = |peer| bench.scratch.path(&format!("{name}-{peer}"));
        let mut writer = javascript.start("writer", &repo("writer"))?;
        let mut reader = javascript.start("reader", &repo("reader"))?;
        writer.up()?;
        reader.up()?;
        Ok(JsPair { writer, reader })
    }

    /// Makes a store on the writer.
    fn make(&mut self) -> Result<String> {
        let made = json!({ "name": "bench", "type": "documents" });
        let made = self.writer.call("open", made)?;
        Ok(text(&made["address"])?.to_owned())
    }

    /// Makes a store, and opens it on the connected reader.
    fn open(&mut self) -> Result<String> {
        let address = self.make()?;
        self.reader.call("dial", json!({ "addr": self.writer.address() }))?;
        self.reader.call("open", json!({ "address": address }))?;
        let both = json!({ "db": address, "n": 1 });
        self.writer.call("waitPeers", both.clone())?;
        self.reader.call("waitPeers", both)?;
        Ok(address)
    }

    fn latencies(&mut self, address: &str) -> Result<Latencies> {
        let warm_up = json!({
            "db": address, "prefix": "warm-up-", "from": 0, "n": WARM_UP_PUTS,
            "gapMs": SINGLE_GAP_MS,
        });
        self.writer.call("putMany", warm_up)?;
        let last = self.begin_wait(address, "single-", SINGLE_PUTS - 1)?;
        self.writer.call(
            "putTimed",
            json!({
                "db": address, "prefix": "single-", "from": 0, "n": SINGLE_PUTS,
                "gapMs": SINGLE_GAP_MS,
            }),
        )?;
        self.reader.finish(last)?;
        let stats = self.reader.call("stats", json!({ "db": address }))?;
        let taken = stats["latencies"].as_array().context("no latencies")?;
        ensure!(taken.len() as u64 == SINGLE_PUTS, "{} of {SINGLE_PUTS} arrived", taken.len());
        let taken = taken.iter().filter_map(Value::as_f64);
        let taken: Vec<Duration> =
            taken.map(|ms| Duration::from_secs_f64(ms.max(0.0) / 1_000.0)).collect();
        Ok(Latencies::from(taken))
    }

    /// Seconds from the first of many puts until the reader has the last.
    fn live(&mut self, address: &str) -> Result<f64> {
        let last = self.begin_wait(address, "live-", LIVE_DOCUMENTS - 1)?;
        let began = Instant::now();
        let put = json!({ "db": address, "prefix": "live-", "from": 0, "n": LIVE_DOCUMENTS });
        let put = self.writer.begin("putMany", put)?;
        self.reader.finish_within(last, Duration::from_millis(WAIT_MAX_MS))?;
        let seconds = began.elapsed().as_secs_f64();
        self.writer.finish(put)?;
        Ok(seconds)
    }

    /// Seconds from opening the address of a store with `documents` until they are here.
    fn cold(&mut self, documents: u64) -> Result<f64> {
        let address = self.make()?;
        let wait = Duration::from_millis(WAIT_MAX_MS);
        let put = json!({ "db": address, "from": 0, "n": documents });
        let put = self.writer.begin("putMany", put)?;
        self.writer.finish_within(put, wait)?;
        self.reader.call("dial", json!({ "addr": self.writer.address() }))?;
        let began = Instant::now();
        self.reader.call("open", json!({ "address": address }))?;
        let last = self.begin_wait(&address, "doc-", documents - 1)?;
        self.reader.finish_within(last, wait)?;
        let seconds = began.elapsed().as_secs_f64();
        let count = self.reader.call("count", json!({ "db": address }))?;
        ensure!(count["n"] == documents, "{} of {documents} documents arrived", count["n"]);
        Ok(seconds)
    }

    /// Begins to wait on the reader for the entry that puts a document, which is told by an event.
    fn begin_wait(&mut self, address: &str, prefix: &str, number: u64) -> Result<PendingCommand> {
        let wait = json!({
            "db": address, "key": format!("{prefix}{number:08}"), "looking": false,
            "timeoutMs": WAIT_MAX_MS,
        });
        self.reader.begin("waitKey", wait)
    }

    fn stop(self) -> Result<()> {
        self.reader.stop()?;
        self.writer.stop()
    }
}
