//! Short connections of peers that each claim to listen where a bystander does, who never asked for any of
//! this and counts how often it is dialled.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use libp2p::Multiaddr;
use tokio::net::TcpListener;

use crate::Victim;
use crate::raw::{Failure, Raw};

const CONNECTIONS: usize = 40;
/// Addresses that each of them claims: as many as are kept of a peer.
const CLAIMS: u8 = 16;
/// Until it has said who it is.
const STAY: Duration = Duration::from_millis(300);

pub(crate) async fn play(victim: &Victim) -> Result<String, Failure> {
    let bystander = TcpListener::bind(("0.0.0.0", 0)).await?;
    let port = bystander.local_addr()?.port();
    let dialled = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&dialled);
    let accepting = tokio::spawn(async move {
        while bystander.accept().await.is_ok() {
            counting.fetch_add(1, Ordering::Relaxed);
        }
    });
    let claims: Vec<Multiaddr> = (1..=CLAIMS)
        .map(|last| format!("/ip4/127.0.2.{last}/tcp/{port}").parse())
        .collect::<Result<_, _>>()?;
    let mut connected = 0;
    for _ in 0..CONNECTIONS {
        if let Ok(peer) = Raw::connect(&victim.address, claims.clone()).await {
            connected += 1;
            victim.rest(STAY).await;
            drop(peer);
        }
    }
    tokio::time::sleep_until(victim.until.into()).await;
    accepting.abort();
    let dialled = dialled.load(Ordering::Relaxed);
    Ok(format!("{connected} short connections had the bystander dialled {dialled} times"))
}
