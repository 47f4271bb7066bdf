//! Looks up what peers want, in what this node may serve them.

use optimusdb_dag::Cid;

use super::limits::{BLOCK_BYTES_MAX, READ_BYTES_MAX};
use super::message::WantType;
use super::server::{Found, Want};
use crate::{Asker, Local};

/// Looks up wants of one peer, one after the other. Those that come when enough bytes are found are
/// left unread.
pub(super) async fn look_up(
    local: &dyn Local,
    asker: Asker,
    wants: Vec<(Cid, Want)>,
) -> Vec<(Cid, Want, Found)> {
    let mut bytes = 0;
    let mut found = Vec::with_capacity(wants.len());
    for (cid, want) in wants {
        let result = if bytes >= READ_BYTES_MAX {
            Found::Unread
        } else {
            match want.ask {
                WantType::Have if local.has(asker, cid.clone()).await => Found::Have,
                WantType::Have => Found::Missing,
                WantType::Block => match local.block(asker, cid.clone()).await {
                    Some(block) if block.len() <= BLOCK_BYTES_MAX => Found::Block(block),
                    _ => Found::Missing,
                },
            }
        };
        if let Found::Block(block) = &result {
            bytes += block.len();
        }
        found.push((cid, want, result));
    }
    found
}
