//! What must hold. It looks at all nodes at once, which no node can.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use optimusdb_dag::limits::{
    ANNOUNCEMENTS_WAITING_MAX, FETCHES_MAX, FETCHES_WAITING_MAX, HEADS_WANTED_MAX,
    JOIN_ENTRIES_MAX, PARKED_BLOCKS_MAX, PULL_PERIOD_MS, REPLICATOR_PEERS_MAX,
    STORE_WAITING_ENTRIES_MAX,
};
use optimusdb_dag::replicator::{Load, Replicator};
use optimusdb_dag::{Entry, LogCid, OrderKey};

use crate::ledger::Ledger;
use crate::limits::{
    MESSAGES_PER_CONNECTION_MAX, MESSAGES_PER_WRITE_MAX, QUIET_ASK_BYTES_MAX, QUIET_ASKS_MAX,
    QUIET_EXCHANGES_MAX,
};
use crate::message::Kind;
use crate::store::{Store, key_of};
use crate::world::{Node, World};

/// Looks whether everything holds that must hold at any time.
pub(crate) fn check(world: &mut World) {
    let stores = world.stores();
    let mut result = check_equal_sets(&stores.iter().map(|(_, s)| *s).collect::<Vec<_>>());
    for (node, store) in stores {
        let check = check_store(store, &world.ledger);
        result = result.and(check.map_err(|why| format!("node {node}: {why}")));
    }
    for node in &world.nodes {
        if let Node::Native(native) = node
            && let Some(replicator) = native.replicator()
        {
            result = result.and(check_load(replicator));
        }
    }
    result.unwrap_or_else(|why| world.ledger.fail(why));
}

/// Checks one replica.
///
/// # Errors
/// What does not hold.
fn check_store(store: &Store, ledger: &Ledger) -> Result<(), String> {
    if let Some(cid) = store.entries.keys().find(|cid| ledger.forged.contains(cid)) {
        return Err(format!("the forged entry {cid} is stored"));
    }
    if let Some(cid) = store.entries.keys().find(|cid| !ledger.honest.contains(cid)) {
        return Err(format!("{cid} is stored, and nobody wrote it"));
    }
    if let Some(cid) = store.passed.keys().find(|cid| store.entries.contains_key(cid)) {
        return Err(format!("{cid} is stored and passed over"));
    }
    check_heads(store)?;
    if store.index != derived(store) {
        return Err("the index is not that of the entries".to_owned());
    }
    Ok(())
}

/// Heads reach everything, and none reaches another.
fn check_heads(store: &Store) -> Result<(), String> {
    let heads: BTreeSet<LogCid> = store.heads().iter().map(|head| head.cid).collect();
    if let Some(head) = heads.iter().find(|cid| !store.entries.contains_key(cid)) {
        return Err(format!("head {head} is not stored"));
    }
    let mut reached: HashSet<LogCid> = HashSet::new();
    let mut line: Vec<LogCid> = heads.iter().copied().collect();
    while let Some(cid) = line.pop() {
        let entry = store.entries.get(&cid).map(Entry::next);
        let passed = store.passed.get(&cid).map(|passed| passed.next.as_slice());
        let Some(next) = entry.or(passed) else {
            return Err(format!("ancestor {cid} is neither stored nor passed over"));
        };
        for parent in next {
            if heads.contains(parent) {
                return Err(format!("head {parent} is an ancestor of another"));
            }
            if reached.insert(*parent) {
                line.push(*parent);
            }
        }
    }
    match store.entries.keys().find(|cid| !heads.contains(cid) && !reached.contains(cid)) {
        Some(cid) => Err(format!("no head reaches {cid}")),
        None => Ok(()),
    }
}

/// The index as it follows from the set of entries.
fn derived(store: &Store) -> BTreeMap<String, OrderKey> {
    let mut index: BTreeMap<String, OrderKey> = BTreeMap::new();
    for entry in store.entries.values() {
        let Some(key) = key_of(entry) else { continue };
        let order = entry.order();
        let newest = index.entry(key).or_insert_with(|| order.clone());
        if *newest < order {
            *newest = order;
        }
    }
    index
}

/// Replicas with the same entries have the same index and the same heads.
fn check_equal_sets(stores: &[&Store]) -> Result<(), String> {
    let mut by_set: HashMap<Vec<LogCid>, &Store> = HashMap::new();
    for store in stores {
        let set: Vec<LogCid> = store.cids().collect();
        let other = by_set.entry(set).or_insert(store);
        if other.index != store.index {
            return Err("two replicas with the same entries have different indexes".to_owned());
        }
        if other.passed.is_empty() && store.passed.is_empty() && other.heads() != store.heads() {
            return Err("two replicas with the same entries have different heads".to_owned());
        }
    }
    Ok(())
}

/// What a replicator keeps is within its limits, and what it waits for is asked for.
fn check_load(replicator: &Replicator) -> Result<(), String> {
    let load = replicator.load();
    let Load { peers, heads_wanted, announcements_waiting, fetches, joining, storing } = load;
    let fits = peers <= REPLICATOR_PEERS_MAX
        && heads_wanted <= HEADS_WANTED_MAX
        && announcements_waiting <= ANNOUNCEMENTS_WAITING_MAX
        && fetches
            <= FETCHES_MAX + FETCHES_WAITING_MAX + ANNOUNCEMENTS_WAITING_MAX + PARKED_BLOCKS_MAX
        && joining <= JOIN_ENTRIES_MAX
        && storing <= 2 * STORE_WAITING_ENTRIES_MAX;
    if !fits {
        return Err(format!("more is kept than may be: {load:?}"));
    }
    if joining > 0 && fetches == 0 {
        return Err(format!("entries wait for what nobody asks for: {load:?}"));
    }
    Ok(())
}

/// Why these replicas are not level, if they are not.
pub(crate) fn differences(stores: &[(usize, &Store)], ledger: &Ledger) -> Option<String> {
    let union: BTreeSet<LogCid> = stores.iter().flat_map(|(_, store)| store.cids()).collect();
    let mut out = Vec::new();
    for (node, store) in stores {
        let missing: Vec<String> = union
            .iter()
            .filter(|cid| !store.entries.contains_key(cid))
            .map(|cid| format!("{cid:.12}"))
            .collect();
        if !missing.is_empty() {
            out.push(format!(
                "node {node} lacks {} of {}: {missing:?}",
                missing.len(),
                union.len()
            ));
        }
    }
    if let Some(lost) = ledger.acked.iter().find(|cid| !union.contains(cid)) {
        out.push(format!("{lost:.12} was acknowledged and is lost"));
    }
    if out.is_empty() { None } else { Some(out.join("; ")) }
}

/// Honest nodes among themselves send no more than writes and connections call for.
pub(crate) fn check_messages(world: &mut World) {
    let natives = world.plan.keys.len() as u64;
    let links = world.plan.links.len() as u64;
    let writes = world.ledger.acked.len() as u64;
    let announced = world.ledger.sent_of(Kind::Announce);
    if announced > 2 * links * writes {
        let what = format!("{announced} announcements of {writes} writes on {links} connections");
        world.ledger.fail(what);
    }
    let periods = world.timeline.now_ms() / PULL_PERIOD_MS + 1;
    let sent: u64 = world.ledger.sent.values().sum();
    let connections = world.ledger.connections + world.ledger.failed_stores;
    let may = MESSAGES_PER_WRITE_MAX * links * writes
        + MESSAGES_PER_CONNECTION_MAX * connections
        + 4 * periods * (natives + links);
    if sent > may {
        world.ledger.fail(format!("{sent} messages, where {may} are called for"));
    }
}

/// Nodes that are level send next to nothing.
pub(crate) fn check_quiet(world: &mut World) {
    let natives = world.plan.keys.len() as u64;
    let links = world.plan.links.len() as u64;
    let sent = |kind| world.ledger.sent_of(kind);
    let (asks, heads) = (sent(Kind::Ask), sent(Kind::Heads));
    let few = asks <= natives * QUIET_ASKS_MAX
        && sent(Kind::Reply) <= asks + natives
        && heads <= 4 * links * QUIET_EXCHANGES_MAX
        && [Kind::Announce, Kind::Want, Kind::Block].iter().all(|kind| sent(*kind) == 0);
    // An exchange of heads sends heads, whatever the other has.
    let small = heads > 0 || world.ledger.bytes_sent <= asks * QUIET_ASK_BYTES_MAX;
    if !few || !small {
        let (sent, bytes) = (&world.ledger.sent, world.ledger.bytes_sent);
        let what = format!("level nodes sent {sent:?}, {bytes} bytes");
        world.ledger.fail(what);
    }
}

/// For each entry that a replica lacks, what its parents are there.
pub(crate) fn explain(stores: &[(usize, &Store)]) -> Vec<String> {
    let all: BTreeMap<LogCid, &Entry> = stores
        .iter()
        .flat_map(|(_, store)| store.entries.iter().map(|(cid, entry)| (*cid, entry)))
        .collect();
    let mut lines = Vec::new();
    for (node, store) in stores {
        for (cid, entry) in all.iter().filter(|(cid, _)| !store.entries.contains_key(cid)) {
            let parents: Vec<String> = entry
                .next()
                .iter()
                .map(|parent| {
                    let here = match (store.entries.contains_key(parent), all.contains_key(parent))
                    {
                        (true, _) => "here",
                        (false, _) if store.passed.contains_key(parent) => "passed over here",
                        (false, true) => "elsewhere",
                        (false, false) => "passed over elsewhere",
                    };
                    format!("{parent:.12} {here}")
                })
                .collect();
            let what = if store.passed.contains_key(cid) { "passes over" } else { "lacks" };
            let time = entry.clock().time;
            lines.push(format!("node {node} {what} {cid:.12}, time {time}, above {parents:?}"));
        }
    }
    lines
}
