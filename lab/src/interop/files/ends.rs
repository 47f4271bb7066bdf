//! Who has a file ends in the middle of its being read, and another one is there.

use std::fs;

use anyhow::{Result, ensure};

use super::file_node::FileNode;
use super::{FileGround, payload};
use crate::interop::peer::until;

const BYTES: u64 = 48 * 1024 * 1024;
/// How much has come when it happens.
const SOME_BYTES: u64 = 2 * 1024 * 1024;
const RECEIVED: &str = "optimusdb_blocks_received_bytes_total";
const SENT: &str = "optimusdb_blocks_sent_bytes_total";

pub(super) fn kubo_ends(ground: &FileGround) -> Result<()> {
    let file = payload::make(ground.path("file"), 1, BYTES)?;
    let other = ground.ours("other", &[])?;
    let cid = other.add(&file, "kubo")?;
    for end in ["STOP", "KILL"] {
        let kubo = ground.kubo(&format!("kubo-{end}"), None)?;
        let theirs = kubo.add(&file, &["--cid-version=1"])?;
        ensure!(theirs == cid, "{cid} here, {theirs} at Kubo");
        let reader = ground.ours(&format!("reader-{end}"), &[])?;
        reader.dial(&kubo.address()?)?;
        reader.dial(&other.address()?)?;
        let mut reading = reader.begin_read(&cid)?;
        until("some of it came", || Ok(reader.counter(RECEIVED)? > SOME_BYTES))?;
        kubo.signal(end)?;
        let answer = reading.finish()?;
        ensure!(answer.status == 200, "after SIG{end}: {}", answer.status);
        payload::compare(answer.body, &file)?;
    }
    Ok(())
}

pub(super) fn ours_ends(ground: &FileGround) -> Result<()> {
    let file = payload::make(ground.path("file"), 1, BYTES)?;
    let node = |name: &str| -> Result<FileNode> {
        let node = ground.ours(name, &[])?;
        node.add(&file, "kubo")?;
        Ok(node)
    };
    let other = node("other")?;
    let cid = other.add(&file, "kubo")?;
    for end in ["STOP", "TERM", "KILL"] {
        let ending = node(&format!("ending-{end}"))?;
        let kubo = ground.kubo(&format!("kubo-{end}"), None)?;
        kubo.dial(&ending.address()?)?;
        let to = ground.path("read");
        let mut reading = kubo.begin_cat(&cid, &to)?;
        until("some of it came", || Ok(ending.counter(SENT)? > SOME_BYTES))?;
        kubo.dial(&other.address()?)?;
        ending.signal(end)?;
        let status = reading.wait()?;
        ensure!(status.success(), "after SIG{end}: ipfs cat ended with {status}");
        payload::compare(&fs::read(&to)?, &file)?;
    }
    Ok(())
}
