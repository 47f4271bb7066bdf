//! `optimusdb stores`: the stores of a node.

use serde_json::Value;

use super::{CliCommand, Subcommand, data, no_arguments, show};
use crate::settings::ApiSettings;

pub(super) const SUBCOMMAND: Subcommand = Subcommand {
    name: "stores",
    arguments: "",
    doc: "the stores with their figures",
    read: |arguments| no_arguments("stores", &arguments, CliCommand::Stores),
};

pub(super) fn run(api: &ApiSettings) -> Result<String, String> {
    Ok(stores(&data(api, "GET", "/stores", None)?))
}

/// One line a store: its name, type, documents, entries and address.
fn stores(stores: &Value) -> String {
    let Some(stores) = stores.as_array() else { return show::pretty(stores) };
    let mut rows = vec![["store", "type", "documents", "entries", "address"].map(str::to_owned)];
    rows.extend(stores.iter().map(|store| {
        ["name", "type", "documents", "entries", "address"].map(|field| show::plain(&store[field]))
    }));
    show::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stores_stand_in_columns() {
        let shown = stores(&json!([
            {"name": "a", "type": "events", "documents": 12, "entries": 3, "address": "/orbitdb/z"},
            {"name": "long-name", "type": "documents", "documents": 1, "entries": 1, "address": "\u{1b}[1mx"}
        ]));
        assert_eq!(
            shown,
            "store      type       documents  entries  address\n\
             a          events     12         3        /orbitdb/z\n\
             long-name  documents  1          1         [1mx\n"
        );
        assert_eq!(stores(&json!(7)), "7\n");
    }
}
