//! Finds the commit that `-version` prints: the variable `OPTIMUSDB_COMMIT`, else what git says.
//!
//! Without either the build goes on, and the version stands alone.

#![allow(clippy::print_stdout, reason = "a build script talks to cargo on standard output")]

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=OPTIMUSDB_COMMIT");
    let given = std::env::var("OPTIMUSDB_COMMIT").ok().filter(|commit| !commit.trim().is_empty());
    let commit = match given {
        Some(commit) => commit.trim().chars().filter(char::is_ascii_graphic).take(64).collect(),
        None => {
            // These two change with every checkout and every commit.
            for name in ["HEAD", "logs/HEAD"] {
                if let Some(path) =
                    git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists())
                {
                    println!("cargo::rerun-if-changed={path}");
                }
            }
            git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_default()
        }
    };
    println!("cargo::rustc-env=OPTIMUSDB_COMMIT={commit}");
}

/// What git answers; `None` when it is not installed or this is no repository with a commit.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
