//! The way into the lab: its chores are another package, so that checking the tree builds no load
//! generator.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, ensure};

/// Builds the lab and has it do what `arguments` say: a chore, and what that takes.
///
/// # Errors
/// When the lab does not build, or when the chore fails, which says why itself.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let built = start(
        Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "optimusdb-lab"])
            .current_dir(crate::workspace_root()),
    )?;
    ensure!(built.success(), "the lab does not build");
    let done = start(Command::new(binary()).args(arguments))?;
    ensure!(done.success(), "{} failed", arguments[0]);
    Ok(())
}

/// Where cargo puts the lab that it builds.
fn binary() -> PathBuf {
    let root = crate::workspace_root();
    let target = env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    root.join(target).join("debug/optimusdb-lab")
}

/// Runs a process that builds packages, without what cargo told this one of itself: that would make
/// build scripts run again, and most of the packages after them.
fn start(command: &mut Command) -> Result<ExitStatus> {
    for (name, _) in env::vars_os() {
        let own = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if own {
            command.env_remove(name);
        }
    }
    command.status().with_context(|| format!("cannot start {}", command.get_program().display()))
}
