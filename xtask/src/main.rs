//! The chores of the repository, started with `cargo xtask`.
//!
//! None of them is needed to build or to run a node. `tidy` also runs as a test.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what a chore prints is its product")]

mod bench;
mod client;
mod crash_soak;
mod documents;
mod process;
mod smoke;
mod tidy;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
Usage: cargo xtask <chore>

  tidy                      check the rules of the house that no compiler checks
  smoke                     run the README's examples against a release build
  bench [--quick] [--only NAME]
                            measure a release build; --quick leaves out 1,000,000 documents,
                            --only takes: writes, small, million
  crash-soak [--rounds N] [--seed N]
                            kill a node under load, again and again, and check what it acknowledged
";

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
    let (chore, rest) = arguments.split_first().map_or(("help", arguments), |(c, r)| (c, r));
    match chore {
        "tidy" => tidy::run(workspace_root()),
        "smoke" => smoke::run(),
        "bench" => bench::run(rest),
        "crash-soak" => crash_soak::run(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        other => bail!("no chore `{other}`\n\n{USAGE}"),
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
