//! Chores that start real nodes: they are measured, killed, cut off, and put beside others.
//!
//! Everything goes through the binary that is released and its HTTP API; no room of the node is
//! linked in. `cargo xtask NAME` starts these chores and tells of them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what a chore prints is its product")]

mod bench;
mod client;
mod crash_soak;
mod documents;
mod gateway;
mod hostile;
mod interop;
mod javascript;
mod netns;
mod process;
mod smoke;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let (chore, rest) = arguments.split_first().map_or(("none", arguments), |(c, r)| (c, r));
    match chore {
        "smoke" => smoke::run(),
        "bench" => bench::run(rest),
        "gateway" => gateway::run(rest),
        "interop" => interop::run(rest),
        "crash-soak" => crash_soak::run(rest),
        "netns" => netns::run(rest),
        "hostile" => hostile::run(rest),
        other => bail!("the lab has no chore `{other}`: `cargo xtask help` tells which there are"),
    }
}

/// The directory of the workspace's manifest.
fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("invariant: this crate is a directory of the workspace")
}

/// Where cargo puts what it builds.
fn target_directory() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace_root().join("target"), |path| workspace_root().join(path))
}
