//! Both sides write without knowing of each other.

use anyhow::{Result, ensure};
use serde_json::json;

use super::join;
use crate::interop::foreign::Mode;
use crate::interop::ground::Ground;
use crate::interop::peer::{InteropPeer, TypeOfStore, converge};

/// Documents that each side writes while the other writes too.
const DOCUMENTS: u64 = 300;
/// Keys that both sides write.
const CONFLICTS: u64 = 20;
/// Heads that a JavaScript peer adds.
const HEADS: usize = 5;

/// Both write hundreds of documents at the same time, connected.
pub(super) fn both_write(ground: &mut Ground) -> Result<String> {
    let (mut ours, mut js) = ground.pair()?;
    let store = ours.create("both", TypeOfStore::Documents)?;
    join(&mut *ours, &mut js, &store)?;
    let theirs = js.begin_put_many(&store, "js-", 0..DOCUMENTS)?;
    ours.put_many(&store, "ours-", 0..DOCUMENTS)?;
    js.finish(theirs)?;
    ours.wait_count(&store, 2 * DOCUMENTS)?;
    js.wait_count(&store, 2 * DOCUMENTS)?;

    // The same keys, written by both at once.
    let theirs = js.begin_put_many(&store, "same-", 0..CONFLICTS)?;
    ours.put_many(&store, "same-", 0..CONFLICTS)?;
    js.finish(theirs)?;
    let content = converge(&mut *ours, &mut js, &store)?;
    ensure!(content.len() as u64 == 2 * DOCUMENTS + CONFLICTS, "{} documents", content.len());
    Ok(format!("{} documents", content.len()))
}

/// Writes and deletes of the same keys while the two are apart.
pub(super) fn conflicts(ground: &mut Ground) -> Result<String> {
    let (mut ours, mut js) = ground.pair()?;
    let store = ours.create("conflict", TypeOfStore::Documents)?;
    let keys: Vec<String> = (0..CONFLICTS).map(|number| format!("key-{number:02}")).collect();
    for key in &keys {
        ours.put(&store, key, &json!({ "_id": key, "by": "ours", "round": 0 }))?;
    }
    join(&mut *ours, &mut js, &store)?;
    js.wait_count(&store, CONFLICTS)?;

    js.close(&store)?;
    js.open(&store, Mode::Alone)?;
    // Of every four keys: both write, we delete, they delete, both delete. Which side has counted
    // further when it comes to a key changes from one half of the keys to the other.
    for (number, key) in keys.iter().enumerate() {
        let (one, two) = (json!({ "_id": key, "by": "ours" }), json!({ "_id": key, "by": "js" }));
        if number * 2 == keys.len() {
            js.put_many(&store, "ahead-", 0..CONFLICTS)?;
        }
        match number % 4 {
            1 | 3 => ours.delete(&store, key)?,
            _ => ours.put(&store, key, &one)?,
        }
        match number % 4 {
            2 | 3 => js.delete(&store, key)?,
            _ => js.put(&store, key, &two)?,
        }
    }
    js.close(&store)?;
    js.adopt(&store)?;
    let content = converge(&mut *ours, &mut js, &store)?;

    let deleted_by_both = keys.iter().skip(3).step_by(4);
    for key in deleted_by_both {
        ensure!(!content.contains_key(key), "{key} was deleted by both and is there");
    }
    for key in keys.iter().step_by(4) {
        ensure!(content.contains_key(key), "{key} was written by both and is not there");
    }
    let by = |side| content.values().filter(|value| value["by"] == side).count();
    let (one, two) = (by("ours"), by("js"));
    ensure!(two > 0, "no write of the JavaScript peer that had counted further has won");
    Ok(format!("{one} keys went to us, {two} to JavaScript"))
}

/// Heads of several writers that did not know of each other.
pub(super) fn several_heads(ground: &mut Ground) -> Result<String> {
    let (mut ours, mut js) = ground.pair()?;
    let mut late = ground.spawn_foreign("late")?;
    let store = ours.create("heads", TypeOfStore::Documents)?;
    js.dial(&ours.address())?;
    js.open(&store, Mode::Alone)?;
    js.branch(&store, HEADS)?;
    js.close(&store)?;
    js.adopt(&store)?;
    ours.wait_count(&store, HEADS as u64)?;
    converge(&mut *ours, &mut js, &store)?;
    let heads = ours.heads(&store)?.len();
    ensure!(heads == HEADS, "{heads} heads in place of {HEADS}");

    // Only we can tell a peer that comes later.
    js.stop(false)?;
    late.up()?;
    join(&mut *ours, &mut late, &store)?;
    late.wait_count(&store, HEADS as u64)?;
    converge(&mut *ours, &mut late, &store)?;

    // A write on top of all of them makes them one.
    late.put(&store, "joined", &json!({ "_id": "joined" }))?;
    let content = converge(&mut *ours, &mut late, &store)?;
    ensure!(ours.heads(&store)?.len() == 1, "a write left several heads");
    ensure!(content.len() == HEADS + 1, "{} documents", content.len());
    Ok(format!("{heads} heads"))
}
