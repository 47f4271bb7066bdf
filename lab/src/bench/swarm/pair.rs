//! Two nodes: one writes, the other is asked until it has it.

use std::ops::Range;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::super::Bench;
use super::super::load::{Latencies, fill, put_requests, requests_per_second};
use super::super::table::Table;
use super::SwarmMeasures;
use super::group::{Member, WAIT_MAX, holds, star, stop};
use crate::client::{HttpClient, command_request};
use crate::documents::{document, get_body, id, put_body};

/// Single puts that are followed.
const SINGLE_PUTS: u64 = 500;
/// Between two of them, in the second half: long enough for the nodes to fall asleep.
const SINGLE_GAP: Duration = Duration::from_millis(20);
/// Puts before the first one that counts.
const WARM_UP_PUTS: u64 = 50;
/// Between two looks at a node that is catching up.
const PAUSE: Duration = Duration::from_millis(5);
/// Documents that a new node has to fetch.
const COLD_DOCUMENTS: u64 = 10_000;
/// Ten times as many, to see whether it is linear.
const COLD_DOCUMENTS_MORE: u64 = 100_000;
/// Documents that are written as fast as they are taken.
pub(super) const LIVE_DOCUMENTS: u64 = 5_000;
/// How many clients write them.
const LIVE_CLIENTS: usize = 64;

/// One put at a time on one node, until the other one answers with it: the next at once, then after a
/// while in which everything sleeps.
pub(super) fn latency(
    bench: &Bench<'_>,
    figures: &mut SwarmMeasures,
    table: &mut Table,
) -> Result<()> {
    let members = star(bench, "latency", 2)?;
    let mut writer = HttpClient::connect(members[0].node.port())?;
    let mut reader = HttpClient::connect(members[1].node.port())?;
    let mut next = 0;
    let mut follow = |puts: u64, gap: Duration| -> Result<Latencies> {
        let numbers = next..next + puts;
        next += puts;
        let followed = numbers.map(|number| {
            sleep(gap);
            follow_one(&mut writer, &mut reader, number)
        });
        Ok(Latencies::from(followed.collect::<Result<Vec<Duration>>>()?))
    };
    follow(WARM_UP_PUTS, Duration::ZERO)?;
    let busy = follow(SINGLE_PUTS, Duration::ZERO)?;
    let idle = follow(SINGLE_PUTS, SINGLE_GAP)?;
    figures.visible_ms = Some(idle.quantile_ms(0.5));
    for (when, taken) in [("at once", busy), ("20 ms idle", idle)] {
        let (half, most) = (taken.quantile_ms(0.5), taken.quantile_ms(0.99));
        table.at_most(&format!("put on A, visible on B, {when}, p50"), half, 3.0, "ms");
        table.at_most(&format!("put on A, visible on B, {when}, p99"), most, 20.0, "ms");
    }
    stop(members)
}

/// Puts the document `number`, and asks for it over and over until it is there.
fn follow_one(writer: &mut HttpClient, reader: &mut HttpClient, number: u64) -> Result<Duration> {
    let put = command_request(&put_body([document(number, 0).as_str()]));
    let get = command_request(&get_body("_id", &id(number)));
    let began = Instant::now();
    writer.begin(&put)?;
    while !holds(reader, &get)? {
        ensure!(began.elapsed() < WAIT_MAX, "put number {number} does not arrive");
    }
    let taken = began.elapsed();
    ensure!(writer.finish()?.status == 200, "put number {number} was refused");
    Ok(taken)
}

/// A node with many documents, and a new one that meets it.
pub(super) fn cold(
    bench: &Bench<'_>,
    figures: &mut SwarmMeasures,
    table: &mut Table,
) -> Result<()> {
    let seconds = cold_seconds(bench, "cold", COLD_DOCUMENTS)?;
    figures.cold_per_second = Some(COLD_DOCUMENTS as f64 / seconds);
    table.at_most("cold sync, 10,000 documents", seconds, 2.0, "s");
    let more = cold_seconds(bench, "cold-more", COLD_DOCUMENTS_MORE)?;
    table.plain("cold sync, 100,000 documents", more, "s");
    let factor = (COLD_DOCUMENTS_MORE / COLD_DOCUMENTS) as f64;
    table.at_most("  a document of them over one of 10,000", more / seconds / factor, 1.5, "times");
    Ok(())
}

fn cold_seconds(bench: &Bench<'_>, name: &str, documents: u64) -> Result<f64> {
    let full = Member::start(bench, &format!("{name}-full"), &[])?;
    fill(full.node.port(), 0..documents)?;
    let empty = Member::start(bench, &format!("{name}-empty"), &[])?;
    let began = Instant::now();
    empty.api.connect(&full.names.address)?;
    empty.wait_documents(documents, PAUSE)?;
    let seconds = began.elapsed().as_secs_f64();
    stop(vec![full, empty])?;
    Ok(seconds)
}

/// One node takes documents as fast as it can; how far behind is the other when it has taken the last?
pub(super) fn live(
    bench: &Bench<'_>,
    figures: &mut SwarmMeasures,
    table: &mut Table,
) -> Result<()> {
    let members = star(bench, "live", 2)?;
    // The two have met, and what comes is news.
    fill(members[0].node.port(), 0..1)?;
    members[1].wait_documents(1, PAUSE)?;

    let crowd = live_round(&members, 1..1 + LIVE_DOCUMENTS, 1, LIVE_CLIENTS)?;
    figures.live_seconds = Some(crowd.taken + crowd.behind);
    table.plain("live: 5,000 puts on A, 64 clients", crowd.taken, "s");
    table.at_most("  B has the last one after A", crowd.behind, 1.0, "s");
    let next = 1 + LIVE_DOCUMENTS;
    let bulk = live_round(&members, next..next + LIVE_DOCUMENTS, LIVE_DOCUMENTS, 1)?;
    table.plain("live: 5,000 puts on A in one request", bulk.taken, "s");
    table.at_most("  B has the last one after A", bulk.behind, 1.0, "s");
    stop(members)
}

struct Round {
    /// Until A had answered everything, in seconds.
    taken: f64,
    /// From then until B had everything, in seconds.
    behind: f64,
}

fn live_round(
    members: &[Member],
    numbers: Range<u64>,
    per_request: u64,
    clients: usize,
) -> Result<Round> {
    let end = numbers.end;
    let requests = put_requests(numbers, per_request);
    let began = Instant::now();
    requests_per_second(members[0].node.port(), clients, &requests)?;
    let taken = began.elapsed().as_secs_f64();
    members[1].wait_documents(end, PAUSE)?;
    Ok(Round { taken, behind: began.elapsed().as_secs_f64() - taken })
}
