//! Hosts that could not reach each other for a while are level as soon as they are connected again,
//! with nothing written afterwards: no announcement helps them.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::lab::Lab;
use super::node::HostedNode;
use super::{DISCOVERY_TIMEOUT, HEAL_TIMEOUT, eventually, nodes};
use crate::process::Scratch;

/// How long the hosts do not reach each other: longer than it takes either to notice.
const APART: Duration = Duration::from_secs(30);
/// Longest from the connection until all stores are level. It takes a second or two; left to the
/// pull that comes from time to time, some of many stores take half a minute and more.
const LEVEL_TIMEOUT: Duration = Duration::from_secs(20);

/// Packets that are dropped without a word.
pub(super) fn silent_cut(binary: &Path, scratch: &Scratch) -> Result<()> {
    let pair = SplitPair::new(binary, scratch, 1)?;
    pair.lab.silence(1, true)?;
    pair.write_apart(&[0, 1])?;
    pair.lab.silence(1, false)?;
    pair.is_level_soon()
}

/// The same, where many stores must find their turn.
pub(super) fn silent_cut_of_many_stores(binary: &Path, scratch: &Scratch) -> Result<()> {
    let pair = SplitPair::new(binary, scratch, 40)?;
    pair.lab.silence(1, true)?;
    pair.write_apart(&[0, 1])?;
    pair.lab.silence(1, false)?;
    pair.is_level_soon()
}

/// A host that gets another address, after a while without any.
pub(super) fn other_address(binary: &Path, scratch: &Scratch) -> Result<()> {
    let pair = SplitPair::new(binary, scratch, 1)?;
    pair.lab.take_address(1)?;
    pair.write_apart(&[0, 1])?;
    pair.lab.give_other_address(1)?;
    pair.is_level_soon()
}

/// A process that stands still for a while.
pub(super) fn frozen(binary: &Path, scratch: &Scratch) -> Result<()> {
    let pair = SplitPair::new(binary, scratch, 1)?;
    pair.nodes[1].freeze(true)?;
    pair.write_apart(&[0])?;
    pair.nodes[1].freeze(false)?;
    pair.is_level_soon()
}

/// Two hosts with some stores.
struct SplitPair {
    // Before the lab, which takes their network from them.
    nodes: Vec<HostedNode>,
    stores: Vec<String>,
    lab: Lab,
}

impl SplitPair {
    /// Both with the same documents.
    fn new(binary: &Path, scratch: &Scratch, stores: usize) -> Result<SplitPair> {
        let mut lab = Lab::new()?;
        let nodes = nodes(&mut lab, binary, scratch, 2)?;
        let stores: Vec<String> = (0..stores).map(|n| format!("store-{n}")).collect();
        for store in &stores {
            nodes[0].make_store(store)?;
            nodes[0].put_into(store, "before", "both have it")?;
        }
        let pair = SplitPair { nodes, stores, lab };
        pair.level("before", HEAL_TIMEOUT)?;
        Ok(pair)
    }

    /// A document to each store on these hosts, and then nothing for as long as they are apart.
    fn write_apart(&self, writers: &[usize]) -> Result<()> {
        let began = Instant::now();
        for store in &self.stores {
            for writer in writers {
                self.nodes[*writer].put_into(store, &format!("of-{writer}"), "one has it")?;
            }
        }
        sleep(APART.saturating_sub(began.elapsed()));
        Ok(())
    }

    fn is_level_soon(&self) -> Result<()> {
        eventually(DISCOVERY_TIMEOUT, "the hosts to be connected again", || {
            Ok(self.nodes[0].peers()? == 1 && self.nodes[1].peers()? == 1)
        })?;
        let connected = Instant::now();
        self.level("of-0", LEVEL_TIMEOUT)?;
        println!("  level after the connection: {:.1} s", connected.elapsed().as_secs_f64());
        Ok(())
    }

    /// Waits until both hosts have the same documents in every store, and this one among them.
    fn level(&self, id: &str, patience: Duration) -> Result<()> {
        let began = Instant::now();
        for store in &self.stores {
            let left = patience.saturating_sub(began.elapsed());
            eventually(left, &format!("equal documents in {store}"), || {
                // The store itself may have to come first.
                let theirs = self.nodes[1].everything_in(store).unwrap_or_default();
                Ok(theirs.contains(id) && self.nodes[0].everything_in(store)? == theirs)
            })?;
        }
        Ok(())
    }
}
