//! What a match reads: templates, types, and capacities, of one state of the database.

use super::SearchedStore;
use super::capacity::{Capability, Capacity, capabilities, object, offered};
use super::lineage::{Lineages, TypeOf, take_up};
use crate::error::Error;
use crate::limits::{MATCH_CAPACITIES_MAX, MATCH_CAPACITY_BYTES_MAX, MATCH_TEMPLATES_MAX};
use crate::query::Criteria;
use optimusdb_dag::Ipld;
use optimusdb_storage::View;
use optimusdb_storage::tosca::{Owner, OwnerKind};
use serde_json::{Map, Value};
use std::time::Instant;

/// The templates that criteria mean, by `_id`, with their trees.
pub(super) fn templates(
    view: View<'_>,
    criteria: &Criteria,
    deadline: Instant,
) -> Result<Vec<(String, Ipld)>, Error> {
    let known = match criteria.by_id() {
        Some(ids) => {
            let mut known = Vec::new();
            for id in ids {
                known.extend(view.templates(Some(id))?);
            }
            known
        }
        None => view.templates(None)?,
    };
    let mut found = Vec::new();
    for (store, key) in known {
        if Instant::now() >= deadline {
            return Err(optimusdb_storage::Error::Interrupted.into());
        }
        let Some(store) = view.store(&store)? else { continue };
        if criteria.by_id().is_none() && !criteria.matches_all() {
            let Some(json) = view.document(&store, &key)? else { continue };
            if !serde_json::from_str(&json).is_ok_and(|document| criteria.matches(&document)) {
                continue;
            }
        }
        if found.len() == MATCH_TEMPLATES_MAX {
            return Err(Error::TooLarge(format!(
                "the criteria mean more than {MATCH_TEMPLATES_MAX} templates (MATCH_TEMPLATES_MAX); \
                 narrow them"
            )));
        }
        found.extend(view.value(&store, &key)?.map(|document| (key, document)));
    }
    Ok(found)
}

/// The capacities of the stores, by store, `_id` and name.
pub(super) fn capacities(
    view: View<'_>,
    stores: &[SearchedStore],
    whole: bool,
    deadline: Instant,
) -> Result<Vec<Capacity>, Error> {
    let mut reader = CapacityReader::default();
    view.type_edges(deadline, |edge| reader.lineages.add(edge))?;
    view.type_owners(deadline, |owner| reader.lineages.declare(owner))?;
    for (at, (_, store)) in stores.iter().enumerate() {
        view.owners(store, deadline, |owner| reader.owner(at, owner))?;
        view.resources(store, whole, deadline, |key, json| reader.resource(at, key, json, whole))?;
    }
    if reader.room.exceeded {
        return Err(Error::TooLarge(format!(
            "the stores hold more than {MATCH_CAPACITIES_MAX} capacities (MATCH_CAPACITIES_MAX) or \
             {MATCH_CAPACITY_BYTES_MAX} bytes of them (MATCH_CAPACITY_BYTES_MAX); name fewer stores"
        )));
    }
    let mut found = reader.found;
    found.sort_by(|a, b| (a.store, &a.key, &a.node).cmp(&(b.store, &b.key, &b.node)));
    Ok(found)
}

#[derive(Default)]
struct CapacityReader {
    lineages: Lineages,
    found: Vec<Capacity>,
    room: TakenRoom,
}

/// How much of what a match may hold is taken.
#[derive(Default)]
struct TakenRoom {
    capacities: usize,
    bytes: usize,
    /// Whether something did not fit.
    exceeded: bool,
}

impl TakenRoom {
    fn take(&mut self, bytes: usize) -> bool {
        self.capacities += 1;
        self.bytes += bytes;
        let fits =
            self.capacities <= MATCH_CAPACITIES_MAX && self.bytes <= MATCH_CAPACITY_BYTES_MAX;
        self.exceeded |= !fits;
        fits
    }
}

impl CapacityReader {
    fn owner(&mut self, store: usize, owner: &Owner<'_>) {
        let of_type = match owner.kind {
            OwnerKind::Node => owner.above,
            OwnerKind::Type => Some(owner.name),
        };
        let lineage = of_type.map(|name| self.lineages.of(TypeOf::Node, owner.file, name));
        let declared = lineage.as_ref().map(|lineage| self.lineages.declared(lineage));
        let (declared_bytes, declared) = declared.unwrap_or_default();
        let own_json = owner.capabilities_json.unwrap_or_default();
        if own_json.is_empty() && declared.is_empty() {
            return;
        }
        // What a type declares is held once more for every node of it.
        let properties = owner.properties_json.unwrap_or_default();
        if !self.room.take(own_json.len() + declared_bytes + properties.len()) {
            return;
        }
        let mut own = capabilities(own_json);
        for capability in declared {
            take_up(&mut own, capability);
        }
        let capabilities = self.typed(own, owner.file);
        self.found.push(Capacity {
            store,
            key: owner.key.to_owned(),
            node: owner.name.to_owned(),
            lineage,
            properties: parsed(properties),
            capabilities,
        });
    }

    fn resource(&mut self, store: usize, key: &str, json: &str, whole: bool) {
        if !self.room.take(json.len()) {
            return;
        }
        let mut fields = parsed(json);
        let (named, properties) = if whole {
            let named = object(fields.remove("capabilities")).unwrap_or_default();
            (named, object(fields.get("properties").cloned()).unwrap_or(fields))
        } else {
            (fields, Map::new())
        };
        let own = offered(named);
        if !own.is_empty() {
            let capabilities = self.typed(own, 0);
            let (key, node) = (key.to_owned(), key.to_owned());
            self.found.push(Capacity { store, key, node, lineage: None, properties, capabilities });
        }
    }

    fn typed(&mut self, mut own: Vec<Capability>, file: i64) -> Vec<Capability> {
        for capability in &mut own {
            if let Some(name) = &capability.type_name {
                capability.lineage = Some(self.lineages.of(TypeOf::Capability, file, name));
            }
        }
        own
    }
}

/// What the index holds is JSON; were it not, it would have no fields.
fn parsed(json: &str) -> Map<String, Value> {
    object(serde_json::from_str(json).ok()).unwrap_or_default()
}
