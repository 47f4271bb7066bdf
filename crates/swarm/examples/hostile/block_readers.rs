//! Two members read the same blocks again and again, as fast as they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Victim;
use crate::member::{MadeUp, join};
use crate::raw::Failure;

const READERS: usize = 2;

pub(crate) async fn play(victim: &Victim) -> Result<String, Failure> {
    let bytes = Arc::new(AtomicU64::new(0));
    let (mut swarms, mut reading) = (Vec::new(), Vec::new());
    for _ in 0..READERS {
        let swarm = join(victim, Arc::new(MadeUp::default())).await?;
        for cid in victim.cids.clone() {
            let (swarm, bytes, peer, until) =
                (swarm.clone(), Arc::clone(&bytes), victim.peer, victim.until);
            reading.push(tokio::spawn(async move {
                while tokio::time::Instant::now() < until.into() {
                    if let Ok(block) = swarm.fetch(cid.clone(), vec![peer]).await {
                        bytes.fetch_add(block.len() as u64, Ordering::Relaxed);
                    }
                }
            }));
        }
        swarms.push(swarm);
    }
    for task in reading {
        task.await?;
    }
    Ok(format!("{READERS} readers drew {} MB", bytes.load(Ordering::Relaxed) / 1_000_000))
}
