//! The way into the lab: its chores are another package, so that checking the tree builds no load
//! generator.

use std::process::Command;

use anyhow::{Context, Result, bail};

/// Builds the lab and has it do what `arguments` say: a chore, and what that takes.
///
/// # Errors
/// When the lab does not build, or when the chore fails, which says why itself.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "optimusdb-lab", "--"])
        .args(arguments)
        .current_dir(crate::workspace_root())
        .status()
        .context("cannot start cargo")?;
    if status.success() { Ok(()) } else { bail!("{} failed", arguments[0]) }
}
