//! `cargo xtask interop`: the node against OrbitDB in JavaScript, the implementation that others run.
//!
//! Each case starts real processes on loopback with free ports and empty directories, and wants the
//! same state on both sides at the end. What a case takes is shown; it has no limit but the longest
//! wait, since speed is the business of the benchmark. `cargo xtask interop files` is in [`files`].

mod cases;
pub(crate) mod files;
mod foreign;
mod ground;
mod native;
mod peer;

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::javascript::JavaScript;
use crate::process::{Scratch, build_debug, build_release};
use cases::{CASES, InteropCase};
use ground::{Ground, Side};

/// Lines of what each peer said that a report of a failed case shows.
const REPORT_LINES: usize = 25;

/// Runs the cases.
///
/// # Errors
/// When the arguments are wrong, when something cannot be started, or when a case fails; the others
/// are run all the same.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some(("files", rest)) = arguments.split_first().map(|(one, rest)| (one.as_str(), rest)) {
        return files::run(rest);
    }
    let InteropChoice { side, release, mut cases } = choose(arguments)?;
    if matches!(side, Some(Side::JavaScript)) {
        cases.retain(|case| case.javascript);
    }
    let javascript = Rc::new(JavaScript::install()?);
    let side = match side {
        Some(side) => side,
        None if release => Side::Node(build_release()?),
        None => Side::Node(build_debug()?),
    };
    let scratch = Scratch::new("interop")?;
    let began = Instant::now();
    let failed = cases.iter().filter(|case| !play(case, &javascript, &side, &scratch)).count();
    let seconds = began.elapsed().as_secs_f64();
    ensure!(failed == 0, "interop: {failed} of {} cases failed ({seconds:.1} s)", cases.len());
    println!("interop: {} cases passed in {seconds:.1} s", cases.len());
    Ok(())
}

/// Plays one case and prints how it went. Returns whether it passed.
fn play(case: &InteropCase, javascript: &Rc<JavaScript>, side: &Side, scratch: &Scratch) -> bool {
    let directory = scratch.path(case.name);
    let mut ground = Ground::new(javascript, side, directory.clone());
    let began = Instant::now();
    let outcome = (case.play)(&mut ground);
    let seconds = began.elapsed().as_secs_f64();
    let InteropCase { name, title, .. } = case;
    // Its peers are gone. What they leave is large, and of no use to the next case.
    if let Err(error) = fs::remove_dir_all(&directory) {
        eprintln!("cannot remove {}: {error}", directory.display());
    }
    match outcome {
        Ok(note) => {
            println!("ok      {name:<12} {seconds:6.1} s  {title}{}{note}", separator(&note));
            true
        }
        Err(error) => {
            println!("FAILED  {name:<12} {seconds:6.1} s  {title}\n        {error:#}");
            for line in ground.said(REPORT_LINES) {
                println!("        | {line}");
            }
            false
        }
    }
}

fn separator(note: &str) -> &'static str {
    if note.is_empty() { "" } else { ": " }
}

struct InteropChoice {
    /// `None`: a build of the workspace.
    side: Option<Side>,
    /// Whether that is a release build.
    release: bool,
    cases: Vec<&'static InteropCase>,
}

fn choose(arguments: &[String]) -> Result<InteropChoice> {
    let mut choice = InteropChoice { side: None, release: false, cases: CASES.iter().collect() };
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument {
            "--js-only" => choice.side = Some(Side::JavaScript),
            "--release" => choice.release = true,
            "--bin" => choice.side = Some(Side::Node(PathBuf::from(value()?))),
            "--only" => {
                let wanted: Vec<&str> = value()?.split(',').collect();
                choice.cases = wanted.into_iter().map(find).collect::<Result<_>>()?;
            }
            other => bail!("interop: unknown argument `{other}`"),
        }
    }
    Ok(choice)
}

fn find(name: &str) -> Result<&'static InteropCase> {
    let known = || CASES.iter().map(|case| case.name).collect::<Vec<_>>().join(", ");
    let found = CASES.iter().find(|case| case.name == name);
    found.with_context(|| format!("interop: no case `{name}`; there are {}", known()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(arguments: &[&str]) -> Result<InteropChoice> {
        choose(&arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_choose_side_and_cases() {
        let all = chosen(&[]).unwrap();
        assert!(all.side.is_none());
        assert_eq!(all.cases.len(), CASES.len());
        assert!(chosen(&["--release"]).unwrap().release && !all.release);
        let some = chosen(&["--js-only", "--only", "restart,cold"]).unwrap();
        assert!(matches!(some.side, Some(Side::JavaScript)));
        assert_eq!(
            some.cases.iter().map(|case| case.name).collect::<Vec<_>>(),
            ["restart", "cold"]
        );
        for wrong in [&["--only"][..], &["--only", "x"], &["--bin"], &["-v"]] {
            assert!(chosen(wrong).is_err(), "{wrong:?}");
        }
    }
}
