//! One run from its beginning to its verdict.

use std::collections::BTreeMap;
use std::fmt;

use optimusdb_dag::limits::PULL_PERIOD_MS;

use crate::limits::{CHECK_PERIOD_MS, LEVEL_MS_MAX, QUIET_MS, STEPS_MAX};
use crate::message::Kind;
use crate::oracle;
use crate::plan::{CLOSING_MS, FAULTS_MS, Role};
use crate::world::{Node, World};

/// How a run is done.
#[derive(Debug, Clone)]
pub struct Options {
    /// Keep a line for everything that happens.
    pub trace: bool,
    /// End as failed after so many events.
    pub steps_max: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { trace: false, steps_max: STEPS_MAX }
    }
}

/// What happened in a run in which everything held.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Nodes: of this project, of other implementations, hostile ones.
    pub nodes: [usize; 3],
    /// Connections that there can be.
    pub links: usize,
    /// Writes by honest nodes.
    pub writes: u64,
    /// Entries that every honest node has in the end.
    pub entries: usize,
    /// Entries that honest nodes passed over, counted per node.
    pub passed: u64,
    /// Entries that were passed over and then taken in, counted per node.
    pub restored: u64,
    /// Offences that honest nodes found.
    pub blames: u64,
    /// Crashes.
    pub crashes: u64,
    /// Stores that failed.
    pub failed_stores: u64,
    /// How long after the last write all were level.
    pub level_ms: u64,
    /// Messages that honest nodes sent, by sort.
    pub sent: BTreeMap<Kind, u64>,
    /// Bytes that honest nodes sent.
    pub bytes_sent: u64,
    /// Verdicts on announcements: accepted, ignored, rejected.
    pub verdicts: [u64; 3],
    /// Events.
    pub steps: u64,
    /// A line for everything that happened, if asked for.
    pub trace: Vec<String>,
}

/// What did not hold.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// When, in simulated milliseconds.
    pub at_ms: u64,
    /// What.
    pub what: String,
    /// A line for everything that happened, if asked for.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { seed, at_ms, what, .. } = self;
        write!(f, "seed {seed}, after {at_ms} ms: {what}\n  cargo xtask simulate --seed {seed}")
    }
}

/// Does the run of this seed.
///
/// # Errors
/// The first thing that did not hold.
pub fn run(seed: u64, options: &Options) -> Result<Report, Box<Failure>> {
    let mut world = World::new(seed, options.trace);
    let level_ms = play(&mut world, options.steps_max);
    let mut trace = world.lines.take().unwrap_or_default();
    if let Some(what) = world.ledger.failure() {
        let what = what.to_owned();
        trace.extend(oracle::explain(&world.stores()));
        return Err(Box::new(Failure { seed, at_ms: world.timeline.now_ms(), what, trace }));
    }
    let roles = &world.plan.roles;
    let natives = roles.iter().filter(|role| **role == Role::Native).count();
    let plains = roles.iter().filter(|role| **role == Role::Plain).count();
    let ledger = &world.ledger;
    Ok(Report {
        nodes: [natives, plains, roles.len() - natives - plains],
        links: world.plan.links.len(),
        writes: ledger.acked.len() as u64,
        entries: world.stores().first().map_or(0, |(_, store)| store.entries.len()),
        passed: ledger.passed,
        restored: ledger.restored,
        blames: ledger.blames,
        crashes: ledger.crashes,
        failed_stores: ledger.failed_stores,
        level_ms,
        sent: ledger.sent.clone(),
        bytes_sent: ledger.bytes_sent,
        verdicts: [ledger.accepted, ledger.ignored, ledger.rejected],
        steps: world.steps,
        trace,
    })
}

/// Faults, then peace, until all are level; gives how long that took.
fn play(world: &mut World, steps_max: u64) -> u64 {
    advance(world, FAULTS_MS, steps_max);
    world.heal();
    advance(world, FAULTS_MS + CLOSING_MS, steps_max);
    for node in 0..world.plan.keys.len() {
        world.write(node, false);
    }
    let (begin_ms, mut now_ms) = (world.timeline.now_ms(), world.timeline.now_ms());
    while world.ledger.failure().is_none() {
        now_ms += 500;
        world.run_until(now_ms, steps_max);
        let quiet = world.nodes.iter().all(|node| match node {
            Node::Native(native) => native.is_quiet(),
            _ => true,
        });
        let differences = oracle::differences(&world.stores(), &world.ledger);
        match differences {
            None if quiet => break,
            Some(what) if now_ms - begin_ms > LEVEL_MS_MAX => {
                world.ledger.fail(format!("not level in time: {what}"));
            }
            _ => {}
        }
    }
    oracle::check(world);
    let level_ms = world.timeline.now_ms() - begin_ms;
    if !world.plan.roles.iter().any(|role| matches!(role, Role::Hostile(_))) {
        oracle::check_messages(world);
        watch_quiet(world, steps_max);
    }
    level_ms
}

/// When all are level and no node writes, next to nothing is sent.
fn watch_quiet(world: &mut World, steps_max: u64) {
    // What was on its way when the last node became level still comes.
    world.plan.repeat_permille = 0;
    let begin_ms = world.timeline.now_ms() + PULL_PERIOD_MS;
    world.run_until(begin_ms, steps_max);
    let before = (std::mem::take(&mut world.ledger.sent), world.ledger.bytes_sent);
    world.ledger.bytes_sent = 0;
    world.run_until(begin_ms + QUIET_MS, steps_max);
    oracle::check(world);
    oracle::check_quiet(world);
    for (kind, sent) in before.0 {
        *world.ledger.sent.entry(kind).or_default() += sent;
    }
    world.ledger.bytes_sent += before.1;
}

fn advance(world: &mut World, until_ms: u64, steps_max: u64) {
    while world.timeline.now_ms() < until_ms && world.ledger.failure().is_none() {
        let next_ms = (world.timeline.now_ms() + CHECK_PERIOD_MS).min(until_ms);
        world.run_until(next_ms, steps_max);
        oracle::check(world);
    }
}
