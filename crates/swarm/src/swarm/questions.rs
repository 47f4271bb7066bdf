//! What a host asks single peers: votes, and statements of SQL.

use libp2p::PeerId;
use optimusdb_dag::Cid;

use super::Swarm;
use crate::Error;
use crate::peering::peers::PeerView;
use crate::protocols::question::Questions;
use crate::protocols::sql::STATEMENTS;
use crate::protocols::votes::VOTES;

impl Swarm {
    /// The connected peers that can be asked for votes.
    pub fn voters(&self) -> Vec<PeerId> {
        self.speakers(&VOTES)
    }

    /// Asks a connected peer what it found about a file; nothing where it has no verdict. Whether the answer is
    /// a vote is not looked at.
    ///
    /// # Errors
    /// [`Error::NotConnected`]; [`Error::Unsupported`] if it does not speak the protocol;
    /// [`Error::Stream`], [`Error::Deadline`].
    pub async fn ask_vote(&self, peer: PeerId, cid: &Cid) -> Result<Option<Vec<u8>>, Error> {
        self.check_up(&peer)?;
        let vote = VOTES.ask(self.inner.control.clone(), peer, &cid.to_bytes()).await?;
        Ok(Some(vote).filter(|vote| !vote.is_empty()))
    }

    /// The connected peers that can be asked statements of SQL.
    pub fn sql_peers(&self) -> Vec<PeerId> {
        self.speakers(&STATEMENTS)
    }

    /// Asks a connected peer a statement. Neither it nor the answer is looked at.
    ///
    /// # Errors
    /// As of [`Swarm::ask_vote`], and [`Error::TooLarge`].
    pub async fn ask_sql(&self, peer: PeerId, question: &[u8]) -> Result<Vec<u8>, Error> {
        self.check_up(&peer)?;
        STATEMENTS.ask(self.inner.control.clone(), peer, question).await
    }

    /// The connected peers that speak a protocol.
    fn speakers(&self, questions: &Questions) -> Vec<PeerId> {
        let name = questions.protocol.as_ref();
        let speaks = |peer: &PeerView| peer.protocols.iter().any(|it| *it == name);
        self.peers().into_iter().filter(speaks).map(|peer| peer.id).collect()
    }
}
