//! A hostile peer as a program: it plays one attack against a node, for so many seconds, and says what it
//! got done. What that cost the node is measured by `cargo xtask hostile`, which starts it.
//!
//! `hostile ATTACK NODE SWARM STORE SECONDS [CID…]`: the multiaddr of the node with its peer id, the name of
//! its swarm, the address of a store, and what may be read. Every attack is bounded in time and in count, and
//! says only what nodes of the swarm room say, or less.

#![allow(clippy::print_stdout, reason = "what it prints is its product")]

mod absent_parents;
mod announce_flood;
mod block_readers;
mod dial_bystander;
mod forge;
mod half_frames;
mod idle;
mod member;
mod raw;
mod unfinished_heads;

use std::time::{Duration, Instant};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use optimusdb_dag::{Address, Cid};
use raw::Failure;

/// What is attacked, and for how long.
struct Victim {
    address: Multiaddr,
    peer: PeerId,
    swarm: String,
    store: Address,
    until: Instant,
    cids: Vec<Cid>,
}

impl Victim {
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Waits, but not beyond the end.
    async fn rest(&self, time: Duration) {
        let end = (Instant::now() + time).min(self.until);
        tokio::time::sleep_until(end.into()).await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [attack, node, swarm, store, seconds, cids @ ..] = &arguments[..] else {
        return Err("hostile ATTACK NODE SWARM STORE SECONDS [CID…]".into());
    };
    let address: Multiaddr = node.parse()?;
    let Some(Protocol::P2p(peer)) = address.iter().last() else {
        return Err("the address of the node has to end with its peer id".into());
    };
    let victim = Victim {
        address,
        peer,
        swarm: swarm.clone(),
        store: store.parse()?,
        until: Instant::now() + Duration::from_secs(seconds.parse()?),
        cids: cids.iter().map(|cid| cid.parse()).collect::<Result<_, _>>()?,
    };
    let done = match attack.as_str() {
        "half-frames" => half_frames::play(&victim).await?,
        "idle" => idle::play(&victim).await?,
        "absent-parents" => absent_parents::play(&victim).await?,
        "announce-flood" => announce_flood::play(&victim).await?,
        "dial-bystander" => dial_bystander::play(&victim).await?,
        "block-readers" => block_readers::play(&victim).await?,
        "unfinished-heads" => unfinished_heads::play(&victim).await?,
        other => return Err(format!("no attack `{other}`").into()),
    };
    println!("{done}");
    Ok(())
}
