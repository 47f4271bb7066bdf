//! A node of the swarm as far as anybody can tell: a host of this room, over a store that holds what the
//! attack makes up.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use optimusdb_dag::sync::{Declined, Reply};
use optimusdb_dag::{Address, Cid, Identity};
use optimusdb_swarm::{
    Asker, BoxFuture, HostKey, Local, NetworkConfig, PeerId, Swarm, SwarmConfig,
};

use crate::Victim;
use crate::raw::Failure;

/// What is served: some blocks, and the heads of the moment. It has no store to pull from.
#[derive(Default)]
pub(crate) struct MadeUp {
    pub(crate) blocks: Mutex<HashMap<Cid, Vec<u8>>>,
    pub(crate) heads: Mutex<Vec<Vec<u8>>>,
}

impl MadeUp {
    /// What a writer begins with: its identity is served.
    pub(crate) fn of(identity: &Identity) -> Arc<MadeUp> {
        let made_up = MadeUp::default();
        let mut blocks = made_up.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.insert(identity.cid.into(), identity.block.clone());
        drop(blocks);
        Arc::new(made_up)
    }
}

impl Local for MadeUp {
    fn block(&self, _: Asker, cid: Cid) -> BoxFuture<'_, Option<Vec<u8>>> {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let block = blocks.get(&cid).cloned();
        Box::pin(async move { block })
    }

    fn has(&self, _: Asker, cid: Cid) -> BoxFuture<'_, bool> {
        let has = self.blocks.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&cid);
        Box::pin(async move { has })
    }

    fn heads(&self, _: PeerId, _: Address) -> BoxFuture<'_, Vec<Vec<u8>>> {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move { heads })
    }

    fn sync(&self, _: PeerId, _: Vec<u8>) -> BoxFuture<'_, Vec<u8>> {
        Box::pin(async { Reply::Declined(Declined::Unknown).encode() })
    }
}

/// A host that is connected to the victim and has its store open.
pub(crate) async fn join(victim: &Victim, made_up: Arc<MadeUp>) -> Result<Swarm, Failure> {
    let config = SwarmConfig {
        key: HostKey::generate(),
        swarm: victim.swarm.clone(),
        network: NetworkConfig {
            listen: vec![IpAddr::from(Ipv4Addr::LOCALHOST)],
            ..NetworkConfig::default()
        },
        region: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let (swarm, mut events) = Swarm::start(config, made_up).await?;
    // What it is told does not matter to it.
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    swarm.open_store(victim.store).await?;
    swarm.connect(&victim.address.to_string()).await?;
    Ok(swarm)
}
