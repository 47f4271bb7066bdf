//! Flags, variables and the configuration file: from what a user wrote to [`Settings`].
//!
//! `table.rs` defines every flag once; `argv.rs` and `file.rs` read, `values.rs` merges (flag over
//! environment over file over default), `checked.rs` gives the result its types and checks it.
//! Nothing here opens a port or a repo, and nothing ends the process: that is up to `main`.

use std::fmt;

mod argv;
mod checked;
mod definition;
pub(crate) mod file;
mod help;
pub(crate) mod strangers;
mod table;
mod values;

pub(crate) use checked::{ApiSettings, Settings};
pub(crate) use help::help;
pub(crate) use values::Environment;

/// What flags ask for: the texts that every program has, or what they say.
#[derive(Debug)]
pub(crate) enum Asked<T> {
    /// Print every flag.
    Help,
    /// Print version and commit.
    Version,
    /// What they say.
    Given(T),
}

/// Why the settings make no sense: one line for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsageError(String);

impl UsageError {
    pub(crate) fn new(message: impl Into<String>) -> UsageError {
        UsageError(message.into())
    }

    fn bad_value(name: &str, wanted: &str, text: &str) -> UsageError {
        UsageError(format!("{name} wants {wanted}, not {text:?}"))
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads the flags of a node from its arguments, and what the environment adds to them.
///
/// # Errors
///
/// Anything that a user got wrong, from an unknown flag to an unreadable configuration file.
pub(crate) fn read(
    arguments: Vec<String>,
    environment: Environment<'_>,
) -> Result<Asked<Box<Settings>>, UsageError> {
    match argv::read(arguments)? {
        argv::CommandLine::Help => Ok(Asked::Help),
        argv::CommandLine::Version => Ok(Asked::Version),
        argv::CommandLine::Run(given) => {
            let values = values::SettingValues::merge(given, environment)?;
            Ok(Asked::Given(Box::new(Settings::from_values(&values, environment)?)))
        }
    }
}

/// Reads the flags that say where a running node has its API; `command` reads the arguments that are
/// no flags.
///
/// # Errors
///
/// Those of [`read`], and those of `command`.
pub(crate) fn read_api<C>(
    arguments: Vec<String>,
    environment: Environment<'_>,
    command: impl FnOnce(Vec<String>) -> Result<C, UsageError>,
) -> Result<Asked<(C, ApiSettings)>, UsageError> {
    let (line, others) = argv::read_command(arguments)?;
    match line {
        argv::CommandLine::Help => Ok(Asked::Help),
        argv::CommandLine::Version => Ok(Asked::Version),
        argv::CommandLine::Run(given) => {
            let command = command(others)?;
            let values = values::SettingValues::merge(given, environment)?;
            Ok(Asked::Given((command, checked::api(&values, environment)?)))
        }
    }
}
