//! Stores that hold something else than documents.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::join;
use crate::interop::foreign::Foreign;
use crate::interop::ground::Ground;
use crate::interop::peer::{InteropPeer, InteropStore, TypeOfStore, converge};

/// Values that each side writes in each round.
const VALUES: u64 = 50;

/// Three rounds of values: ours from before JavaScript came, its own, and ours again.
fn cold_and_live(ours: &mut dyn InteropPeer, js: &mut Foreign, store: &InteropStore) -> Result<()> {
    write(ours, store, "cold")?;
    join(ours, js, store)?;
    js.wait_count(store, VALUES)?;
    write(js, store, "live-js")?;
    ours.wait_count(store, 2 * VALUES)?;
    write(ours, store, "live")?;
    js.wait_count(store, 3 * VALUES)
}

/// A log of events: nothing is ever replaced, and equal values are different events.
pub(super) fn events(ground: &mut Ground) -> Result<String> {
    let (mut ours, mut js) = ground.pair()?;
    let store = ours.create("events", TypeOfStore::Events)?;
    cold_and_live(&mut *ours, &mut js, &store)?;
    for side in [&mut *ours, &mut js as &mut dyn InteropPeer] {
        side.put(&store, "", &json!("twice"))?;
    }
    let content = converge(&mut *ours, &mut js, &store)?;
    let twice = content.values().filter(|value| **value == json!("twice")).count();
    ensure!(twice == 2, "{twice} of 2 equal events");
    ensure!(content.len() as u64 == 3 * VALUES + 2, "{} events", content.len());

    let theirs = from_javascript(&mut *ours, &mut js, TypeOfStore::Events)?;
    Ok(format!("{} and {theirs} events", content.len()))
}

/// A keyvalue store: any value under a key, the last one counts.
pub(super) fn keyvalue(ground: &mut Ground) -> Result<String> {
    let (mut ours, mut js) = ground.pair()?;
    let store = ours.create("keyvalue", TypeOfStore::Keyvalue)?;
    cold_and_live(&mut *ours, &mut js, &store)?;

    // Replaced and deleted, each by the side that did not write it.
    let (one, two) = (json!("replaced by us"), json!(["replaced", "by", { "js": true }]));
    ours.put(&store, "live-js-0", &one)?;
    js.wait_value(&store, "live-js-0", Some(&one))?;
    js.put(&store, "cold-0", &two)?;
    ours.wait_value(&store, "cold-0", Some(&two))?;
    ours.delete(&store, "live-js-1")?;
    js.wait_value(&store, "live-js-1", None)?;
    js.delete(&store, "cold-1")?;
    ours.wait_value(&store, "cold-1", None)?;
    let content = converge(&mut *ours, &mut js, &store)?;
    ensure!(content.len() as u64 == 3 * VALUES - 2, "{} keys", content.len());

    let theirs = from_javascript(&mut *ours, &mut js, TypeOfStore::Keyvalue)?;
    Ok(format!("{} and {theirs} keys", content.len()))
}

/// A store that JavaScript made and filled before we know of it.
fn from_javascript(
    ours: &mut dyn InteropPeer,
    js: &mut Foreign,
    kind: TypeOfStore,
) -> Result<usize> {
    let store = js.create(&format!("{}-js", kind.name()), kind)?;
    write(js, &store, "theirs")?;
    ours.adopt(&store)?;
    ours.wait_count(&store, VALUES)?;
    write(ours, &store, "ours")?;
    js.wait_count(&store, 2 * VALUES)?;
    Ok(converge(ours, js, &store)?.len())
}

fn write(peer: &mut dyn InteropPeer, store: &InteropStore, prefix: &str) -> Result<()> {
    for number in 0..VALUES {
        peer.put(store, &format!("{prefix}-{number}"), &value(prefix, number))?;
    }
    Ok(())
}

/// A value of some JSON type. No null: OrbitDB takes it for the absence of a value.
fn value(prefix: &str, number: u64) -> Value {
    match number % 5 {
        0 => json!({ "prefix": prefix, "nested": { "n": number, "tags": ["a", "b"] } }),
        1 => json!(format!("{prefix} Grüße {number}")),
        2 => json!(number),
        3 => json!([number, number as f64 + 0.5, false]),
        _ => json!(number.is_multiple_of(2)),
    }
}
