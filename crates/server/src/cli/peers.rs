//! `optimusdb peers`: the peers that a node is connected to.

use serde_json::Value;

use super::{CliCommand, Subcommand, ask, no_arguments, show};
use crate::settings::ApiSettings;

pub(super) const SUBCOMMAND: Subcommand = Subcommand {
    name: "peers",
    arguments: "",
    doc: "the peers that the node is connected to",
    read: |arguments| no_arguments("peers", &arguments, CliCommand::Peers),
};

pub(super) fn run(api: &ApiSettings) -> Result<String, String> {
    Ok(peers(&ask(api, "GET", "/peers", None)?))
}

/// The peers, as the node shows them.
fn peers(peers: &Value) -> String {
    match peers.as_array() {
        Some(none) if none.is_empty() => "no peers\n".to_owned(),
        _ => show::pretty(peers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nobody_is_said_in_words() {
        assert_eq!(peers(&json!([])), "no peers\n");
    }
}
