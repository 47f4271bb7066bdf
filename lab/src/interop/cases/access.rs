//! Write lists: who is on them gets in, on both sides, and nobody else.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::interop::foreign::{Foreign, Mode};
use crate::interop::ground::Ground;
use crate::interop::peer::{InteropPeer, InteropStore, TypeOfStore, converge, until};

/// How long something that must not arrive is given to arrive. What is allowed and was written after
/// it has arrived before this time begins to run.
const ABSENCE_WAIT: Duration = Duration::from_secs(1);

/// Connects all three with each other.
fn connect(ours: &mut dyn InteropPeer, owner: &mut Foreign, other: &mut Foreign) -> Result<()> {
    ours.dial(&owner.address())?;
    other.dial(&ours.address())?;
    other.dial(&owner.address())
}

fn put(peer: &mut dyn InteropPeer, store: &InteropStore, key: &str) -> Result<()> {
    peer.put(store, key, &json!({ "_id": key }))
}

fn wait(peer: &mut dyn InteropPeer, store: &InteropStore, key: &str) -> Result<()> {
    peer.wait_value(store, key, Some(&json!({ "_id": key })))
}

/// `key` does not come, although there was time.
fn absent(peer: &mut dyn InteropPeer, store: &InteropStore, key: &str) -> Result<()> {
    sleep(ABSENCE_WAIT);
    ensure!(peer.get(store, key)?.is_none(), "`{key}` got in");
    Ok(())
}

/// The `ipfs` kind of access: a list fixed when the store is made.
pub(super) fn write_list(ground: &mut Ground) -> Result<String> {
    let mut stranger = ground.spawn_foreign("stranger")?;
    let (mut ours, mut owner) = ground.pair()?;
    stranger.up()?;
    connect(&mut *ours, &mut owner, &mut stranger)?;

    // We are on the list, the stranger is not.
    let (owned, us) = (owner.identity(), ours.identity());
    let list = [owned.as_str(), us.as_str()];
    let store = owner.create_with("listed", TypeOfStore::Documents, "ipfs", Some(&list))?;
    put(&mut owner, &store, "owner")?;
    ours.adopt(&store)?;
    wait(&mut *ours, &store, "owner")?;
    put(&mut *ours, &store, "ours")?;
    wait(&mut owner, &store, "ours")?;

    stranger.open(&store, Mode::Lawless)?;
    stranger.wait_peers(&store, 2)?;
    wait(&mut stranger, &store, "ours")?;
    put(&mut stranger, &store, "stranger")?;
    // What the owner writes after it comes through: the line is not blocked.
    put(&mut owner, &store, "after")?;
    wait(&mut *ours, &store, "after")?;
    absent(&mut *ours, &store, "stranger")?;
    absent(&mut owner, &store, "stranger")?;
    let content = converge(&mut *ours, &mut owner, &store)?;
    ensure!(content.len() == 3, "{:?}", content.keys());

    // A list that we are not on: we read, and are refused when we write.
    let closed =
        owner.create_with("closed", TypeOfStore::Documents, "ipfs", Some(&[owned.as_str()]))?;
    put(&mut owner, &closed, "owner")?;
    ours.adopt(&closed)?;
    wait(&mut *ours, &closed, "owner")?;
    ensure!(put(&mut *ours, &closed, "ours").is_err(), "we wrote where we may not");
    let content = converge(&mut *ours, &mut owner, &closed)?;
    ensure!(content.len() == 1, "{:?}", content.keys());
    Ok(String::new())
}

/// A store of `owner` with the `orbitdb` kind of access, a list that is itself a store and changes. We
/// and `writer` are granted the right to write, and use it.
fn granted(
    ours: &mut dyn InteropPeer,
    owner: &mut Foreign,
    writer: &mut Foreign,
) -> Result<InteropStore> {
    let store = owner.create_with("granted", TypeOfStore::Documents, "orbitdb", None)?;
    put(owner, &store, "owner")?;
    ours.adopt(&store)?;
    wait(ours, &store, "owner")?;
    ensure!(put(ours, &store, "too early").is_err(), "we wrote before we were let in");

    // Whether a writer may write before it is granted is for the others to say.
    writer.open(&store, Mode::Lawless)?;
    writer.wait_peers(&store, 1)?;
    wait(writer, &store, "owner")?;
    let (id, us) = (writer.identity(), ours.identity());
    owner.allow(&store, &id, true)?;
    owner.allow(&store, &us, true)?;
    writer.wait_allowed(&store, &id, true)?;
    until("our own writes are taken", || Ok(put(ours, &store, "ours").is_ok()))?;
    wait(owner, &store, "ours")?;
    wait(writer, &store, "ours")?;
    put(writer, &store, "granted")?;
    wait(ours, &store, "granted")?;
    wait(owner, &store, "granted")?;
    Ok(store)
}

/// Grants let in, on our side and on theirs.
pub(super) fn grants(ground: &mut Ground) -> Result<String> {
    let mut writer = ground.spawn_foreign("writer")?;
    let (mut ours, mut owner) = ground.pair()?;
    writer.up()?;
    connect(&mut *ours, &mut owner, &mut writer)?;
    let store = granted(&mut *ours, &mut owner, &mut writer)?;
    let content = converge(&mut *ours, &mut owner, &store)?;
    let keys: Vec<&str> = content.keys().map(String::as_str).collect();
    ensure!(keys == ["granted", "ours", "owner"], "{keys:?}");
    Ok(String::new())
}

/// After a revoke is known, a write counts nowhere; what was there stays.
pub(super) fn revokes(ground: &mut Ground) -> Result<String> {
    let mut writer = ground.spawn_foreign("writer")?;
    let (mut ours, mut owner) = ground.pair()?;
    writer.up()?;
    connect(&mut *ours, &mut owner, &mut writer)?;
    let store = granted(&mut *ours, &mut owner, &mut writer)?;
    let (id, us) = (writer.identity(), ours.identity());

    owner.allow(&store, &id, false)?;
    writer.wait_allowed(&store, &id, false)?;
    put(&mut owner, &store, "after")?;
    wait(&mut *ours, &store, "after")?;
    put(&mut writer, &store, "revoked")?;
    put(&mut owner, &store, "later")?;
    wait(&mut *ours, &store, "later")?;
    absent(&mut *ours, &store, "revoked")?;
    absent(&mut owner, &store, "revoked")?;
    let content = converge(&mut *ours, &mut owner, &store)?;
    let keys: Vec<&str> = content.keys().map(String::as_str).collect();
    ensure!(keys == ["after", "granted", "later", "ours", "owner"], "{keys:?}");

    // Who comes now knows the revoke before it knows the first entry.
    let mut late = ground.ours("late")?;
    late.dial(&ours.address())?;
    late.adopt(&store)?;
    converge(&mut *ours, &mut *late, &store)?;

    owner.allow(&store, &us, false)?;
    until("our own writes are refused", || Ok(put(&mut *ours, &store, "too late").is_err()))?;
    Ok(String::new())
}
