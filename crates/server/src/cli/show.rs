//! Answers of a node as text for people.

use serde_json::Value;

/// One line a store: its name, type, documents, entries and address.
pub(super) fn stores(stores: &Value) -> String {
    let Some(stores) = stores.as_array() else { return pretty(stores) };
    let mut rows = vec![["store", "type", "documents", "entries", "address"].map(str::to_owned)];
    rows.extend(stores.iter().map(|store| {
        ["name", "type", "documents", "entries", "address"].map(|field| plain(&store[field]))
    }));
    table(&rows)
}

/// What says who may write, one line each.
pub(super) fn access(access: &Value) -> String {
    let Some(fields) = access.as_object() else { return pretty(access) };
    let mut rows = Vec::new();
    for name in ["kind", "address", "admin", "write", "me", "writable"] {
        let value = fields.get(name).unwrap_or(&Value::Null);
        match value.as_array() {
            Some(list) if list.is_empty() => rows.push([name.to_owned(), "nobody".to_owned()]),
            Some(list) => {
                let first = std::iter::once(name).chain(std::iter::repeat(""));
                rows.extend(first.zip(list).map(|(name, id)| [name.to_owned(), plain(id)]));
            }
            None => rows.push([name.to_owned(), plain(value)]),
        }
    }
    table(&rows)
}

/// The peers, as the node shows them.
pub(super) fn peers(peers: &Value) -> String {
    match peers.as_array() {
        Some(none) if none.is_empty() => "no peers\n".to_owned(),
        _ => pretty(peers),
    }
}

fn pretty(value: &Value) -> String {
    // A value always becomes JSON.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    format!("{text}\n")
}

/// A text without its quotes and without what would move the cursor; anything else as JSON.
fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Columns as wide as they have to be.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.into_iter().zip(row) {
            line.push_str(cell);
            let padding = width - cell.chars().count() + 2;
            line.extend(std::iter::repeat_n(' ', padding));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_stand_in_columns() {
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
        let shown = access(
            &json!({"kind": "orbitdb", "address": "/a", "admin": ["x", "y"], "write": [], "me": "x", "writable": true}),
        );
        assert_eq!(
            shown,
            "kind      orbitdb\naddress   /a\nadmin     x\n          y\nwrite     nobody\nme        x\nwritable  true\n"
        );
        assert_eq!(peers(&json!([])), "no peers\n");
        assert_eq!(stores(&json!(7)), "7\n");
    }
}
