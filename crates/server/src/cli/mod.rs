//! Commands of the command line: each is a request to the API of a running node, and text for people
//! made of its answer.
//!
//! The answer is not trusted to have the expected shape: an unexpected one is shown as it is.
//!
//! Each has a file of its own and a line in [`SUBCOMMANDS`], which parsing and `-help` follow from.

mod access;
mod peers;
mod request;
mod show;
mod stores;

use serde_json::Value;

use crate::settings::{ApiSettings, UsageError};

/// A command as it stands on the command line.
pub(crate) struct Subcommand {
    /// The word that it begins with.
    pub(crate) name: &'static str,
    /// Its arguments, for `-help`.
    pub(crate) arguments: &'static str,
    /// What it does, for `-help`.
    pub(crate) doc: &'static str,
    /// Reads what stands behind the name.
    pub(crate) read: fn(Vec<String>) -> Result<CliCommand, UsageError>,
}

/// All commands, in the order of `-help`.
pub(crate) const SUBCOMMANDS: [Subcommand; 3] =
    [stores::SUBCOMMAND, access::SUBCOMMAND, peers::SUBCOMMAND];

/// Something to be asked of a running node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CliCommand {
    /// Its stores.
    Stores,
    /// The peers that it is connected to.
    Peers,
    /// Who may write to a store.
    Access(access::AccessCommand),
}

/// The command of that name.
pub(crate) fn named(name: &str) -> Option<Subcommand> {
    SUBCOMMANDS.into_iter().find(|known| known.name == name)
}

/// The command `name`, which takes no arguments.
fn no_arguments(
    name: &str,
    given: &[String],
    command: CliCommand,
) -> Result<CliCommand, UsageError> {
    match given.first() {
        None => Ok(command),
        Some(more) => Err(UsageError::new(format!("{name} takes no argument such as {more:?}"))),
    }
}

/// Carries a command out and answers the text for standard output.
///
/// # Errors
/// One line for the user.
pub(crate) fn run(command: &CliCommand, api: &ApiSettings) -> Result<String, String> {
    if api.port == 0 {
        return Err("which port? give the node's with -http-port, it logs which one it took".into());
    }
    match command {
        CliCommand::Stores => stores::run(api),
        CliCommand::Peers => peers::run(api),
        CliCommand::Access(access) => access::run(access, api),
    }
}

/// The `data` of an answer.
fn data(api: &ApiSettings, method: &str, path: &str, body: Option<&str>) -> Result<Value, String> {
    let mut answer = ask(api, method, path, body)?;
    match answer.get_mut("data") {
        Some(data) => Ok(data.take()),
        None => Err(format!("the node answered something else: {answer}")),
    }
}

fn ask(api: &ApiSettings, method: &str, path: &str, body: Option<&str>) -> Result<Value, String> {
    let answer = request::send(api, method, path, body)?;
    let parsed: Value = serde_json::from_slice(&answer.body)
        .map_err(|_| format!("the node answered {} and no JSON", answer.status))?;
    if answer.status == 200 {
        return Ok(parsed);
    }
    let message = parsed["message"].as_str().unwrap_or("it does not say why");
    Err(format!("{message} ({})", answer.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<CliCommand, String> {
        let mut words = line.split(' ').map(str::to_owned);
        let name = words.next().unwrap();
        (named(&name).unwrap().read)(words.collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn commands_are_found_and_say_what_is_wrong() {
        assert_eq!(read("stores"), Ok(CliCommand::Stores));
        assert_eq!(read("peers"), Ok(CliCommand::Peers));
        for (wrong, says) in [
            ("stores x", "takes no argument"),
            ("peers x", "takes no argument"),
            ("access", "wants a store"),
            ("access s give", "grant or revoke"),
            ("access s grant", "access s grant write IDENTITY"),
            ("access s grant a", "access s grant write IDENTITY"),
            ("access s revoke write", "access s revoke write IDENTITY"),
        ] {
            let message = read(wrong).unwrap_err();
            assert!(message.contains(says), "{message}");
        }
        assert!(named("serve").is_none());
    }
}
