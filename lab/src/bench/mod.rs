//! `cargo xtask bench`: what a node costs and how fast it is, measured over HTTP.
//!
//! The node is the released binary with its defaults, so every acknowledged write is on disk. The
//! load runs on the same machine and takes its share of the cores; figures rank versions of the
//! project against each other and against the limits, they promise nothing for another machine.
//! A missed limit is shown and does not fail the run.

mod disk;
mod files;
pub(crate) mod load;
mod million;
mod small;
mod swarm;
pub(crate) mod table;
mod writes;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{Scratch, build_release};
use table::Table;

/// What all parts need.
struct Bench<'a> {
    binary: &'a Path,
    scratch: &'a Scratch,
}

type BenchPart = fn(&Bench<'_>, &mut Table) -> Result<()>;

const PARTS: &[(&str, BenchPart)] = &[
    ("writes", writes::measure),
    ("small", small::measure),
    ("swarm", swarm::measure),
    ("files", files::measure),
    ("million", million::measure),
];

/// Measures and prints the table.
///
/// # Errors
/// When the arguments are wrong, or when a node does not build, start, answer or end as it should.
/// What was measured until then is printed.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let BenchChoice { parts, binary } = choose(arguments)?;
    let binary = binary.map_or_else(build_release, Ok)?;
    let scratch = Scratch::new("bench")?;
    let bench = Bench { binary: &binary, scratch: &scratch };
    let mut table = Table::default();
    table.note(disk::describe(&bench)?);
    let outcome = parts.iter().try_for_each(|(name, part)| {
        eprintln!("bench: {name}");
        part(&bench, &mut table)
    });
    print!("{table}");
    outcome
}

struct BenchChoice {
    parts: Vec<(&'static str, BenchPart)>,
    /// `None`: a release build of the workspace.
    binary: Option<PathBuf>,
}

fn choose(arguments: &[String]) -> Result<BenchChoice> {
    let (mut parts, mut binary) = (PARTS.to_vec(), None);
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        match (argument, argument.strip_prefix("--only=")) {
            ("--quick", _) => parts.retain(|(name, _)| *name != "million"),
            ("--only", _) => keep(&mut parts, arguments.next().unwrap_or(""))?,
            (_, Some(name)) => keep(&mut parts, name)?,
            ("--bin", _) => {
                let path = arguments.next().context("bench: --bin takes the path of a node")?;
                binary = Some(PathBuf::from(path));
            }
            (other, None) => bail!("bench: unknown argument `{other}`"),
        }
    }
    Ok(BenchChoice { parts, binary })
}

fn keep(parts: &mut Vec<(&'static str, BenchPart)>, wanted: &str) -> Result<()> {
    parts.retain(|(name, _)| *name == wanted);
    if parts.is_empty() {
        let known: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        bail!("bench: --only takes one of {}", known.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(arguments: &[&str]) -> Result<Vec<&'static str>> {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        Ok(choose(&arguments)?.parts.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn parts_are_chosen_by_the_arguments() {
        assert_eq!(chosen(&[]).unwrap(), ["writes", "small", "swarm", "files", "million"]);
        assert_eq!(chosen(&["--quick"]).unwrap(), ["writes", "small", "swarm", "files"]);
        assert_eq!(chosen(&["--only", "small"]).unwrap(), ["small"]);
        assert_eq!(chosen(&["--only=million"]).unwrap(), ["million"]);
        for wrong in [
            &["--fast"][..],
            &["--only"],
            &["--bin"],
            &["--only", "x"],
            &["--only=million", "--quick", "x"],
        ] {
            assert!(chosen(wrong).is_err(), "{wrong:?}");
        }
    }
}
