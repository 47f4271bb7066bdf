//! Peers that come and go.

use anyhow::{Result, ensure};
use serde_json::json;

use super::join;
use crate::interop::ground::Ground;
use crate::interop::peer::{InteropPeer, TypeOfStore, converge};

/// Documents written in each part of a case.
const DOCUMENTS: u64 = 100;

/// We are killed, the other side is stopped; each finds what it missed.
pub(super) fn restarts(ground: &mut Ground) -> Result<String> {
    let (mut ours, mut js) = ground.pair()?;
    let store = ours.create("restart", TypeOfStore::Documents)?;
    join(&mut *ours, &mut js, &store)?;
    ours.put_many(&store, "first-", 0..DOCUMENTS)?;
    js.wait_count(&store, DOCUMENTS)?;

    ours.stop(true)?;
    js.put_many(&store, "alone-js-", 0..DOCUMENTS)?;
    ours.start()?;
    js.dial(&ours.address())?;
    ours.wait_count(&store, 2 * DOCUMENTS)?;
    converge(&mut *ours, &mut js, &store)?;

    js.stop(false)?;
    ours.put_many(&store, "alone-", 0..DOCUMENTS)?;
    js.start()?;
    js.dial(&ours.address())?;
    js.wait_count(&store, 3 * DOCUMENTS)?;
    let content = converge(&mut *ours, &mut js, &store)?;
    ensure!(content.len() as u64 == 3 * DOCUMENTS, "{} documents", content.len());
    Ok(format!("{} documents", content.len()))
}

/// A store whose address is all that we know of it.
pub(super) fn adoption(ground: &mut Ground) -> Result<String> {
    let (mut ours, mut js) = ground.pair()?;
    let store = js.create("adopted", TypeOfStore::Documents)?;
    js.put_many(&store, "js-", 0..DOCUMENTS)?;
    ours.dial(&js.address())?;
    ours.adopt(&store)?;
    ours.wait_count(&store, DOCUMENTS)?;
    let document = json!({ "_id": "ours", "answer": true });
    ours.put(&store, "ours", &document)?;
    js.wait_value(&store, "ours", Some(&document))?;
    ours.delete(&store, "js-00000000")?;
    js.wait_value(&store, "js-00000000", None)?;
    let content = converge(&mut *ours, &mut js, &store)?;

    // It is still ours after a restart, and still the same store.
    ours.stop(false)?;
    ours.start()?;
    ours.dial(&js.address())?;
    js.put(&store, "later", &json!({ "_id": "later" }))?;
    ours.wait_value(&store, "later", Some(&json!({ "_id": "later" })))?;
    let later = converge(&mut *ours, &mut js, &store)?;
    ensure!(later.len() == content.len() + 1, "{} documents", later.len());
    Ok(format!("{} documents", later.len()))
}
