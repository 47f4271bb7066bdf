//! A peer without manners: connected, and free to send anything on any protocol. It answers pings and says
//! who it is, and nothing else.

#![allow(dead_code, reason = "tests use a part of it")]

use std::error::Error;
use std::time::Duration;

use libp2p::futures::StreamExt;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, SwarmBuilder, identify, noise, ping, tcp, yamux,
};
use libp2p_stream::Control;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a hostile peer does not expect.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

#[derive(NetworkBehaviour)]
struct RawBehaviour {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    streams: libp2p_stream::Behaviour,
}

/// A connection, and the peer at this end of it.
pub(crate) struct Raw {
    pub(crate) id: PeerId,
    control: Control,
    connected: watch::Receiver<bool>,
    running: JoinHandle<()>,
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Raw {
    /// Connects to `node` as somebody new, who says that it listens at `claims`.
    pub(crate) async fn connect(node: &Multiaddr, claims: Vec<Multiaddr>) -> Result<Raw, Failure> {
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(
                tcp::Config::default().nodelay(true),
                noise::Config::new,
                yamux::Config::default,
            )?
            .with_behaviour(|key| RawBehaviour {
                identify: identify::Behaviour::new(identify::Config::new(
                    "/any/1".into(),
                    key.public(),
                )),
                ping: ping::Behaviour::default(),
                streams: libp2p_stream::Behaviour::new(),
            })?
            .with_swarm_config(|config| {
                config.with_idle_connection_timeout(Duration::from_secs(3_600))
            })
            .build();
        for claim in claims {
            swarm.add_external_address(claim);
        }
        let (id, control) = (*swarm.local_peer_id(), swarm.behaviour().streams.new_control());
        swarm.dial(node.clone())?;
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { .. } => break,
                SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error.into()),
                _ => {}
            }
        }
        let (tell, connected) = watch::channel(true);
        let running = tokio::spawn(async move {
            loop {
                if let SwarmEvent::ConnectionClosed { num_established: 0, .. } =
                    swarm.select_next_some().await
                {
                    let _ = tell.send(false);
                }
            }
        });
        Ok(Raw { id, control, connected, running })
    }

    /// Whether the node has not hung up yet.
    pub(crate) fn is_connected(&self) -> bool {
        *self.connected.borrow()
    }

    /// Opens a stream of any protocol to the node.
    pub(crate) async fn open(&mut self, node: PeerId, protocol: &str) -> Result<Stream, Failure> {
        let protocol = StreamProtocol::try_from_owned(protocol.to_owned())?;
        Ok(self.control.open_stream(node, protocol).await?)
    }
}
