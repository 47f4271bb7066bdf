//! Flags, variables and the configuration file: from what a user wrote to [`Settings`].
//!
//! `table.rs` defines every flag once; `argv.rs` and `file.rs` read, `values.rs` merges (flag over
//! environment over file over default), `checked.rs` gives the result its types and checks it.
//! Nothing here opens a port or a repo, and nothing ends the process: that is up to `main`.

use std::ffi::OsString;
use std::fmt;

use crate::cli::{self, Command};

mod argv;
mod checked;
mod definition;
pub(crate) mod file;
mod help;
pub(crate) mod strangers;
mod table;
mod values;

pub(crate) use checked::{Api, Network, Settings};
pub(crate) use help::help;
pub(crate) use values::Environment;

/// What the user asks of the program.
#[derive(Debug)]
pub(crate) enum Request {
    /// Print every flag.
    Help,
    /// Print version and commit.
    Version,
    /// Run a node.
    Run(Box<Settings>),
    /// Ask the node that runs with this API.
    Ask(Command, Api),
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

/// Reads the arguments (without the program's name) and the environment.
///
/// # Errors
///
/// Anything that a user got wrong, from an unknown flag to an unreadable configuration file.
pub(crate) fn read(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Environment<'_>,
) -> Result<Request, UsageError> {
    let arguments: Vec<String> = arguments
        .into_iter()
        .map(|argument| {
            let shown = argument.to_string_lossy().into_owned();
            argument
                .into_string()
                .map_err(|_| UsageError(format!("the argument {shown:?} is not UTF-8")))
        })
        .collect::<Result<_, _>>()?;
    if let Some(subcommand) = arguments.first().and_then(|first| cli::named(first)) {
        let (line, others) = argv::read_command(arguments.into_iter().skip(1))?;
        return match line {
            argv::CommandLine::Help => Ok(Request::Help),
            argv::CommandLine::Version => Ok(Request::Version),
            argv::CommandLine::Run(given) => {
                let command = (subcommand.read)(others)?;
                let values = values::Values::merge(given, environment)?;
                Ok(Request::Ask(command, checked::api(&values, environment)?))
            }
        };
    }
    match argv::read(arguments)? {
        argv::CommandLine::Help => Ok(Request::Help),
        argv::CommandLine::Version => Ok(Request::Version),
        argv::CommandLine::Run(given) => {
            let values = values::Values::merge(given, environment)?;
            Ok(Request::Run(Box::new(Settings::from_values(&values, environment)?)))
        }
    }
}
