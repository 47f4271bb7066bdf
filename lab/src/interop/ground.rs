//! Where a case is played: it starts the peers, and keeps what they say for the report.

use std::path::PathBuf;
use std::rc::Rc;

use anyhow::Result;

use super::foreign::Foreign;
use super::native::NativePeer;
use super::peer::InteropPeer;
use crate::javascript::JavaScript;
use crate::process::Tail;

/// Who plays our side.
#[derive(Debug, Clone)]
pub(super) enum Side {
    /// The node at this path.
    Node(PathBuf),
    /// A JavaScript peer as well: shows that a case holds for OrbitDB itself.
    JavaScript,
}

/// The means of one case. Every peer that it hands out has a directory of its own.
pub(super) struct Ground {
    javascript: Rc<JavaScript>,
    side: Side,
    directory: PathBuf,
    tails: Vec<(String, Tail)>,
}

impl Ground {
    /// A ground with its data below `directory`.
    pub(super) fn new(javascript: &Rc<JavaScript>, side: &Side, directory: PathBuf) -> Ground {
        let javascript = Rc::clone(javascript);
        Ground { javascript, side: side.clone(), directory, tails: Vec::new() }
    }

    /// Starts a peer of our side.
    pub(super) fn ours(&mut self, name: &str) -> Result<Box<dyn InteropPeer>> {
        let repo = self.directory.join(name);
        let peer: Box<dyn InteropPeer> = match &self.side {
            Side::Node(binary) => Box::new(NativePeer::spawn(binary.clone(), repo)?),
            Side::JavaScript => {
                let mut peer = Foreign::spawn(&self.javascript, name, repo)?;
                peer.up()?;
                Box::new(peer)
            }
        };
        self.tails.push((name.to_owned(), peer.tail()));
        Ok(peer)
    }

    /// Starts a JavaScript peer; it is up when [`Foreign::up`] returns.
    pub(super) fn spawn_foreign(&mut self, name: &str) -> Result<Foreign> {
        let peer = Foreign::spawn(&self.javascript, name, self.directory.join(name))?;
        self.tails.push((name.to_owned(), peer.tail()));
        Ok(peer)
    }

    /// Starts one peer of each side, not connected.
    pub(super) fn pair(&mut self) -> Result<(Box<dyn InteropPeer>, Foreign)> {
        let mut foreign = self.spawn_foreign("js")?;
        let ours = self.ours("ours")?;
        foreign.up()?;
        Ok((ours, foreign))
    }

    /// What each peer said last, `count` lines of each.
    pub(super) fn said(&self, count: usize) -> Vec<String> {
        let lines = |(name, tail): &(String, Tail)| {
            let said = tail.last(count);
            said.into_iter().map(|line| format!("{name}: {line}")).collect::<Vec<_>>()
        };
        self.tails.iter().flat_map(lines).collect()
    }
}
