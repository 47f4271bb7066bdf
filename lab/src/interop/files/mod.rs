//! `cargo xtask interop files`: files between nodes of ours and plain IPFS nodes, Kubo and Helia.
//!
//! Each case starts real processes on loopback, with empty directories and free ports. Both sides must
//! give the same bytes the same address, and read what the other one has. Kubo is the binary that
//! `KUBO_BIN` names, and its cases are left out, aloud, where there is none.

mod ends;
mod file_node;
mod helia;
mod kubo;
pub(crate) mod payload;
mod with_kubo;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use super::REPORT_LINES;
use crate::javascript::JavaScript;
use crate::process::{Scratch, Tail, build_debug, build_release};
pub(crate) use file_node::FileNode;
pub(crate) use kubo::{Kubo, kubo_binary};

/// The largest file, in bytes, and the one of a run with `--large`.
const LARGEST_BYTES: u64 = 64 * 1024 * 1024;
const LARGEST_EVER_BYTES: u64 = 1024 * 1024 * 1024;

/// The means of one case.
struct FileGround {
    binary: PathBuf,
    kubo: Option<PathBuf>,
    javascript: JavaScript,
    directory: PathBuf,
    largest: u64,
    /// What our nodes of the case said.
    tails: RefCell<Vec<(String, Tail)>>,
}

/// One case.
struct FileCase {
    name: &'static str,
    title: &'static str,
    needs_kubo: bool,
    play: fn(&FileGround) -> Result<()>,
}

const CASES: &[FileCase] = &[
    FileCase {
        name: "kubo-same",
        title: "the same bytes have the same address at Kubo, by every profile",
        needs_kubo: true,
        play: with_kubo::same_addresses,
    },
    FileCase {
        name: "kubo-reads",
        title: "Kubo reads files and directories of ours",
        needs_kubo: true,
        play: with_kubo::kubo_reads,
    },
    FileCase {
        name: "kubo-gives",
        title: "we read files and directories of Kubo's",
        needs_kubo: true,
        play: with_kubo::kubo_gives,
    },
    FileCase {
        name: "kubo-private",
        title: "with a swarm key both exchange files, and who lacks it gets nothing",
        needs_kubo: true,
        play: with_kubo::private,
    },
    FileCase {
        name: "kubo-closed",
        title: "with -file-peers=swarm Kubo neither gets files nor gives any",
        needs_kubo: true,
        play: with_kubo::closed,
    },
    FileCase {
        name: "kubo-ends",
        title: "Kubo freezes or is killed in the middle, with another there",
        needs_kubo: true,
        play: ends::kubo_ends,
    },
    FileCase {
        name: "ours-ends",
        title: "a node of ours freezes, leaves or is killed while Kubo reads, with another there",
        needs_kubo: true,
        play: ends::ours_ends,
    },
    FileCase {
        name: "helia",
        title: "the same addresses at Helia; each reads files and directories of the other",
        needs_kubo: false,
        play: helia::both_ways,
    },
    FileCase {
        name: "helia-private",
        title: "with a swarm key Helia and we exchange files",
        needs_kubo: false,
        play: helia::private,
    },
];

/// Runs the cases.
///
/// # Errors
/// When the arguments are wrong, when something cannot be started, or when a case fails; the others
/// are run all the same.
pub(super) fn run(arguments: &[String]) -> Result<()> {
    let FileChoice { binary, release, large, cases } = choose(arguments)?;
    let kubo = kubo_binary();
    if kubo.is_none() {
        let left_out = cases.iter().filter(|case| case.needs_kubo).count();
        println!("NOT TRIED: {left_out} cases with Kubo, as KUBO_BIN names no binary of it");
    }
    let scratch = Scratch::new("interop-files")?;
    let mut ground = FileGround {
        binary: match binary {
            Some(binary) => binary,
            None if release => build_release()?,
            None => build_debug()?,
        },
        kubo,
        javascript: JavaScript::install()?,
        directory: PathBuf::new(),
        tails: RefCell::default(),
        largest: if large { LARGEST_EVER_BYTES } else { LARGEST_BYTES },
    };
    let began = Instant::now();
    let (mut played, mut failed) = (0, 0);
    for case in cases.into_iter().filter(|case| !case.needs_kubo || ground.kubo.is_some()) {
        ground.directory = scratch.path(case.name);
        fs::create_dir_all(&ground.directory)?;
        let case_began = Instant::now();
        let outcome = (case.play)(&ground);
        let (name, title, seconds) = (case.name, case.title, case_began.elapsed().as_secs_f64());
        played += 1;
        match outcome {
            Ok(()) => println!("ok      {name:<13} {seconds:6.1} s  {title}"),
            Err(error) => {
                failed += 1;
                println!("FAILED  {name:<13} {seconds:6.1} s  {title}\n        {error:#}");
                for (name, tail) in ground.tails.borrow().iter() {
                    for line in tail.last(REPORT_LINES) {
                        println!("        | {name}: {line}");
                    }
                }
            }
        }
        ground.tails.borrow_mut().clear();
        fs::remove_dir_all(&ground.directory)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    ensure!(failed == 0, "interop files: {failed} of {played} cases failed ({seconds:.1} s)");
    println!("interop files: {played} cases passed in {seconds:.1} s");
    Ok(())
}

impl FileGround {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Starts a node of ours.
    fn ours(&self, name: &str, flags: &[&str]) -> Result<FileNode> {
        let node = FileNode::start(&self.binary, self.path(name), flags)?;
        self.tails.borrow_mut().push((name.to_owned(), node.tail().clone()));
        Ok(node)
    }

    /// Starts a Kubo.
    fn kubo(&self, name: &str, swarm_key: Option<&Path>) -> Result<Kubo> {
        let binary = self.kubo.as_ref().context("no Kubo")?;
        Kubo::start(binary, self.path(name), swarm_key)
    }

    /// Makes the key of a private network.
    fn swarm_key(&self) -> Result<PathBuf> {
        let path = self.path("swarm.key");
        fs::write(&path, format!("/key/swarm/psk/1.0.0/\n/base16/\n{}\n", "5a".repeat(32)))?;
        Ok(path)
    }

    /// Sizes at which something changes: nothing, one byte, a chunk and more, a node and more.
    fn sizes(&self) -> [u64; 6] {
        [0, 1, 262_144, 262_145, 175 * 262_144 + 7, self.largest]
    }
}

fn signal(process: u32, name: &str) -> Result<()> {
    let status = Command::new("kill").args(["-s", name, &process.to_string()]).status()?;
    ensure!(status.success(), "cannot send {name} to {process}");
    Ok(())
}

struct FileChoice {
    binary: Option<PathBuf>,
    release: bool,
    large: bool,
    cases: Vec<&'static FileCase>,
}

fn choose(arguments: &[String]) -> Result<FileChoice> {
    let cases = CASES.iter().collect();
    let mut choice = FileChoice { binary: None, release: false, large: false, cases };
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument {
            "--release" => choice.release = true,
            "--large" => choice.large = true,
            "--bin" => choice.binary = Some(PathBuf::from(value()?)),
            "--only" => {
                let find = |name: &str| {
                    let known = || CASES.iter().map(|it| it.name).collect::<Vec<_>>().join(", ");
                    let found = CASES.iter().find(|case| case.name == name);
                    found.with_context(|| format!("no case `{name}`; there are {}", known()))
                };
                choice.cases = value()?.split(',').map(find).collect::<Result<_>>()?;
            }
            other => bail!("interop files: unknown argument `{other}`"),
        }
    }
    Ok(choice)
}
