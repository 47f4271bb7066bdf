//! The commands: what can be asked of a running node from the command line.

use crate::settings::UsageError;

/// Something to be asked of a running node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Its stores.
    Stores,
    /// The peers that it is connected to.
    Peers,
    /// Who may write to a store.
    Access {
        /// The store.
        store: String,
    },
    /// A change of who may write to a store.
    Change {
        /// The store.
        store: String,
        /// Whether they may from now on, or no more.
        verb: Verb,
        /// Whom it is about.
        identities: Vec<String>,
    },
}

/// What to do about access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// They may from now on.
    Grant,
    /// They may no more.
    Revoke,
}

impl Verb {
    /// As it stands on the command line and in the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Verb::Grant => "grant",
            Verb::Revoke => "revoke",
        }
    }
}

/// Each command with its arguments and what it does, for `-help`.
pub(crate) const COMMANDS: [(&str, &str, &str); 3] = [
    ("stores", "", "the stores with their figures"),
    (
        "access",
        "STORE [grant|revoke write IDENTITY…]",
        "who may write to a store, changed first where that is asked for; IDENTITY is what the other node shows as `me` \
         with this command, or as `identity` in GET /id",
    ),
    ("peers", "", "the peers that the node is connected to"),
];

/// The command of that name.
pub(crate) fn named(name: &str) -> Option<&'static str> {
    COMMANDS.iter().map(|(known, ..)| *known).find(|known| *known == name)
}

impl Command {
    /// Reads the arguments of the command `name`.
    pub(crate) fn read(name: &str, arguments: Vec<String>) -> Result<Command, UsageError> {
        let mut arguments = arguments.into_iter();
        let command = match name {
            "stores" => Command::Stores,
            "peers" => Command::Peers,
            _ => return access(arguments),
        };
        match arguments.next() {
            None => Ok(command),
            Some(more) => {
                Err(UsageError::new(format!("{name} takes no argument such as {more:?}")))
            }
        }
    }
}

fn access(mut arguments: impl Iterator<Item = String>) -> Result<Command, UsageError> {
    let store = arguments
        .next()
        .ok_or_else(|| UsageError::new("access wants a store: optimusdb access STORE"))?;
    let verb = match arguments.next().as_deref() {
        None => return Ok(Command::Access { store }),
        Some("grant") => Verb::Grant,
        Some("revoke") => Verb::Revoke,
        Some(other) => {
            return Err(UsageError::new(format!("access takes grant or revoke, not {other:?}")));
        }
    };
    let form = || {
        let verb = verb.as_str();
        UsageError::new(format!("{verb} wants: optimusdb access {store} {verb} write IDENTITY"))
    };
    if arguments.next().as_deref() != Some("write") {
        return Err(form());
    }
    let identities: Vec<String> = arguments.collect();
    if identities.is_empty() {
        return Err(form());
    }
    Ok(Command::Change { store, verb, identities })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, String> {
        let mut words = line.split(' ').map(str::to_owned);
        let name = words.next().unwrap();
        Command::read(named(&name).unwrap(), words.collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_form() {
        let store = || "s".to_owned();
        assert_eq!(read("stores"), Ok(Command::Stores));
        assert_eq!(read("peers"), Ok(Command::Peers));
        assert_eq!(read("access s"), Ok(Command::Access { store: store() }));
        let identities = vec!["a".to_owned(), "b".to_owned()];
        let change = Command::Change { store: store(), verb: Verb::Revoke, identities };
        assert_eq!(read("access s revoke write a b"), Ok(change));
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
        assert_eq!(named("serve"), None);
    }
}
