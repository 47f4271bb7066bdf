//! What must hold of the heads of a log when they are committed.
//!
//! In builds with debug assertions only, and only as far as a few look-ups go: heads beyond the
//! first few, and ancestors beyond the nearest, are taken on trust.

use std::collections::{HashSet, VecDeque};

use optimusdb_dag::{EntryLinks, LogCid, LogTip};
use optimusdb_storage::{Error, View};

/// Heads that are looked at.
const CHECKED_HEADS_MAX: usize = 16;
/// Ancestors that are looked at, of all heads together.
const CHECKED_ANCESTORS_MAX: usize = 64;

/// Heads are closed: each is stored, with its parents stored or passed over and older than it. No
/// head is an ancestor of another.
pub(super) fn heads(view: View<'_>, tip: &LogTip) -> Result<(), Error> {
    let heads = tip.heads();
    debug_assert!(!heads.is_empty(), "{} has entries and no head", tip.log());
    for head in heads.iter().take(CHECKED_HEADS_MAX) {
        debug_assert!(view.is_stored(&head.cid)?, "head {} is not stored", head.cid);
        debug_assert!(!view.is_passed(&head.cid)?, "head {} is passed over", head.cid);
        for parent in head.next.iter().take(CHECKED_HEADS_MAX) {
            let time = view.time_of(parent)?;
            if view.is_set_aside(parent)? {
                continue;
            }
            debug_assert!(time.is_some(), "{parent}, a parent of head {}, is missing", head.cid);
            debug_assert!(time < Some(head.clock.time), "{parent} is not older than {}", head.cid);
        }
    }
    if (2..=CHECKED_HEADS_MAX).contains(&heads.len()) {
        no_ancestor_among(view, heads)?;
    }
    Ok(())
}

fn no_ancestor_among(view: View<'_>, heads: &[EntryLinks]) -> Result<(), Error> {
    let names: HashSet<LogCid> = heads.iter().map(|head| head.cid).collect();
    let mut queue: VecDeque<LogCid> = heads.iter().flat_map(|head| &head.next).copied().collect();
    let mut seen = HashSet::new();
    while let Some(ancestor) = queue.pop_front()
        && seen.len() < CHECKED_ANCESTORS_MAX
    {
        if !seen.insert(ancestor) {
            continue;
        }
        debug_assert!(!names.contains(&ancestor), "head {ancestor} is an ancestor of another");
        if let Some(entry) = view.entry(&ancestor)? {
            queue.extend(entry.next());
        }
    }
    Ok(())
}
