//! Files: how fast one is added, and read on a node that has to fetch it from another.
//!
//! Kubo does the same in turns, where `KUBO_BIN` names a binary of it. A single run says little on a shared
//! machine, so each side has some, and medians are compared.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::Bench;
use super::load::median;
use super::table::Table;
use crate::client::HttpClient;
use crate::interop::files::{FileNode, Kubo, kubo_binary, payload};

/// Bytes of the file.
const FILE_BYTES: u64 = 256 * 1024 * 1024;
const FILE_MIB: f64 = 256.0;
/// How often each side does it.
const ROUNDS: u64 = 3;
/// How much faster than Kubo a fetch is meant to be.
const KUBO_RATIO_MIN: f64 = 2.0;

/// Seconds that one side took.
#[derive(Default)]
struct Taken {
    add: Vec<f64>,
    fetch: Vec<f64>,
}

/// Adds the figures of files.
///
/// # Errors
/// When a node or Kubo does not start or answers wrongly.
pub(super) fn measure(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let kubo = kubo_binary();
    let (mut ours, mut theirs) = (Taken::default(), Taken::default());
    for round in 0..ROUNDS {
        let place = |name: &str| bench.scratch.path(&format!("files-{round}-{name}"));
        let file = payload::make(place("payload"), round, FILE_BYTES)?;
        own_round(bench, &place("a"), &place("b"), &file, &mut ours)?;
        if let Some(binary) = &kubo {
            kubo_round(binary, &place("ka"), &place("kb"), &file, &mut theirs)?;
        }
        for name in ["payload", "a", "b", "ka", "kb"] {
            // Those of Kubo are only there where it is.
            let _ = fs::remove_dir_all(place(name)).or_else(|_| fs::remove_file(place(name)));
        }
    }
    let rate = |taken: &[f64]| FILE_MIB / median(taken.to_vec());
    table.plain("a file of 256 MiB added", rate(&ours.add), "MiB/s");
    table.plain("the same, fetched from another node", rate(&ours.fetch), "MiB/s");
    if kubo.is_none() {
        table.missing("the same with Kubo", "KUBO_BIN names no binary");
        return Ok(());
    }
    table.plain("Kubo: a file of 256 MiB added", rate(&theirs.add), "MiB/s");
    table.plain("Kubo: the same, fetched from another node", rate(&theirs.fetch), "MiB/s");
    let ratio = rate(&ours.fetch) / rate(&theirs.fetch);
    table.at_least("a fetch, as many times as fast as Kubo's", ratio, KUBO_RATIO_MIN, "");
    Ok(())
}

fn own_round(bench: &Bench<'_>, a: &Path, b: &Path, file: &Path, taken: &mut Taken) -> Result<()> {
    let has = FileNode::start(bench.binary, a.to_owned(), &[])?;
    let wants = FileNode::start(bench.binary, b.to_owned(), &[])?;
    wants.dial(&has.address()?)?;
    let began = Instant::now();
    let cid = has.add(file, "kubo")?;
    taken.add.push(began.elapsed().as_secs_f64());
    let reading = wants.begin_read(&cid)?;
    taken.fetch.push(finished(reading, file)?);
    Ok(())
}

fn kubo_round(binary: &Path, a: &Path, b: &Path, file: &Path, taken: &mut Taken) -> Result<()> {
    let has = Kubo::start(binary, a.to_owned(), None)?;
    let wants = Kubo::start(binary, b.to_owned(), None)?;
    wants.dial(&has.address()?)?;
    let began = Instant::now();
    let cid = has.add(file, &["--raw-leaves"])?;
    taken.add.push(began.elapsed().as_secs_f64());
    let mut client = HttpClient::connect(wants.gateway_port()?)?;
    // To `localhost` it would answer with the host of that address alone.
    client.begin(format!("GET /ipfs/{cid} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes())?;
    taken.fetch.push(finished(client, file)?);
    Ok(())
}

/// Seconds until all of a file has come, which is what was added.
fn finished(mut client: HttpClient, file: &Path) -> Result<f64> {
    let began = Instant::now();
    let answer = client.finish()?;
    let taken = began.elapsed().as_secs_f64();
    ensure!(answer.status == 200, "a read was answered {}", answer.status);
    payload::compare(answer.body, file)?;
    Ok(taken)
}
