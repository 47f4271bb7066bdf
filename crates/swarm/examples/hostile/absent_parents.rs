//! A member shows heads that each name as many parents as may be, none of which exists: a hundred a second.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use optimusdb_dag::limits::NEXT_LINKS_MAX;

use crate::Victim;
use crate::forge::{new_keys, orphan};
use crate::member::{MadeUp, join};
use crate::raw::Failure;

const HEADS_A_TURN: u64 = 10;
const TURN: Duration = Duration::from_millis(100);

pub(crate) async fn play(victim: &Victim) -> Result<String, Failure> {
    let keys = new_keys()?;
    let made_up = MadeUp::of(keys.identity());
    let mut swarm = join(victim, Arc::clone(&made_up)).await?;
    let (mut shown, mut failed, mut number) = (0, 0, 0);
    while !victim.is_over() {
        let mut heads = Vec::new();
        for _ in 0..HEADS_A_TURN {
            number += 1;
            heads.push(orphan(&keys, victim.store, number, NEXT_LINKS_MAX)?.block().to_vec());
        }
        *made_up.heads.lock().unwrap_or_else(PoisonError::into_inner) = heads;
        match swarm.exchange_heads(victim.peer, victim.store).await {
            Ok(_) => shown += HEADS_A_TURN,
            Err(_) => {
                failed += 1;
                // With a new identity, as whoever is sent away would.
                if let Ok(again) = join(victim, Arc::clone(&made_up)).await {
                    std::mem::replace(&mut swarm, again).shutdown().await;
                }
            }
        }
        victim.rest(TURN).await;
    }
    Ok(format!("{shown} heads with {NEXT_LINKS_MAX} absent parents, {failed} exchanges failed"))
}
