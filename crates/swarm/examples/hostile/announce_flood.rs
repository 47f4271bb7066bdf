//! A member announces signed entries whose parent exists nowhere, as fast as the announcements go out.

use std::sync::Arc;
use std::time::Duration;

use crate::Victim;
use crate::forge::{new_keys, orphan};
use crate::member::{MadeUp, join};
use crate::raw::Failure;

/// Announcements a turn, and turns: 4,000 announcements a second.
const A_TURN: u64 = 40;
const TURN: Duration = Duration::from_millis(10);
/// Turns after which it looks whether it is still connected.
const LOOK: u64 = 50;

pub(crate) async fn play(victim: &Victim) -> Result<String, Failure> {
    let keys = new_keys()?;
    let made_up = MadeUp::of(keys.identity());
    let mut swarm = join(victim, Arc::clone(&made_up)).await?;
    let (mut announced, mut left, mut turns) = (0, 0, 0);
    while !victim.is_over() {
        for _ in 0..A_TURN {
            announced += 1;
            let entry = orphan(&keys, victim.store, announced, 1)?;
            let _ = swarm.publish(victim.store, entry.block());
        }
        turns += 1;
        if turns % LOOK == 0 && !swarm.peers().iter().any(|peer| peer.id == victim.peer) {
            left += 1;
            if let Ok(again) = join(victim, Arc::clone(&made_up)).await {
                std::mem::replace(&mut swarm, again).shutdown().await;
            }
        }
        victim.rest(TURN).await;
    }
    Ok(format!("{announced} announcements, {left} times not connected"))
}
