//! Files between us and Helia.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{FileGround, payload};
use crate::interop::peer::until;
use crate::javascript::{JsNode, text};

/// What Helia does by itself. The other profile that it has a name for is overruled by its defaults.
const PROFILE: &str = "unixfs-v1-2025";
const FILES: u64 = 200;

fn add(helia: &mut JsNode, from: &Path, directory: bool) -> Result<String> {
    let what = json!({ "from": from, "profile": PROFILE, "directory": directory });
    Ok(text(&helia.call("fileAdd", what)?["cid"])?.to_owned())
}

fn read(helia: &mut JsNode, cid: &str, to: &Path) -> Result<Vec<u8>> {
    helia.call("fileRead", json!({ "cid": cid, "to": to }))?;
    Ok(fs::read(to)?)
}

pub(super) fn both_ways(ground: &FileGround) -> Result<()> {
    let ours = ground.ours("ours", &[])?;
    let mut helia = ground.javascript.start("helia", &ground.path("helia"))?;
    helia.up()?;
    // What it reads from us lies nowhere else: another one adds.
    let mut adder = ground.javascript.start("adder", &ground.path("adder"))?;
    adder.up()?;
    helia.call("dial", json!({ "addr": ours.address()? }))?;
    ours.dial(adder.address())?;
    until("both are peers", || Ok(ours.peers()? == 2))?;
    for (at, size) in ground.sizes().into_iter().enumerate() {
        let (mine, theirs) = (2 * at as u64, 2 * at as u64 + 1);
        let file = payload::make(ground.path("file"), mine, size)?;
        let cid = ours.add(&file, PROFILE)?;
        payload::compare(&read(&mut helia, &cid, &ground.path("read"))?, &file)?;
        let file = payload::make(ground.path("file"), theirs, size)?;
        let cid = add(&mut adder, &file, false)?;
        payload::compare(&ours.read(&cid)?, &file)?;
        let our = ours.add(&file, PROFILE)?;
        ensure!(our == cid, "{size} bytes: {our} here, {cid} at Helia");
    }
    let directory = payload::make_directory(ground.path("directory"), FILES)?;
    let cid = ours.add_directory(&directory, PROFILE)?;
    let names = helia.call("fileNames", json!({ "cid": cid }))?;
    let names = names["names"].as_array().map_or(0, Vec::len) as u64;
    ensure!(names == FILES, "{names} files are listed of {FILES}");
    let theirs = add(&mut adder, &directory, true)?;
    ensure!(theirs == cid, "{cid} here, {theirs} at Helia");
    Ok(())
}

pub(super) fn private(ground: &FileGround) -> Result<()> {
    let key = ground.swarm_key()?;
    let ours = ground.ours("ours", &[&format!("-swarm-key={}", key.display())])?;
    let mut helia = ground.javascript.start_private("helia", &ground.path("helia"), &key)?;
    helia.up()?;
    helia.call("dial", json!({ "addr": ours.address()? }))?;
    until("Helia is a peer", || Ok(ours.peers()? == 1))?;
    let file = payload::make(ground.path("file"), 1, 3_000_000)?;
    let cid = ours.add(&file, PROFILE)?;
    payload::compare(&read(&mut helia, &cid, &ground.path("read"))?, &file)?;
    let other = payload::make(ground.path("other"), 2, 3_000_000)?;
    let cid = add(&mut helia, &other, false)?;
    payload::compare(&ours.read(&cid)?, &other)
}
