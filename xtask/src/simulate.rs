//! `cargo xtask simulate`: whole swarms from single numbers, with faults and hostile peers.
//!
//! Many seeds print a line each time something did not hold, and sums in the end. One seed prints
//! everything that happened. What is simulated and what must hold is in `docs/simulation.md`.

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use optimusdb_sim::{Options, Report, run as simulate};

const SEEDS: u64 = 1_000;

struct Arguments {
    seeds: u64,
    from: u64,
    seed: Option<u64>,
    options: Options,
}

/// Runs one seed with a trace, or many without.
///
/// # Errors
/// When the arguments are wrong, or when something did not hold.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let arguments = Arguments::parse(arguments)?;
    match arguments.seed {
        Some(seed) => one(seed, arguments.options),
        None => many(arguments.from, arguments.seeds, &arguments.options),
    }
}

impl Arguments {
    fn parse(arguments: &[String]) -> Result<Arguments> {
        let options = Options::default();
        let mut parsed = Arguments { seeds: SEEDS, from: 0, seed: None, options };
        for pair in arguments.chunks(2) {
            let number = || -> Result<u64> {
                Ok(pair.get(1).context("simulate: an argument lacks its value")?.parse()?)
            };
            match pair[0].as_str() {
                "--seeds" => parsed.seeds = number()?,
                "--from" => parsed.from = number()?,
                "--seed" => parsed.seed = Some(number()?),
                "--steps" => parsed.options.steps_max = number()?,
                other => bail!("simulate: unknown argument `{other}`"),
            }
        }
        Ok(parsed)
    }
}

fn one(seed: u64, options: Options) -> Result<()> {
    let (trace, outcome) = match simulate(seed, &Options { trace: true, ..options }) {
        Ok(mut report) => (std::mem::take(&mut report.trace), Ok(report)),
        Err(mut failure) => (std::mem::take(&mut failure.trace), Err(failure)),
    };
    trace.iter().for_each(|line| println!("{line}"));
    match outcome {
        Ok(report) => {
            println!("{report:#?}");
            Ok(())
        }
        Err(failure) => bail!("{failure}"),
    }
}

fn many(from: u64, seeds: u64, options: &Options) -> Result<()> {
    let (began, mut sums, mut failed) = (Instant::now(), Sums::default(), 0);
    for seed in from..from + seeds {
        match simulate(seed, options) {
            Ok(report) => {
                sums.add(&report);
            }
            Err(failure) => {
                failed += 1;
                println!("{failure}");
            }
        }
    }
    println!("{seeds} runs in {:.1} s, {failed} failed", began.elapsed().as_secs_f64());
    println!("{sums:#?}");
    ensure!(failed == 0, "{failed} of {seeds} runs failed");
    Ok(())
}

/// Sums over all runs that did not fail.
#[derive(Debug, Default)]
#[allow(dead_code, reason = "printed as a whole")]
struct Sums {
    nodes: [usize; 3],
    entries: usize,
    passed: u64,
    restored: u64,
    crashes: u64,
    failed_stores: u64,
    blames: u64,
    verdicts: [u64; 3],
    messages: u64,
    bytes: u64,
    steps: u64,
    level_ms_max: u64,
}

impl Sums {
    fn add(&mut self, report: &Report) {
        for (sum, one) in self.nodes.iter_mut().zip(report.nodes) {
            *sum += one;
        }
        for (sum, one) in self.verdicts.iter_mut().zip(report.verdicts) {
            *sum += one;
        }
        self.entries += report.entries;
        self.passed += report.passed;
        self.restored += report.restored;
        self.crashes += report.crashes;
        self.failed_stores += report.failed_stores;
        self.blames += report.blames;
        self.messages += report.sent.values().sum::<u64>();
        self.bytes += report.bytes_sent;
        self.steps += report.steps;
        self.level_ms_max = self.level_ms_max.max(report.level_ms);
    }
}
