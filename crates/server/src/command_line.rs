//! What a user asks of the program: from its arguments and environment to an [`Invocation`].
//!
//! The first argument decides: the name of a command is followed by that command's arguments and the
//! flags that say which node is asked; anything else are the flags of a node to be run.

use std::ffi::OsString;

use crate::cli::{self, CliCommand};
use crate::settings::{self, ApiSettings, Asked, Environment, Settings, UsageError};

/// What the user asks of the program.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// Print every command and flag.
    Help,
    /// Print version and commit.
    Version,
    /// Run a node.
    Run(Box<Settings>),
    /// Ask the node that runs with this API.
    Ask(CliCommand, ApiSettings),
}

/// Reads the arguments (without the program's name) and the environment.
///
/// # Errors
///
/// Anything that a user got wrong, from an unknown flag to an unreadable configuration file.
pub(crate) fn read(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Environment<'_>,
) -> Result<Invocation, UsageError> {
    let mut arguments = arguments.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let Some(subcommand) = arguments.first().and_then(|first| cli::named(first)) else {
        return Ok(match settings::read(arguments, environment)? {
            Asked::Help => Invocation::Help,
            Asked::Version => Invocation::Version,
            Asked::Given(settings) => Invocation::Run(settings),
        });
    };
    let behind = arguments.split_off(1);
    Ok(match settings::read_api(behind, environment, subcommand.read)? {
        Asked::Help => Invocation::Help,
        Asked::Version => Invocation::Version,
        Asked::Given((command, api)) => Invocation::Ask(command, api),
    })
}

fn text(argument: OsString) -> Result<String, UsageError> {
    argument.into_string().map_err(|argument| {
        let shown = argument.to_string_lossy();
        UsageError::new(format!("the argument {shown:?} is not UTF-8"))
    })
}

/// The text of `-help`.
pub(crate) fn help() -> String {
    settings::help(cli::SUBCOMMANDS.into_iter().map(|command| {
        let written = format!("{} {}", command.name, command.arguments);
        (written.trim_end().to_owned(), command.doc)
    }))
}
