//! Files between us and Kubo, where nothing goes wrong.

use std::fs;

use anyhow::{Result, ensure};

use super::{FileGround, payload};
use crate::interop::peer::until;

/// Our profiles, and the flags with which Kubo does the same.
const PROFILES: &[(&str, &[&str])] = &[
    ("kubo", &["--cid-version=1", "--raw-leaves", "--chunker=size-262144", "--max-file-links=174"]),
    (
        "unixfs-v1-2025",
        &["--cid-version=1", "--raw-leaves", "--chunker=size-1048576", "--max-file-links=1024"],
    ),
    (
        "unixfs-v0-2015",
        &["--cid-version=0", "--raw-leaves=false", "--chunker=size-262144", "--max-file-links=174"],
    ),
];

/// Entries of a directory that is a HAMT, and of one that is none.
const MANY: u64 = 10_000;
const FEW: u64 = 5;

pub(super) fn same_addresses(ground: &FileGround) -> Result<()> {
    let (ours, kubo) = (ground.ours("ours", &[])?, ground.kubo("kubo", None)?);
    for (at, size) in ground.sizes().into_iter().enumerate() {
        let file = payload::make(ground.path("file"), at as u64, size)?;
        for (profile, flags) in PROFILES {
            let theirs = kubo.add(&file, &[*flags, &["--only-hash"]].concat())?;
            let our = ours.add(&file, profile)?;
            ensure!(our == theirs, "{size} bytes, {profile}: {our} here, {theirs} at Kubo");
        }
    }
    for files in [FEW, MANY] {
        let directory = payload::make_directory(ground.path(&format!("of-{files}")), files)?;
        let flags = [PROFILES[0].1, &["-r", "--only-hash"]].concat();
        let theirs = kubo.add(&directory, &flags)?;
        let our = ours.add_directory(&directory, PROFILES[0].0)?;
        ensure!(our == theirs, "{files} files: {our} here, {theirs} at Kubo");
    }
    Ok(())
}

pub(super) fn kubo_reads(ground: &FileGround) -> Result<()> {
    let (ours, kubo) = (ground.ours("ours", &[])?, ground.kubo("kubo", None)?);
    kubo.dial(&ours.address()?)?;
    for (at, size) in ground.sizes().into_iter().enumerate() {
        let file = payload::make(ground.path("file"), at as u64, size)?;
        let cid = ours.add(&file, "kubo")?;
        payload::compare(&kubo.cat(&cid)?, &file)?;
    }
    let directory = payload::make_directory(ground.path("few"), FEW)?;
    let cid = ours.add_directory(&directory, "kubo")?;
    let got = ground.path("got");
    kubo.ipfs(&["get", "-o", &got.to_string_lossy(), &cid])?;
    for number in 0..FEW {
        payload::compare(
            &fs::read(got.join(payload::name(number)))?,
            &directory.join(payload::name(number)),
        )?;
    }
    // Kubo gets the files of a directory one after the other, a round trip or two each: 10,000 of
    // them take minutes, from another Kubo as well. So it lists them and reads some.
    let directory = payload::make_directory(ground.path("many"), MANY)?;
    let cid = ours.add_directory(&directory, "kubo")?;
    for number in [0, MANY / 2, MANY - 1] {
        let read = kubo.cat(&format!("{cid}/{}", payload::name(number)))?;
        ensure!(read == payload::content(number).as_bytes(), "number {number} is {read:?}");
    }
    let listed = kubo.ipfs(&["ls", "--size=false", "--resolve-type=false", &cid])?;
    let listed = String::from_utf8(listed)?.lines().count() as u64;
    ensure!(listed == MANY, "{listed} files are listed of {MANY}");
    Ok(())
}

pub(super) fn kubo_gives(ground: &FileGround) -> Result<()> {
    let (ours, kubo) = (ground.ours("ours", &[])?, ground.kubo("kubo", None)?);
    ours.dial(&kubo.address()?)?;
    for (at, size) in ground.sizes().into_iter().enumerate() {
        let file = payload::make(ground.path("file"), at as u64, size)?;
        let (_, flags) = PROFILES[at % PROFILES.len()];
        let cid = kubo.add(&file, flags)?;
        payload::compare(&ours.read(&cid)?, &file)?;
    }
    let directory = payload::make_directory(ground.path("directory"), MANY)?;
    let cid = kubo.add(&directory, &["-r", "--cid-version=1"])?;
    let number = MANY / 3;
    let name = payload::name(number).replace(' ', "%20");
    let read = ours.read(&format!("{cid}/{name}"))?;
    ensure!(read == payload::content(number).as_bytes(), "number {number} is {read:?}");
    let entries = ours.entries(&cid)?.len() as u64;
    ensure!(entries == MANY, "{entries} files are listed of {MANY}");
    Ok(())
}

pub(super) fn private(ground: &FileGround) -> Result<()> {
    let key = ground.swarm_key()?;
    let flag = format!("-swarm-key={}", key.display());
    let (ours, kubo) = (ground.ours("ours", &[&flag])?, ground.kubo("kubo", Some(&key))?);
    kubo.dial(&ours.address()?)?;
    let file = payload::make(ground.path("file"), 1, 3_000_000)?;
    let other = payload::make(ground.path("other"), 2, 3_000_000)?;
    payload::compare(&kubo.cat(&ours.add(&file, "kubo")?)?, &file)?;
    payload::compare(&ours.read(&kubo.add(&other, &["--cid-version=1"])?)?, &other)?;
    let stranger = ground.kubo("stranger", None)?;
    ensure!(stranger.dial(&ours.address()?).is_err(), "who lacks the key was let in");
    Ok(())
}

pub(super) fn closed(ground: &FileGround) -> Result<()> {
    let ours = ground.ours("ours", &["-file-peers=swarm"])?;
    let kubo = ground.kubo("kubo", None)?;
    kubo.dial(&ours.address()?)?;
    until("Kubo is a peer", || Ok(ours.peers()? == 1))?;
    let file = payload::make(ground.path("file"), 1, 100)?;
    let other = payload::make(ground.path("other"), 2, 100)?;
    let (cid, theirs) = (ours.add(&file, "kubo")?, kubo.add(&other, &["--cid-version=1"])?);
    ensure!(kubo.ipfs(&["--timeout=3s", "cat", &cid]).is_err(), "Kubo has got a file");
    let status = ours.refusal(&theirs)?;
    ensure!(status == 504, "a file of Kubo's was read: {status}");
    // It is no less a peer for that.
    ensure!(ours.peers()? == 1, "Kubo was sent away");
    Ok(())
}
