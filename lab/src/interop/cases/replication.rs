//! Documents from one side to the other: cold, live, large.

use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};

use super::join;
use crate::interop::ground::Ground;
use crate::interop::peer::{InteropPeer, TypeOfStore, converge};

/// Documents of a case.
const DOCUMENTS: u64 = 1_000;
/// Text of a large document.
const LARGE_BYTES: usize = 100 * 1024;

fn rate(documents: u64, since: Instant) -> String {
    let seconds = since.elapsed().as_secs_f64();
    format!("{documents} in {seconds:.2} s, {:.0}/s", documents as f64 / seconds)
}

/// We have the documents; the JavaScript peer opens the address afterwards, as one that it was told.
pub(super) fn cold_from_us(ground: &mut Ground) -> Result<String> {
    let (mut ours, mut js) = ground.pair()?;
    let store = ours.create("cold", TypeOfStore::Documents)?;
    ours.put_many(&store, "ours-", 0..DOCUMENTS)?;
    js.dial(&ours.address())?;
    let began = Instant::now();
    js.adopt(&store)?;
    js.wait_count(&store, DOCUMENTS)?;
    let note = rate(DOCUMENTS, began);
    converge(&mut *ours, &mut js, &store)?;
    Ok(note)
}

/// The JavaScript peer writes into our store alone; we meet it afterwards.
pub(super) fn cold_from_javascript(ground: &mut Ground) -> Result<String> {
    let (mut ours, mut js) = ground.pair()?;
    let store = js.create("cold", TypeOfStore::Documents)?;
    js.put_many(&store, "js-", 0..DOCUMENTS)?;
    // We dial this time.
    ours.dial(&js.address())?;
    let began = Instant::now();
    ours.adopt(&store)?;
    ours.wait_count(&store, DOCUMENTS)?;
    let note = rate(DOCUMENTS, began);
    converge(&mut *ours, &mut js, &store)?;
    Ok(note)
}

/// The JavaScript peer writes as fast as it can while we listen.
pub(super) fn live_from_javascript(ground: &mut Ground) -> Result<String> {
    let (mut ours, mut js) = ground.pair()?;
    let store = ours.create("live", TypeOfStore::Documents)?;
    join(&mut *ours, &mut js, &store)?;
    let began = Instant::now();
    js.put_many(&store, "js-", 0..DOCUMENTS)?;
    let written = Instant::now();
    ours.wait_count(&store, DOCUMENTS)?;
    let behind = written.elapsed().as_secs_f64();
    let note = format!("{}, the last {behind:.2} s after its put", rate(DOCUMENTS, began));
    converge(&mut *ours, &mut js, &store)?;
    Ok(note)
}

/// Heads of 100 KB: in an exchange of heads, where no frame tells where one ends, and announced.
pub(super) fn large_heads(ground: &mut Ground) -> Result<String> {
    let (mut ours, mut js) = ground.pair()?;
    let store = ours.create("large", TypeOfStore::Documents)?;
    let (cold, live, back) = (large("cold", 'c'), large("live", 'l'), large("back", 'b'));
    ours.put(&store, "cold", &cold)?;
    join(&mut *ours, &mut js, &store)?;
    js.wait_value(&store, "cold", Some(&cold))?;
    ours.put(&store, "live", &live)?;
    js.wait_value(&store, "live", Some(&live))?;
    js.put(&store, "back", &back)?;
    ours.wait_value(&store, "back", Some(&back))?;
    converge(&mut *ours, &mut js, &store)?;

    let theirs = js.create("large-js", TypeOfStore::Documents)?;
    js.put(&theirs, "cold", &cold)?;
    ours.adopt(&theirs)?;
    ours.wait_value(&theirs, "cold", Some(&cold))?;
    converge(&mut *ours, &mut js, &theirs)?;
    Ok(String::new())
}

fn large(id: &str, letter: char) -> Value {
    json!({ "_id": id, "text": letter.to_string().repeat(LARGE_BYTES) })
}
