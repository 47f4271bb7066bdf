//! What the nodes of a template ask for that the template does not have itself.

use super::asked::Asked;
use super::check::{Check, prepare};
use super::lineage::WantedName;
use optimusdb_dag::Ipld;
use optimusdb_storage::tosca::{NodeTemplate, Requirement, conditions, node_templates};
use std::collections::HashSet;

/// What a node asks for.
#[derive(Debug)]
pub(super) struct Demand {
    pub(super) node: String,
    pub(super) asks: Vec<Ask>,
    /// What of it is not understood, in words.
    pub(super) unclear: Vec<String>,
}

/// One thing that a candidate has to be.
#[derive(Debug)]
pub(super) struct Ask {
    /// The requirement's name, with its number where there are several of it; or `node_filter`.
    pub(super) name: String,
    /// Whether a candidate may miss it.
    pub(super) optional: bool,
    /// The number of the type that it has to be of.
    pub(super) node_type: Option<usize>,
    /// The number of the capability that it has to have.
    pub(super) capability: Option<usize>,
    pub(super) check: Option<Check>,
}

/// What the nodes of a template ask for, or the one of that name alone, and of its requirements the one
/// of that name. None if there is no such node. What it asks is numbered in `asked`.
pub(super) fn demands(
    document: &Ipld,
    asked: &mut Asked,
    node: Option<&str>,
    requirement: Option<&str>,
) -> Option<Vec<Demand>> {
    let named: HashSet<&str> = node_templates(document).map(|node| node.name).collect();
    if node.is_some_and(|node| !named.contains(node)) {
        return None;
    }
    let wanted = node_templates(document).filter(|it| node.is_none_or(|node| it.name == node));
    let demands = wanted.map(|it| demand(&it, &named, requirement, asked));
    // A node that is named is answered about, whatever it asks for.
    Some(demands.filter(|demand| node.is_some() || !demand.asks.is_empty()).collect())
}

fn demand(
    node: &NodeTemplate<'_>,
    named: &HashSet<&str>,
    only: Option<&str>,
    asked: &mut Asked,
) -> Demand {
    let mut demand = Demand { node: node.name.to_owned(), asks: Vec::new(), unclear: Vec::new() };
    for required in node.requirements() {
        // What the template has itself is not looked for elsewhere.
        let within = required.target.is_some_and(|target| named.contains(target));
        if !within && only.is_none_or(|only| only == required.name) {
            demand.asks.extend(ask(&required, asked, &mut demand.unclear));
        }
    }
    if let Some(filter) = node.filter().filter(|_| only.is_none()) {
        demand.asks.push(Ask {
            name: "node_filter".into(),
            optional: false,
            node_type: node.type_name().map(|name| asked.types.number(WantedName::new(name))),
            capability: None,
            check: Some(prepare(&conditions(filter, None), asked, &mut demand.unclear)),
        });
    }
    demand
}

/// What a requirement asks for; nothing if it leaves all to the type of its node.
fn ask(required: &Requirement<'_>, asked: &mut Asked, unclear: &mut Vec<String>) -> Option<Ask> {
    if required.target.is_none() && required.capability.is_none() && required.filter.is_none() {
        return None;
    }
    let check = required
        .filter
        .map(|filter| prepare(&conditions(filter, required.capability), asked, unclear));
    let name = match required.ordinal {
        0 => required.name.to_owned(),
        nth => format!("{}[{nth}]", required.name),
    };
    Some(Ask {
        name,
        optional: required.optional,
        node_type: required.target.map(|name| asked.types.number(WantedName::new(name))),
        capability: required
            .capability
            .map(|name| asked.capabilities.number(WantedName::new(name))),
        check,
    })
}
