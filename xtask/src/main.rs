//! The chores of the repository, started with `cargo xtask`.
//!
//! None of them is needed to build or to run a node. `tidy` also runs as a test. Those that start
//! real nodes are in `lab/`, and built when one of them is asked for.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what a chore prints is its product")]

mod lab;
mod simulate;
mod tidy;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
Usage: cargo xtask <chore>

  tidy                      check the rules of the house that no compiler checks
  smoke                     run the README's examples against a release build
  bench [--quick] [--only NAME] [--bin PATH]
                            measure a release build, or the node at PATH; --quick leaves out
                            1,000,000 documents, --only takes: writes, small, swarm, million
  interop [--release | --bin PATH | --js-only] [--only CASE,…]
  interop files [--release | --bin PATH] [--large] [--only CASE,…]
                            play the cases against OrbitDB in JavaScript, with a debug or release
                            build, or the node at PATH, or JavaScript on both sides
  gateway [--release | --bin PATH]
                            run the conformance suite of IPFS, which GWC_BIN names, at the gateway
  crash-soak [--rounds N] [--seed N]
                            kill a node under load, again and again, and check what it acknowledged
  netns [--bin PATH]        nodes on hosts of their own, whose network is cut, slowed and mended
  hostile ATTACK [--bin PATH] [--seconds N]
                            let hostile peers attack a node, and measure what that costs others;
                            `all` plays every attack
  simulate [--seeds N] [--from N] [--seed S] [--steps M]
                            let swarms of simulated nodes run into faults and hostile peers;
                            --seed does one run and prints all of it, --steps bounds a run
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
        "simulate" => simulate::run(rest),
        "smoke" | "bench" | "interop" | "gateway" | "crash-soak" | "netns" | "hostile" => {
            lab::run(arguments)
        }
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
