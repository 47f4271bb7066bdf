//! Matching: which nodes and capacities are what the nodes of a template ask for.
//!
//! A node asks through its requirements, as far as no node of its own template meets them, and through its
//! own `node_filter`. A candidate has to meet all that it asks for and that is not optional. What of a
//! filter is not understood is passed over, and the answer says so.
//!
//! One state of the database is read, then everything is judged in memory: every capacity by every node
//! that asks. Work ends at the deadline, and an answer has a bounded size whatever is found.

mod asked;
mod capacity;
mod check;
mod demand;
mod facts;
mod judge;
mod lineage;
mod operand;
mod quantity;
mod reading;

use crate::error::Error;
use crate::limits::MATCH_SHOWN_ALL_CAPACITIES_MAX;
use crate::query::Criteria;
use asked::Asked;
use demand::{Ask, demands};
use facts::Facts;
use judge::{meets, reason};
use optimusdb_storage::{StoreRef, View};
use serde::Serialize;
use std::net::IpAddr;
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
    /// The address of who asks; `None` for the node itself.
    pub client: Option<IpAddr>,
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
    let mut asked = Asked::default();
    let (mut nodes, mut asks) = (Vec::new(), Vec::new());
    for (id, document) in &templates {
        let demands = demands(document, &mut asked, node, requirement);
        for demand in demands.into_iter().flatten() {
            nodes.push(NodeMatch::of(id, demand.node, &demand.asks, demand.unclear));
            asks.push(demand.asks);
        }
    }
    if let (Some(node), true) = (node, nodes.is_empty()) {
        return Err(Error::NotFound(match templates.as_slice() {
            [(id, _)] => format!("template {id:?} has no node template {node:?}"),
            _ => format!("no template that matches has a node template {node:?}"),
        }));
    }
    let capacities = reading::capacities(view, stores, asked.asks_nodes(), deadline)?;
    let shown = MATCH_SHOWN_ALL_CAPACITIES_MAX / 2 / nodes.len().max(1);
    let limit = question.limit.min(shown);
    for capacity in &capacities {
        if Instant::now() >= deadline {
            return Err(optimusdb_storage::Error::Interrupted.into());
        }
        let facts = Facts::new(capacity, &asked);
        for (node, asks) in nodes.iter_mut().zip(&asks) {
            node.judge(asks, &facts, &stores[capacity.store].0, limit);
        }
    }
    let template = match templates.into_iter().next() {
        Some((id, _)) if nodes.iter().all(|node| node.template == id) => Some(id),
        _ => None,
    };
    Ok(ToscaMatch { template, nodes })
}

impl NodeMatch {
    fn of(template: &str, node: String, asks: &[Ask], unclear: Vec<String>) -> NodeMatch {
        NodeMatch {
            template: template.to_owned(),
            node,
            asks: asks.iter().map(|ask| ask.name.clone()).collect(),
            candidates: Vec::new(),
            rejected: Vec::new(),
            candidates_total: 0,
            rejected_total: 0,
            not_understood: unclear,
        }
    }

    /// Takes up a capacity: as a candidate, or as refused. Of each at most `limit` are shown.
    fn judge(&mut self, asks: &[Ask], facts: &Facts<'_>, store: &str, limit: usize) {
        let capacity = facts.capacity;
        // Who asks for nothing is met by nobody, and nobody is what it asks for itself.
        let is_self = capacity.key == self.template && capacity.node == self.node;
        if asks.is_empty() || is_self {
            return;
        }
        let failed = asks.iter().find(|ask| !ask.optional && !meets(ask, facts));
        let (total, shown) = match failed {
            None => (&mut self.candidates_total, self.candidates.len()),
            Some(_) => (&mut self.rejected_total, self.rejected.len()),
        };
        *total += 1;
        if shown >= limit {
            return;
        }
        let matched = asks.iter().filter(|ask| meets(ask, facts)).map(|ask| ask.name.clone());
        let matched = matched.collect();
        let (store, id, node) = (store.to_owned(), capacity.key.clone(), capacity.node.clone());
        match failed {
            None => self.candidates.push(Candidate { store, id, node, matched }),
            Some(ask) => {
                let reason = reason(ask, facts);
                self.rejected.push(RejectedCapacity { store, id, node, reason, matched });
            }
        }
    }
}
