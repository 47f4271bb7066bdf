//! `cargo xtask crash-soak`: what a node acknowledged is there after it was killed.
//!
//! Writers put single documents and batches, new ones and new versions of old ones, until the node
//! is killed at a random moment. It is started again and must hold every acknowledged document as
//! it was acknowledged, every request that was under way either whole or not at all, and nothing
//! else. A killed process leaves what the kernel already had; a loss of power is not tried here.

mod ledger;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::client::{HttpClient, command_request};
use crate::documents::{SeededRandom, document, put_body};
use crate::process::{NodeProcess, Scratch, build_release};
use ledger::{Resolved, WriteLedger};

const WRITERS: u64 = 8;
const ROUNDS: u64 = 20;
/// Shortest and longest time that the writers get before the node is killed.
const ROUND_MS: std::ops::Range<u64> = 20..1_500;
/// Numbers of documents that belong to one writer.
const WRITER_NUMBERS: u64 = 10_000_000;

struct SoakOptions {
    rounds: u64,
    seed: u64,
}

/// Runs the rounds and prints their counts.
///
/// # Errors
/// When the arguments are wrong, when the node does not start, or when it lost or made up anything.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let options = SoakOptions::parse(arguments)?;
    println!("crash-soak: {} rounds, seed {}", options.rounds, options.seed);
    let binary = build_release()?;
    let scratch = Scratch::new("crash-soak")?;
    let repo = scratch.path("repo");
    let mut random = SeededRandom::new(options.seed);
    let mut ledgers: Vec<WriteLedger> =
        (0..WRITERS).map(|writer| WriteLedger::new(writer * WRITER_NUMBERS)).collect();

    for round in 1..=options.rounds {
        let before = held(&ledgers);
        let node = NodeProcess::start(&binary, &repo)?;
        let lifetime =
            Duration::from_millis(ROUND_MS.start + random.below(ROUND_MS.end - ROUND_MS.start));
        let requests = write_until_killed(node, lifetime, &mut ledgers, &mut random)?;
        let resolved = verify(&binary, &repo, &mut ledgers)
            .with_context(|| format!("round {round}, seed {}", options.seed))?;
        println!(
            "round {round}: killed after {} ms and {requests} acknowledged requests; \
             under way: {} kept, {} not; {} documents, {} of them new, all as acknowledged",
            lifetime.as_millis(),
            resolved.kept,
            resolved.dropped,
            held(&ledgers),
            held(&ledgers) - before,
        );
    }
    println!("crash-soak: nothing lost, nothing made up, in {} rounds", options.rounds);
    Ok(())
}

impl SoakOptions {
    fn parse(arguments: &[String]) -> Result<SoakOptions> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let mut options = SoakOptions { rounds: ROUNDS, seed: now };
        for pair in arguments.chunks(2) {
            let number = || pair.get(1).context("crash-soak: an argument lacks its value");
            match pair[0].as_str() {
                "--rounds" => options.rounds = number()?.parse()?,
                "--seed" => options.seed = number()?.parse()?,
                other => bail!("crash-soak: unknown argument `{other}`"),
            }
        }
        Ok(options)
    }
}

fn held(ledgers: &[WriteLedger]) -> usize {
    ledgers.iter().map(WriteLedger::len).sum()
}

/// Lets one writer per ledger loose on `node`, kills it after `lifetime`, and returns how many
/// requests it had acknowledged.
fn write_until_killed(
    node: NodeProcess,
    lifetime: Duration,
    ledgers: &mut [WriteLedger],
    random: &mut SeededRandom,
) -> Result<u64> {
    let killed = AtomicBool::new(false);
    let port = node.port();
    thread::scope(|scope| {
        let writers: Vec<_> = ledgers
            .iter_mut()
            .map(|ledger| {
                let random = SeededRandom::new(random.below(u64::MAX));
                let killed = &killed;
                scope.spawn(move || write(port, ledger, random, killed))
            })
            .collect();
        thread::sleep(lifetime);
        // Before the kill: a request that fails from here on fails because of it.
        killed.store(true, Ordering::SeqCst);
        let outcome = node.kill();
        let mut requests = 0;
        for writer in writers {
            requests += writer.join().expect("invariant: a writer does not panic")?;
        }
        outcome?;
        Ok(requests)
    })
}

/// Puts documents, one request after the other, until the node is gone.
fn write(
    port: u16,
    ledger: &mut WriteLedger,
    mut random: SeededRandom,
    killed: &AtomicBool,
) -> Result<u64> {
    let mut client = HttpClient::connect(port)?;
    let mut acknowledged = 0;
    loop {
        let documents: Vec<String> = ledger
            .begin(&mut random)
            .iter()
            .map(|(number, version)| document(*number, *version))
            .collect();
        let request = command_request(&put_body(documents.iter().map(String::as_str)));
        match client.send(&request) {
            Ok(response) if response.status == 200 => ledger.acknowledge(),
            Ok(response) => {
                let said = String::from_utf8_lossy(response.body);
                bail!("a put was answered with {}: {said}", response.status);
            }
            Err(_) if killed.load(Ordering::SeqCst) => return Ok(acknowledged),
            Err(error) => return Err(error.context("the connection broke before the kill")),
        }
        acknowledged += 1;
    }
}

/// Starts the node again, compares what it holds with the ledgers, and stops it.
fn verify(binary: &Path, repo: &Path, ledgers: &mut [WriteLedger]) -> Result<Resolved> {
    let node = NodeProcess::start(binary, repo)?;
    let mut stored = stored(node.port())?;
    let mut resolved = Resolved::default();
    for ledger in ledgers {
        resolved += ledger.resolve(&mut stored)?;
    }
    if let Some(id) = stored.keys().next() {
        bail!("{} documents that nobody put, such as {id}", stored.len());
    }
    node.stop()?;
    Ok(resolved)
}

/// Every document of the node, by its `_id`.
fn stored(port: u16) -> Result<HashMap<String, Value>> {
    const ALL: &str = r#"{"method":{"cmd":"crudget"},"dstype":"dsswres","criteria":[{}]}"#;
    let mut client = HttpClient::connect(port)?;
    let mut answer: Value = serde_json::from_slice(client.send_ok(&command_request(ALL))?)?;
    let Value::Array(documents) = answer["data"].take() else { bail!("crudget: no array") };
    let mut stored = HashMap::with_capacity(documents.len());
    for document in documents {
        let id = document["_id"].as_str().context("a document without an _id")?.to_owned();
        ensure!(stored.insert(id.clone(), document).is_none(), "{id} is there twice");
    }
    Ok(stored)
}
