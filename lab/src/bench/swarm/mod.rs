//! Several nodes: how fast what one stores is on the others, and what being together costs.
//!
//! Two JavaScript OrbitDB peers do the same on the same machine right after, as far as they can. What
//! cannot be measured is shown as such, and the rest is measured all the same.

mod crowd;
mod group;
mod javascript;
mod pair;

use anyhow::Result;

use super::Bench;
use super::table::Table;

type Measure = fn(&Bench<'_>, &mut SwarmMeasures, &mut Table) -> Result<()>;

const MEASURES: &[(&str, Measure)] = &[
    ("put to visible on the other node", pair::latency),
    ("cold sync", pair::cold),
    ("live", pair::live),
    ("memory with 5 peers", crowd::memory),
    ("20 nodes", crowd::reach),
    ("idle swarm of 8", crowd::idle),
    ("JavaScript", javascript::measure),
];

/// What is compared with the JavaScript peers: figures of ours.
#[derive(Default)]
struct SwarmMeasures {
    visible_ms: Option<f64>,
    cold_per_second: Option<f64>,
    live_seconds: Option<f64>,
}

/// Adds the figures of swarms.
///
/// # Errors
/// None: a measure that fails is a row that says why.
pub(super) fn measure(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let mut figures = SwarmMeasures::default();
    for (name, measure) in MEASURES {
        eprintln!("bench: swarm: {name}");
        if let Err(error) = measure(bench, &mut figures, table) {
            eprintln!("bench: swarm: {name}: {error:#}");
            table.missing(name, "failed, see above");
        }
    }
    Ok(())
}
