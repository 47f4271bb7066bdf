//! `optimusdb access`: who may write to a store, changed first where that is asked for.

use serde_json::{Value, json};

use super::{CliCommand, Subcommand, data, show};
use crate::settings::{ApiSettings, UsageError};

pub(super) const SUBCOMMAND: Subcommand = Subcommand {
    name: "access",
    arguments: "STORE [grant|revoke write IDENTITY…]",
    doc: "who may write to a store, changed first where that is asked for; IDENTITY is what the other node shows as `me` \
         with this command, or as `identity` in GET /id",
    read,
};

/// Who may write to a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessCommand {
    store: String,
    /// What to change first, and for which identities.
    change: Option<(Verb, Vec<String>)>,
}

/// What to do about access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    /// They may from now on.
    Grant,
    /// They may no more.
    Revoke,
}

impl Verb {
    /// As it stands on the command line and in the API.
    fn as_str(self) -> &'static str {
        match self {
            Verb::Grant => "grant",
            Verb::Revoke => "revoke",
        }
    }
}

fn read(arguments: Vec<String>) -> Result<CliCommand, UsageError> {
    let mut arguments = arguments.into_iter();
    let store = arguments
        .next()
        .ok_or_else(|| UsageError::new("access wants a store: optimusdb access STORE"))?;
    let verb = match arguments.next().as_deref() {
        None => return Ok(CliCommand::Access(AccessCommand { store, change: None })),
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
    Ok(CliCommand::Access(AccessCommand { store, change: Some((verb, identities)) }))
}

pub(super) fn run(
    AccessCommand { store, change }: &AccessCommand,
    api: &ApiSettings,
) -> Result<String, String> {
    let path = access_path(store);
    let answer = match change {
        None => data(api, "GET", &path, None)?,
        Some((verb, identities)) => {
            let change = json!({verb.as_str(): {"write": identities}}).to_string();
            data(api, "POST", &path, Some(&change))?
        }
    };
    Ok(access(&answer))
}

fn access_path(store: &str) -> String {
    format!("/stores/{}/access", escaped(store))
}

/// As it stands in one segment of a path (RFC 3986).
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(byte.into());
            }
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// What says who may write, one line each.
fn access(access: &Value) -> String {
    let Some(fields) = access.as_object() else { return show::pretty(access) };
    let mut rows = Vec::new();
    for name in ["kind", "address", "admin", "write", "me", "writable"] {
        let value = fields.get(name).unwrap_or(&Value::Null);
        match value.as_array() {
            Some(list) if list.is_empty() => rows.push([name.to_owned(), "nobody".to_owned()]),
            Some(list) => {
                let first = std::iter::once(name).chain(std::iter::repeat(""));
                rows.extend(first.zip(list).map(|(name, id)| [name.to_owned(), show::plain(id)]));
            }
            None => rows.push([name.to_owned(), show::plain(value)]),
        }
    }
    show::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_in_columns() {
        let shown = access(
            &json!({"kind": "orbitdb", "address": "/a", "admin": ["x", "y"], "write": [], "me": "x", "writable": true}),
        );
        assert_eq!(
            shown,
            "kind      orbitdb\naddress   /a\nadmin     x\n          y\nwrite     nobody\nme        x\nwritable  true\n"
        );
    }

    #[test]
    fn names_of_stores_stand_in_paths() {
        assert_eq!(access_path("a-b_1"), "/stores/a-b_1/access");
        assert_eq!(escaped("x/access ?é"), "x%2Faccess%20%3F%C3%A9");
    }

    #[test]
    fn a_change_is_read() {
        let read = |line: &str| read(line.split(' ').map(str::to_owned).collect());
        let access =
            |change| Ok(CliCommand::Access(AccessCommand { store: "s".to_owned(), change }));
        assert_eq!(read("s"), access(None));
        let identities = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(read("s revoke write a b"), access(Some((Verb::Revoke, identities))));
    }
}
