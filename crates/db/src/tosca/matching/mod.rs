//! Matching: which nodes and capacities are what the nodes of a template ask for.
//!
//! A node asks through its requirements, as far as no node of its own template meets them, and through its
//! own `node_filter`. A candidate has to meet all that it asks for and that is not optional. What of a
//! filter is not understood is passed over, and the answer says so.
//!
//! One state of the database is read, then everything is judged in memory: every capacity by every node
//! that asks. Work ends at the deadline, and an answer has a bounded size whatever is found.

mod capacity;
mod check;
mod demand;
mod judge;
mod lineage;
mod quantity;
mod reading;

use crate::error::Error;
use crate::limits::{MATCH_CLOCK_CAPACITIES, MATCH_SHOWN_ALL_CAPACITIES_MAX};
use crate::query::Criteria;
use capacity::Capacity;
use check::{Check, Whose};
use demand::{Demand, demands};
use judge::{meets, reason};
use optimusdb_storage::{StoreRef, View};
use serde::Serialize;
use std::time::Instant;

/// Whose demands are to be met, and where.
#[derive(Debug)]
pub struct ToscaQuestion {
    /// The templates.
    pub templates: Criteria,
    /// The `_id` of the template, where there is to be just that one.
    pub template: Option<String>,
    /// The one node that is meant; all that ask, if none is named.
    pub node: Option<String>,
    /// The one requirement that is meant.
    pub requirement: Option<String>,
    /// Where capacities are looked for.
    pub stores: Vec<String>,
    /// How many candidates, and how many refused ones, are shown of each node.
    pub limit: usize,
    /// How long it may take, in milliseconds.
    pub time_budget_ms: Option<u64>,
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct ToscaMatch {
    /// The `_id` of the template; null where criteria mean several.
    pub template: Option<String>,
    /// Every node that asks for something.
    pub nodes: Vec<NodeMatch>,
}

/// What was found for a node.
#[derive(Debug, Serialize)]
pub struct NodeMatch {
    /// The `_id` of its template.
    pub template: String,
    /// Its name.
    pub node: String,
    /// What it asks for: names of requirements, and `node_filter`.
    pub asks: Vec<String>,
    /// Who has it, by store, `_id` and name, as many as are shown.
    pub candidates: Vec<Candidate>,
    /// Who has not, likewise.
    pub rejected: Vec<RejectedCapacity>,
    /// How many candidates there are.
    pub candidates_total: usize,
    /// How many were refused.
    pub rejected_total: usize,
    /// Conditions that were passed over, in words.
    pub not_understood: Vec<String>,
}

/// Who has what is asked for.
#[derive(Debug, Serialize)]
pub struct Candidate {
    /// The store.
    pub store: String,
    /// The `_id` of the document.
    #[serde(rename = "_id")]
    pub id: String,
    /// The node template or node type in it; of a resource its `_id`.
    pub node: String,
    /// What it meets of what is asked for.
    pub matched: Vec<String>,
}

/// Who has not.
#[derive(Debug, Serialize)]
pub struct RejectedCapacity {
    /// The store.
    pub store: String,
    /// The `_id` of the document.
    #[serde(rename = "_id")]
    pub id: String,
    /// As of a [`Candidate`].
    pub node: String,
    /// The first thing that it fails.
    pub reason: String,
    /// What it does meet.
    pub matched: Vec<String>,
}

/// A store with its name.
pub(crate) type SearchedStore = (String, StoreRef);

/// Answers a question in one state of the database.
pub(crate) fn answer(
    view: View<'_>,
    question: &ToscaQuestion,
    stores: &[SearchedStore],
    deadline: Instant,
) -> Result<ToscaMatch, Error> {
    let templates = reading::templates(view, &question.templates, deadline)?;
    if templates.is_empty() {
        return Err(Error::NotFound(match &question.template {
            Some(id) => format!("there is no TOSCA file with the _id {id:?}"),
            None => "no TOSCA file matches the criteria".into(),
        }));
    }
    let (node, requirement) = (question.node.as_deref(), question.requirement.as_deref());
    let mut asked = Vec::new();
    for (id, document) in &templates {
        asked.extend(demands(document, node, requirement).into_iter().flatten().map(|it| (id, it)));
    }
    if let (Some(node), true) = (node, asked.is_empty()) {
        return Err(Error::NotFound(match templates.as_slice() {
            [(id, _)] => format!("template {id:?} has no node template {node:?}"),
            _ => format!("no template that matches has a node template {node:?}"),
        }));
    }
    let whole = asked
        .iter()
        .flat_map(|(_, it)| &it.asks)
        .any(|ask| ask.check.as_ref().is_some_and(of_node));
    let capacities = reading::capacities(view, stores, whole, deadline)?;
    let mut room = MATCH_SHOWN_ALL_CAPACITIES_MAX;
    let mut nodes = Vec::with_capacity(asked.len());
    for (id, demand) in asked {
        let limit = question.limit.min(room / 2);
        let found = judged(id, demand, &capacities, stores, limit, deadline)?;
        room -= found.candidates.len() + found.rejected.len();
        nodes.push(found);
    }
    let template = match templates.into_iter().next() {
        Some((id, _)) if nodes.iter().all(|node| node.template == id) => Some(id),
        _ => None,
    };
    Ok(ToscaMatch { template, nodes })
}

/// Whether a condition asks for properties that are not of a capability.
fn of_node(check: &Check) -> bool {
    match check {
        Check::All(parts) | Check::Any(parts) => parts.iter().any(of_node),
        Check::Not(part) => of_node(part),
        Check::Compare(it) => matches!(it.place, Whose::Node | Whose::Either(_)),
        Check::Unclear => false,
    }
}

fn judged(
    template: &str,
    demand: Demand,
    capacities: &[Capacity],
    stores: &[SearchedStore],
    limit: usize,
    deadline: Instant,
) -> Result<NodeMatch, Error> {
    let Demand { node, asks, unclear } = demand;
    let mut found = NodeMatch {
        template: template.to_owned(),
        asks: asks.iter().map(|ask| ask.name.clone()).collect(),
        candidates: Vec::new(),
        rejected: Vec::new(),
        candidates_total: 0,
        rejected_total: 0,
        not_understood: unclear,
        node,
    };
    // Who asks for nothing is met by nobody.
    let capacities = if asks.is_empty() { &[][..] } else { capacities };
    for (nth, capacity) in capacities.iter().enumerate() {
        if nth % MATCH_CLOCK_CAPACITIES == 0 && Instant::now() >= deadline {
            return Err(optimusdb_storage::Error::Interrupted.into());
        }
        if capacity.key == template && capacity.node == found.node {
            continue;
        }
        let failed = asks.iter().find(|ask| !ask.optional && !meets(ask, capacity));
        let shown =
            || (stores[capacity.store].0.clone(), capacity.key.clone(), capacity.node.clone());
        let matched =
            || asks.iter().filter(|ask| meets(ask, capacity)).map(|ask| ask.name.clone()).collect();
        if let Some(failed) = failed {
            found.rejected_total += 1;
            if found.rejected.len() < limit {
                let ((store, id, node), reason) = (shown(), reason(failed, capacity));
                found.rejected.push(RejectedCapacity {
                    store,
                    id,
                    node,
                    reason,
                    matched: matched(),
                });
            }
        } else {
            found.candidates_total += 1;
            if found.candidates.len() < limit {
                let (store, id, node) = shown();
                found.candidates.push(Candidate { store, id, node, matched: matched() });
            }
        }
    }
    Ok(found)
}
