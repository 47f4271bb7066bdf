//! The process is killed, or the power fails, at every single sync of a workload. What was
//! acknowledged is there afterwards, and nothing is there by halves.
//!
//! This program starts itself again for every failure: the child works on a disk that fails
//! ([`disk`]) and says on its standard output which steps of the [`script`] are done; the parent
//! then opens what is left. A step that was acknowledged must be there, and the step in progress
//! there or not, but as a whole: all tables and views must equal those after some step of a run
//! without failures. From there the parent goes on to the end.
#![allow(clippy::unwrap_used, reason = "this is a test")]
#![allow(unsafe_code, reason = "a file layer for SQLite is a table of C functions")]

#[path = "crash/disk.rs"]
mod disk;
#[path = "crash/script.rs"]
mod script;
mod support;

use disk::Failure;
use optimusdb_dag::Entry;
use optimusdb_storage::{Database, Durability, Place};
use script::{Commits, Step, script, take};
use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use support::{dump, raw};

/// Names the work of a child, in its environment: the directory and the words of a [`Run`].
const ROLE: &str = "OPTIMUSDB_CRASH_CHILD";
/// How often a step that the full disk refused is tried again.
const TRIES_MAX: usize = 10;

type Dump = BTreeMap<String, Vec<String>>;

#[derive(Debug, Clone, Copy)]
struct Run {
    failure: Failure,
    at: u64,
    commits: Commits,
}

/// What a child did: the steps that it acknowledged, and how many syncs and writes it made, if it
/// came to the end.
struct Done {
    acked: usize,
    counted: Option<(u64, u64)>,
}

/// The role of the child; as a test of its own it does nothing.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let words: Vec<&str> = role.splitn(5, ' ').collect();
    let number = |n: usize| words[n].parse::<u64>().unwrap();
    let failure = match words[0] {
        "killed" => Failure::Killed,
        "lost" => Failure::PowerLost,
        "full" => Failure::Full,
        "unreadable" => Failure::Unreadable,
        _ => Failure::Torn(number(1)),
    };
    let commits = match words[3] {
        "full" => Commits::Full,
        "relaxed" => Commits::Relaxed,
        _ => Commits::Mixed,
    };
    disk::install(failure, number(2));
    let place = Place::File(words[4].into());
    if failure == Failure::Unreadable {
        return write_after_a_failed_read(&place);
    }
    let mut out = std::io::stdout();
    let mut database = None;
    for (n, step) in script(failure == Failure::Full).iter().enumerate() {
        let mut tries = 0;
        while let Err(error) = take(n, step, &place, commits, &mut database) {
            tries += 1;
            assert!(failure == Failure::Full && tries < TRIES_MAX, "step {n}: {error}");
        }
        writeln!(out, "\nack {n} {tries}").unwrap();
        out.flush().unwrap();
    }
    let (syncs, writes) = disk::counted();
    writeln!(out, "\ncounted {syncs} {writes}").unwrap();
    out.flush().unwrap();
    // Closing is part of the workload, too.
    drop(database);
}

/// Runs a child on the database `path` to its end, which it meets by itself or by the failure.
fn run(run: Run, path: &Path) -> Done {
    let (failure, seed) = match run.failure {
        Failure::Killed => ("killed", 0),
        Failure::PowerLost => ("lost", 0),
        Failure::Torn(seed) => ("torn", seed),
        Failure::Full => ("full", 0),
        Failure::Unreadable => ("unreadable", 0),
    };
    let commits = match run.commits {
        Commits::Full => "full",
        Commits::Relaxed => "relaxed",
        Commits::Mixed => "mixed",
    };
    let role = format!("{failure} {seed} {} {commits} {}", run.at, path.display());
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    let ended = std::os::unix::process::ExitStatusExt::signal(&child.status);
    assert!(
        child.status.success() || ended == Some(6),
        "{run:?}: {}\n{said}\n{}",
        child.status,
        String::from_utf8_lossy(&child.stderr)
    );
    let acks: Vec<usize> = said
        .lines()
        .filter_map(|line| line.strip_prefix("ack ")?.split(' ').next()?.parse().ok())
        .collect();
    assert!(acks.iter().copied().eq(0..acks.len()), "{run:?}: {said}");
    let counted = said.lines().find_map(|line| {
        let (syncs, writes) = line.strip_prefix("counted ")?.split_once(' ')?;
        Some((syncs.parse().ok()?, writes.parse().ok()?))
    });
    Done { acked: acks.len(), counted }
}

/// All tables and views after each step of a run without failures; the first is of nothing.
fn reference(steps: &[Step]) -> Vec<Dump> {
    let place = Place::memory();
    let keep = raw(&place);
    let mut database = None;
    let mut states = vec![dump(&keep)];
    for (n, step) in steps.iter().enumerate() {
        take(n, step, &place, Commits::Full, &mut database).unwrap();
        states.push(dump(&keep));
    }
    states
}

/// Opens what a failure left behind, and checks it. Answers after how many steps it is.
fn check(run: Run, path: &Path, acked: usize, steps: &[Step], states: &[Dump]) -> usize {
    let place = Place::File(path.to_owned());
    // Nothing fails from here on, so there is nothing to wait for the disk for.
    let commits = Commits::Relaxed;
    // The open makes tables and views where there are none: it is the first step, or repeats it.
    let mut database = Some(Database::open(&place, Durability::Relaxed).unwrap());
    let found = dump(&raw(&place));
    // Steps that change no row, such as a checkpoint, have equal states: take the last.
    let step = states[1..].iter().rposition(|state| *state == found).map(|at| at + 1);
    let Some(step) = step else {
        panic!(
            "{run:?}: {acked} steps were acknowledged, and what is there is not the state after any"
        );
    };
    assert_eq!(
        raw(&place).query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(),
        "ok",
        "{run:?}"
    );
    let mut sound = database.take().unwrap();
    closed_heads(&sound);
    for store in sound.view().stores().unwrap() {
        sound.reindex(&store, || ()).unwrap();
    }
    assert_eq!(dump(&raw(&place)), found, "{run:?}: made again from the logs, the index differs");

    database = Some(sound);
    for (n, next) in steps.iter().enumerate().skip(step) {
        take(n, next, &place, commits, &mut database).unwrap();
    }
    assert!(dump(&raw(&place)) == states[steps.len()], "{run:?}: it does not go on as before");
    step
}

/// Every ancestor of a head is stored, whatever is stored is one or a head, and no head is an
/// ancestor of another.
fn closed_heads(database: &Database) {
    let view = database.view();
    for store in view.stores().unwrap() {
        let mut entries = BTreeMap::new();
        view.log(&store, |entry: Entry| {
            entries.insert(entry.cid(), entry);
            ControlFlow::Continue(())
        })
        .unwrap();
        let heads: Vec<Entry> = view.heads(&store).unwrap();
        let mut ancestors = HashSet::new();
        let mut front: Vec<_> = heads.iter().flat_map(|head| head.next().to_vec()).collect();
        while let Some(cid) = front.pop() {
            if ancestors.insert(cid) {
                front.extend(entries[&cid].next());
            }
        }
        assert!(heads.iter().all(|head| !ancestors.contains(&head.cid())));
        assert_eq!(ancestors.len() + heads.len(), entries.len());
        assert_eq!(store.entries, entries.len() as u64);
    }
}

/// Runs a child for each of `moments`, on two cores, and hands each outcome to `judge`.
fn each_moment(
    failure: impl Fn(u64) -> Failure + Sync,
    commits: Commits,
    moments: &[u64],
    judge: impl Fn(Run, &Path, Done) + Sync,
) {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(&at) = moments.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let dir = tempfile::tempdir().unwrap();
                    let path = dir.path().join("optimusdb.sqlite");
                    let what = Run { failure: failure(at), at, commits };
                    let done = run(what, &path);
                    judge(what, &path, done);
                }
            });
        }
    });
}

/// The syncs and writes of a run to the end.
fn count(failure: Failure, commits: Commits) -> (u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("optimusdb.sqlite");
    let done = run(Run { failure, at: u64::MAX / 2, commits }, &path);
    done.counted.expect("nothing failed")
}

/// Every sync of the workload, and the acknowledged is never lost.
fn survives(failure: impl Fn(u64) -> Failure + Sync) {
    let steps = script(false);
    let states = reference(&steps);
    let (syncs, _) = count(failure(0), Commits::Full);
    assert!(syncs > 40, "{syncs} syncs are too few to test anything");
    let moments: Vec<u64> = (1..=syncs).collect();
    each_moment(failure, Commits::Full, &moments, |run_, path, done| {
        assert!(done.counted.is_none(), "{run_:?}: the failure did not come");
        let step = check(run_, path, done.acked, &steps, &states);
        // Of equal states the last was taken, so there may seem to be more than there was.
        assert!(
            step >= done.acked,
            "{run_:?}: {} steps were acknowledged, {step} are there",
            done.acked
        );
        assert!(
            states[step] == states[done.acked.max(1)] || states[step] == states[done.acked + 1],
            "{run_:?}: more is there than was begun"
        );
    });
}

#[test]
fn killed_at_every_sync() {
    survives(|_| Failure::Killed);
}

#[test]
fn power_lost_at_every_sync() {
    survives(|_| Failure::PowerLost);
}

#[test]
fn power_lost_in_the_middle_of_writing() {
    survives(|at| Failure::Torn(0x9e37_79b9 ^ at));
}

/// Without a sync at each commit, the last ones may be lost, and that is all: what is there is the
/// state after some step. That some are lost shows that this disk does lose what was not synced.
#[test]
fn relaxed_loses_the_newest_and_nothing_else() {
    let steps = script(false);
    let states = reference(&steps);
    for torn in [false, true] {
        let failure = |at| if torn { Failure::Torn(at) } else { Failure::PowerLost };
        let (syncs, _) = count(failure(0), Commits::Relaxed);
        let moments: Vec<u64> = (1..=syncs).collect();
        let most = AtomicU64::new(0);
        each_moment(failure, Commits::Relaxed, &moments, |run, path, done| {
            let step = check(run, path, done.acked, &steps, &states);
            most.fetch_max(done.acked.saturating_sub(step) as u64, Ordering::Relaxed);
        });
        assert!(most.load(Ordering::Relaxed) > 5, "the most that was lost: {most:?} steps");
    }
    // The end of the process alone loses nothing.
    let (syncs, _) = count(Failure::Killed, Commits::Relaxed);
    let moments: Vec<u64> = (1..=syncs).collect();
    each_moment(
        |_| Failure::Killed,
        Commits::Relaxed,
        &moments,
        |run, path, done| {
            assert!(check(run, path, done.acked, &steps, &states) >= done.acked);
        },
    );
}

/// Steps that wait for the disk among others that do not: none of the first is ever lost, nor
/// anything from before it.
#[test]
fn a_full_commit_takes_those_before_it_to_the_disk() {
    let steps = script(false);
    let states = reference(&steps);
    for torn in [false, true] {
        let failure = |at| if torn { Failure::Torn(at) } else { Failure::PowerLost };
        let (syncs, _) = count(failure(0), Commits::Mixed);
        let (full, _) = count(failure(0), Commits::Full);
        assert!(syncs + 15 < full, "{syncs} syncs are hardly fewer than {full}");
        let moments: Vec<u64> = (1..=syncs).collect();
        let most = AtomicU64::new(0);
        each_moment(failure, Commits::Mixed, &moments, |run, path, done| {
            let step = check(run, path, done.acked, &steps, &states);
            let durable = (0..done.acked).rfind(|n| Commits::Mixed.of(*n) == Durability::Full);
            let durable = durable.map_or(0, |n| n + 1);
            assert!(step >= durable, "{run:?}: {durable} steps were durable, {step} are there");
            most.fetch_max(done.acked.saturating_sub(step) as u64, Ordering::Relaxed);
        });
        assert!(most.load(Ordering::Relaxed) > 0, "nothing was lost: is this disk too good?");
    }
}

/// A full disk fails steps, each as a whole: tried again, they lead to the same end.
#[test]
fn a_full_disk_undoes_whole_steps() {
    let steps = script(true);
    let states = reference(&steps);
    let (_, writes) = count(Failure::Full, Commits::Full);
    let every = writes / 16;
    let moments: Vec<u64> = (0..16).map(|n| 1 + n * every + n % every).collect();
    each_moment(
        |_| Failure::Full,
        Commits::Full,
        &moments,
        |run, path, done| {
            assert_eq!(done.acked, steps.len(), "{run:?}");
            assert_eq!(check(run, path, done.acked, &steps, &states), steps.len());
        },
    );
}

/// When a read fails, SQLite undoes the transaction around it. What its owner still writes must not
/// be kept, statement by statement.
#[test]
fn nothing_is_written_after_a_failed_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("optimusdb.sqlite");
    run(Run { failure: Failure::Unreadable, at: 0, commits: Commits::Full }, &path);
    let place = Place::File(path);
    let database = Database::open(&place, Durability::Full).unwrap();
    assert_eq!(
        database.view().fact("step").unwrap().as_deref(),
        Some("2"),
        "the child did its part"
    );
    assert_eq!(database.view().fact("undone").unwrap(), None);
    assert_eq!(database.view().store("lost").unwrap().map(|store| store.name), None);
}

fn write_after_a_failed_read(place: &Place) {
    let mut database = None;
    for (n, step) in script(true).iter().enumerate().filter(|(n, _)| *n < 4) {
        take(n, step, place, Commits::Full, &mut database).unwrap();
    }
    // Opened again, it has nothing in its cache.
    drop(database.take());
    let mut database = Database::open(place, Durability::Full).unwrap();
    let store = database.view().store("dsswres").unwrap().unwrap();
    let mut tx = database.begin().unwrap();
    tx.set_fact("undone", "before").unwrap();
    disk::spoil(true);
    assert!(tx.view().document(&store, "key 0").is_err(), "the row is in no cache");
    disk::spoil(false);
    assert!(tx.set_fact("undone", "after").is_err());
    assert!(tx.create_store("lost", store.kind, &store.address, store.scope).is_err());
    assert!(tx.commit().is_err());
    let mut tx = database.begin().unwrap();
    tx.set_fact("step", "2").unwrap();
    tx.commit().unwrap();
}
