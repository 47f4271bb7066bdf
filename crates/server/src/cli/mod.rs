//! Commands of the command line: each is a request to the API of a running node, and text for people
//! made of its answer.
//!
//! What a node answers is data like any other: where it is not what was expected, it is shown as it
//! is.

mod command;
mod request;
mod show;

use serde_json::{Value, json};

use crate::settings::Api;

pub(crate) use command::{COMMANDS, Command, named};

/// Carries a command out and answers the text for standard output.
///
/// # Errors
/// One line for the user.
pub(crate) fn run(command: &Command, api: &Api) -> Result<String, String> {
    if api.port == 0 {
        return Err("which port? give the node's with -http-port, it logs which one it took".into());
    }
    match command {
        Command::Stores => Ok(show::stores(&data(api, "GET", "/stores", None)?)),
        Command::Peers => Ok(show::peers(&ask(api, "GET", "/peers", None)?)),
        Command::Access { store } => {
            Ok(show::access(&data(api, "GET", &access_path(store), None)?))
        }
        Command::Change { store, verb, identities } => {
            let change = json!({verb.as_str(): {"write": identities}}).to_string();
            let answer = data(api, "POST", &access_path(store), Some(&change))?;
            Ok(show::access(&answer))
        }
    }
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

/// The `data` of an answer.
fn data(api: &Api, method: &str, path: &str, body: Option<&str>) -> Result<Value, String> {
    let mut answer = ask(api, method, path, body)?;
    match answer.get_mut("data") {
        Some(data) => Ok(data.take()),
        None => Err(format!("the node answered something else: {answer}")),
    }
}

fn ask(api: &Api, method: &str, path: &str, body: Option<&str>) -> Result<Value, String> {
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

    #[test]
    fn names_of_stores_stand_in_paths() {
        assert_eq!(access_path("a-b_1"), "/stores/a-b_1/access");
        assert_eq!(escaped("x/access ?é"), "x%2Faccess%20%3F%C3%A9");
    }
}
