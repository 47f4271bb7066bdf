//! `cargo xtask hostile ATTACK`: a hostile peer attacks a node, and what that costs others is measured: the
//! latency of honest puts, a probe of `/healthz`, how long a newcomer takes for all documents, and the
//! processor, memory and disk of the node.
//!
//! The peer is a program of its own, an example of the swarm room, so that no room is linked in here; one
//! attack needs none, as it is made of what every member may do. Nodes and attackers share the cores of this
//! machine and its loopback, which makes every attack worse than from afar. A missed limit is shown and does
//! not fail the run.

mod beside;
mod big_writer;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::bench::load::fill;
use crate::bench::table::Table;
use crate::client::{HttpClient, Names, NodeApi};
use crate::process::{NodeProcess, Scratch, build_release};
use beside::Beside;

/// The attacks of the hostile peer.
const ATTACKS: [&str; 7] = [
    "half-frames",
    "idle",
    "absent-parents",
    "announce-flood",
    "dial-bystander",
    "block-readers",
    "unfinished-heads",
];
/// The attack of a member that writes as much as it can.
const BIG_WRITER: &str = "big-writer";
/// No attack, to compare with.
const NONE: &str = "none";
/// Documents that a newcomer has to fetch.
const DOCUMENTS: u64 = 5_200;
/// How long an attack lasts unless the arguments say otherwise.
const SECONDS: u64 = 30;
/// How long the attack has been going on when the measuring begins.
const LEAD: Duration = Duration::from_secs(5);
/// The same where connections come no faster than the node lets them.
const CONNECTIONS_LEAD: Duration = Duration::from_secs(20);
/// Files whose blocks are read, and their bytes: one block each.
const FILES: u8 = 32;
const FILE_BYTES: usize = 256 * 1024;
const SWARM: &str = "hostile";

/// The node that is attacked.
struct Victim {
    node: NodeProcess,
    api: NodeApi,
    names: Names,
    repo: PathBuf,
}

impl Victim {
    fn start(binary: &Path, repo: PathBuf) -> Result<Victim> {
        let node = NodeProcess::start_with(binary, &repo, &[&format!("-swarm={SWARM}")])?;
        let api = NodeApi::new(node.port());
        let names = api.names()?;
        Ok(Victim { node, api, names, repo })
    }
}

/// Plays the attacks that the arguments name, and prints the table.
///
/// # Errors
/// When the arguments are wrong, or when a node or the hostile peer does not build, start or answer.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let Choice { attacks, binary, seconds } = choose(arguments)?;
    let binary = binary.map_or_else(build_release, Ok)?;
    let peer = build_peer()?;
    let scratch = Scratch::new("hostile")?;
    let mut table = Table::default();
    let outcome = attacks.iter().try_for_each(|attack| {
        eprintln!("hostile: {attack}");
        play(attack, &binary, &peer, &scratch, seconds, &mut table)
            .with_context(|| (*attack).to_owned())
    });
    print!("{table}");
    outcome
}

fn play(
    attack: &str,
    binary: &Path,
    peer: &Path,
    scratch: &Scratch,
    seconds: u64,
    table: &mut Table,
) -> Result<()> {
    let victim = Victim::start(binary, scratch.path(attack))?;
    fill(victim.node.port(), 0..DOCUMENTS)?;
    let time = Duration::from_secs(seconds);
    let newcomer = scratch.path(&format!("{attack}-newcomer"));
    let beside = match attack {
        NONE => beside::measure(&victim, binary, &newcomer, time)?,
        BIG_WRITER => {
            let writer = scratch.path("big-writer-member");
            big_writer::play(&victim, binary, &writer, LEAD + time, table, || {
                beside::measure(&victim, binary, &newcomer, time)
            })?
        }
        _ => {
            let lead = if attack == "idle" { CONNECTIONS_LEAD } else { LEAD };
            let mut attacking = attacker(peer, attack, &victim, seconds + lead.as_secs())?;
            sleep(lead);
            let beside = beside::measure(&victim, binary, &newcomer, time)?;
            table.note(format!("{attack}: {}", said(&mut attacking)?));
            beside
        }
    };
    show(attack, &beside, table);
    victim.node.stop()
}

/// Starts the hostile peer.
fn attacker(peer: &Path, attack: &str, victim: &Victim, seconds: u64) -> Result<Child> {
    let store = victim.api.store("name", "dsswres")?["address"].as_str().map(str::to_owned);
    let store = store.context("the store has no address")?;
    let cids = if attack == "block-readers" { files(victim)? } else { Vec::new() };
    Command::new(peer)
        .args([attack, &victim.names.address, SWARM, &store, &seconds.to_string()])
        .args(cids)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", peer.display()))
}

/// What the hostile peer says in the end.
fn said(attacking: &mut Child) -> Result<String> {
    let stdout = attacking.stdout.take().context("stdout is piped")?;
    let said = std::io::read_to_string(stdout)?;
    ensure!(attacking.wait()?.success(), "the hostile peer failed");
    Ok(said.trim().to_owned())
}

/// Adds files of one block each, and gives their addresses.
fn files(victim: &Victim) -> Result<Vec<String>> {
    let mut cids = Vec::new();
    for number in 0..FILES {
        let head = format!(
            "PUT /swarmkb/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: {FILE_BYTES}\r\n\r\n"
        );
        let request = [head.as_bytes(), &vec![number; FILE_BYTES]].concat();
        let mut client = HttpClient::connect(victim.node.port())?;
        let answer: serde_json::Value = serde_json::from_slice(client.send_ok(&request)?)?;
        cids.push(answer["data"]["cid"].as_str().context("no address of a file")?.to_owned());
    }
    Ok(cids)
}

fn show(attack: &str, beside: &Beside, table: &mut Table) {
    let name = |what: &str| format!("{attack}: {what}");
    table.plain(&name("puts, p50"), beside.puts.quantile_ms(0.5), "ms");
    table.at_most(&name("puts, p99"), beside.puts.quantile_ms(0.99), 100.0, "ms");
    table.at_most(&name("/healthz, the slowest"), beside.probes.quantile_ms(1.0), 1_000.0, "ms");
    match beside.newcomer {
        Some(time) => {
            table.at_most(&name("newcomer, 5,200 documents"), time.as_secs_f64(), 10.0, "s")
        }
        None => table.missing(&name("newcomer, 5,200 documents"), "not level in time"),
    }
    table.plain(&name("processor, of a core"), beside.core_share * 100.0, "%");
    table.at_most(&name("memory, the most"), beside.resident_bytes as f64 / 1e6, 200.0, "MB");
    table.plain(&name("disk, added"), beside.disk_bytes as f64 / 1e6, "MB");
}

/// Builds the hostile peer, with the features that tests of the workspace are built with.
fn build_peer() -> Result<PathBuf> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--workspace", "--example", "hostile"])
        .current_dir(crate::workspace_root())
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the hostile peer does not build");
    Ok(crate::target_directory().join("debug/examples/hostile"))
}

struct Choice {
    attacks: Vec<&'static str>,
    /// `None`: a release build of the workspace.
    binary: Option<PathBuf>,
    seconds: u64,
}

fn choose(arguments: &[String]) -> Result<Choice> {
    let all = || [NONE].into_iter().chain(ATTACKS).chain([BIG_WRITER]);
    let mut choice = Choice { attacks: Vec::new(), binary: None, seconds: SECONDS };
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        match argument {
            "--bin" => {
                let path = arguments.next().context("hostile: --bin takes the path of a node")?;
                choice.binary = Some(PathBuf::from(path));
            }
            "--seconds" => {
                let seconds = arguments.next().context("hostile: --seconds takes a number")?;
                choice.seconds = seconds.parse()?;
            }
            "all" => choice.attacks.extend(all()),
            other => match all().find(|attack| *attack == other) {
                Some(attack) => choice.attacks.push(attack),
                None => {
                    let known: Vec<&str> = all().collect();
                    bail!("hostile: `{other}` is none of all, {}", known.join(", "))
                }
            },
        }
    }
    ensure!(!choice.attacks.is_empty(), "hostile: it takes the name of an attack, or all");
    Ok(choice)
}

/// The documents of a store that a node has.
fn documents(api: &NodeApi) -> Result<u64> {
    api.store("name", "dsswres")?["documents"].as_u64().context("no count of documents")
}

/// Connects one node to another, trying again for as long as `time` while that is refused.
fn connect(api: &NodeApi, address: &str, time: Duration) -> Result<bool> {
    let began = std::time::Instant::now();
    while began.elapsed() < time {
        let asked = json!({ "method": { "cmd": "connect" }, "args": [address] });
        if api.ask("POST", "command", &asked)?.0 == 200 {
            return Ok(true);
        }
        sleep(Duration::from_millis(200));
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attacks_are_chosen_by_their_names() {
        let chosen = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
            choose(&arguments).map(|choice| (choice.attacks.len(), choice.seconds))
        };
        assert_eq!(chosen(&["all"]).unwrap(), (9, SECONDS));
        assert_eq!(chosen(&["idle", "big-writer", "--seconds", "3"]).unwrap(), (2, 3));
        for wrong in [&[][..], &["flood"], &["idle", "--bin"], &["idle", "--seconds", "x"]] {
            assert!(chosen(wrong).is_err(), "{wrong:?}");
        }
    }
}
