//! What the swarm's store list says: a fold over its entries, in any order.
//!
//! A PUT offers the store at an address under a name. Of several offers for one name the greatest by
//! the list's own order takes the name; the others get the name with a part of their address behind
//! it, so that two coordinators that use one name at once lose nothing. A DEL withdraws the offers
//! before it. Only stores that are here get names: an offer of a store that no peer has takes no name
//! away.
//!
//! A member may write anything into the list: entries that are no offers are skipped, and the number
//! of offers that are kept is bounded.

use super::builtin::{BUILTIN_STORES, STORE_LIST};
use super::names::check_store_name;
use crate::limits::LISTED_STORES_MAX;
use optimusdb_dag::{Address, Ipld, Operation, OperationRef, OrderKey, StoreKind};
use optimusdb_storage::{Scope, StoreRow, beside};
use std::collections::{BTreeMap, BTreeSet};

/// The offers of a list.
#[derive(Debug, Default)]
pub(crate) struct StoreListing {
    names: BTreeMap<String, Offers>,
    offers: usize,
}

/// The offers for one name.
#[derive(Debug, Default)]
struct Offers {
    /// Each address with the entries that offer it.
    of: BTreeMap<Address, Offer>,
    /// The greatest entry that withdraws the name.
    withdrawn: Option<OrderKey>,
}

/// The least and the greatest entry that offers a store under a name.
#[derive(Debug)]
struct Offer {
    oldest: OrderKey,
    newest: OrderKey,
}

impl Offers {
    fn live(&self) -> impl Iterator<Item = (&Address, &Offer)> {
        let withdrawn = self.withdrawn.as_ref();
        self.of.iter().filter(move |(_, offer)| withdrawn.is_none_or(|del| offer.newest > *del))
    }
}

impl StoreListing {
    /// Takes up an entry of the list. A second time changes nothing.
    ///
    /// # Errors
    /// Why the entry is skipped, in words for the journal.
    pub(crate) fn add(&mut self, order: &OrderKey, payload: &Ipld) -> Result<(), &'static str> {
        let operation = OperationRef::of(StoreKind::KeyValue, payload);
        let (name, address) = match operation {
            Some((OperationRef::Put { key, value }, _)) => (key, Some(value)),
            Some((OperationRef::Del { key }, _)) => (key, None),
            _ => return Err("no operation of a store list"),
        };
        if check_store_name(name).is_err() {
            return Err("no name of a store");
        }
        if BUILTIN_STORES.iter().any(|builtin| builtin.name == name) {
            return Err("the name of a store that every node has");
        }
        let address = address.map(|value| address_in(value).ok_or("no address of a store"));
        let known = self.names.contains_key(name);
        if !known && self.names.len() >= LISTED_STORES_MAX {
            return Err("more names than a list may have");
        }
        let Some(address) = address.transpose()? else {
            let offers = self.names.entry(name.to_owned()).or_default();
            offers.withdrawn = offers.withdrawn.take().max(Some(order.clone()));
            return Ok(());
        };
        let room = self.offers < LISTED_STORES_MAX;
        let offers = self.names.entry(name.to_owned()).or_default();
        match offers.of.get_mut(&address) {
            Some(offer) => {
                if *order > offer.newest {
                    offer.newest = order.clone();
                }
                if *order < offer.oldest {
                    offer.oldest = order.clone();
                }
            }
            None if room => {
                let offer = Offer { oldest: order.clone(), newest: order.clone() };
                offers.of.insert(address, offer);
                self.offers += 1;
            }
            None => return Err("more stores than a list may have"),
        }
        Ok(())
    }

    /// Whether the list ever offered that store.
    pub(crate) fn has(&self, address: &Address) -> bool {
        self.names.values().any(|offers| offers.of.contains_key(address))
    }

    /// The stores that are offered, each with a name that it is offered under.
    pub(crate) fn offered(&self) -> BTreeMap<Address, &str> {
        let mut offered = BTreeMap::new();
        for (name, offers) in &self.names {
            for (address, _) in offers.live() {
                offered.entry(*address).or_insert(name.as_str());
            }
        }
        offered
    }

    /// The names of the stores that are present and offered: a function of the entries and of which
    /// stores are present.
    pub(crate) fn names_of(&self, present: &BTreeSet<Address>) -> BTreeMap<Address, String> {
        let mut first: BTreeMap<Address, (&OrderKey, &String)> = BTreeMap::new();
        let mut aside = Vec::new();
        for (name, offers) in &self.names {
            let here = offers.live().filter(|(address, _)| present.contains(address));
            let mut here: Vec<_> = here.collect();
            here.sort_by(|(_, a), (_, b)| b.newest.cmp(&a.newest));
            for (place, (address, offer)) in here.into_iter().enumerate() {
                let this = (&offer.oldest, name);
                if place > 0 {
                    aside.push((*address, name));
                } else if first.get(address).is_none_or(|other| this < *other) {
                    // Of several names that it takes, a store keeps the one that it had first.
                    first.insert(*address, this);
                }
            }
        }
        let mut named: BTreeMap<Address, String> =
            first.into_iter().map(|(address, (_, name))| (address, name.clone())).collect();
        let mut taken: BTreeSet<String> = named.values().cloned().collect();
        for (address, name) in aside {
            if named.contains_key(&address) {
                continue;
            }
            let free = [8, 16, usize::MAX]
                .map(|chars| beside(name, &address, chars))
                .into_iter()
                .find(|name| !taken.contains(name));
            if let Some(free) = free {
                taken.insert(free.clone());
                named.insert(address, free);
            }
        }
        named
    }
}

/// The value under a name: an address, beside what this version does not look at.
fn address_in(value: &Ipld) -> Option<Address> {
    let Ipld::Map(fields) = value else { return None };
    match fields.get("address") {
        Some(Ipld::String(address)) => address.parse().ok(),
        _ => None,
    }
}

/// What a coordinator lists of a store.
pub(crate) fn offer(name: &str, kind: StoreKind, address: &Address) -> Operation {
    let fields = [
        ("address".to_owned(), Ipld::String(address.to_string())),
        ("type".to_owned(), Ipld::String(kind.to_string())),
    ];
    Operation::Put { key: name.to_owned(), value: Ipld::Map(fields.into()) }
}

/// Whether the list may give this store a name: not the built-in ones, and none that says who may
/// write to another.
pub(crate) fn may_be_named(store: &StoreRow) -> bool {
    matches!(store.scope, Scope::Resource | Scope::Plain)
        && BUILTIN_STORES.iter().all(|builtin| builtin.name != store.name)
}

/// Whether this is the list.
pub(crate) fn is_list(store: &StoreRow) -> bool {
    store.name == STORE_LIST && store.kind == StoreKind::KeyValue
}

#[cfg(test)]
mod tests {
    use super::*;
    use optimusdb_dag::LogCid;

    fn address(n: u8) -> Address {
        Address::of_manifest(LogCid::from_digest([n; 32]))
    }

    fn order(time: u64) -> OrderKey {
        OrderKey { time, id: "02".into(), cid: LogCid::from_digest([0; 32]) }
    }

    fn put(name: &str, n: u8) -> Ipld {
        offer(name, StoreKind::Documents, &address(n)).into_payload(None)
    }

    fn del(name: &str) -> Ipld {
        Operation::Del { key: name.into() }.into_payload(None)
    }

    fn listing(entries: &[(u64, Ipld)]) -> StoreListing {
        let mut listing = StoreListing::default();
        for (time, payload) in entries {
            let _ = listing.add(&order(*time), payload);
        }
        listing
    }

    fn names(listing: &StoreListing, present: &[u8]) -> Vec<(u8, String)> {
        let named = listing.names_of(&present.iter().map(|n| address(*n)).collect());
        let named = named.into_iter().map(|(address, name)| (address.manifest().digest()[0], name));
        let mut named: Vec<_> = named.collect();
        named.sort();
        named
    }

    fn aside(name: &str, n: u8) -> String {
        let aside = beside(name, &address(n), 8);
        assert_eq!(aside.len(), name.len() + 9);
        aside
    }

    #[test]
    fn the_greatest_offer_that_is_here_takes_the_name_whatever_the_order_of_arrival() {
        let entries = [
            (1, put("ab", 1)),
            (2, put("ab", 2)),
            (3, put("cd", 3)),
            (4, put("ab", 1)),
            (5, put("aa", 3)),
            (6, put("ab", 4)),
        ];
        let mut orders = vec![entries.to_vec()];
        orders.push(entries.iter().rev().cloned().collect());
        orders.push([3, 0, 5, 1, 2, 4].map(|i: usize| entries[i].clone()).to_vec());
        orders.push([entries.to_vec(), entries.to_vec()].concat());
        for entries in orders {
            let listing = listing(&entries);
            let offered: Vec<&str> = listing.offered().into_values().collect();
            assert_eq!(offered, ["ab", "ab", "aa", "ab"]);
            assert_eq!(names(&listing, &[]), []);
            let all = [
                (1, aside("ab", 1)),
                (2, aside("ab", 2)),
                (3, "cd".to_owned()),
                (4, "ab".to_owned()),
            ];
            assert_eq!(names(&listing, &[1, 2, 3, 4, 9]), all);
            assert_eq!(names(&listing, &[1, 2]), [(1, "ab".to_owned()), (2, aside("ab", 2))]);
            assert_eq!(names(&listing, &[2]), [(2, "ab".to_owned())]);
        }
    }

    #[test]
    fn what_is_withdrawn_is_offered_no_more_until_it_is_again() {
        let mut entries = vec![(1, put("ab", 1)), (3, put("ab", 2)), (2, del("ab"))];
        for _ in 0..3 {
            entries.rotate_left(1);
            let listing = listing(&entries);
            assert_eq!(names(&listing, &[1, 2]), [(2, "ab".to_owned())]);
            assert!(listing.has(&address(1)) && !listing.offered().contains_key(&address(1)));
        }
    }

    #[test]
    fn nonsense_is_skipped_and_floods_are_bounded() {
        let mut listing = StoreListing::default();
        let map = |fields: &[(&str, Ipld)]| {
            Ipld::Map(fields.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect())
        };
        let text = |text: &str| Ipld::String(text.to_owned());
        let value = |value: Ipld| Operation::Put { key: "ab".into(), value }.into_payload(None);
        for wrong in [
            text("text"),
            put("dsswres", 1),
            put("swarm_stores", 1),
            put("A b", 1),
            put("ab/access", 1),
            put(&"x".repeat(1 << 20), 1),
            put("", 1),
            value(Ipld::Null),
            value(text(&address(1).to_string())),
            value(map(&[("address", Ipld::Integer(1))])),
            value(map(&[("address", text("/orbitdb/zdpu"))])),
            value(map(&[("address", text(&"/orbitdb/".repeat(1 << 16)))])),
        ] {
            assert!(listing.add(&order(1), &wrong).is_err(), "{wrong:?}");
        }
        assert!(listing.offered().is_empty());
        let flood = |listing: &mut StoreListing, name: &dyn Fn(usize) -> String| {
            for n in 0..3 * LISTED_STORES_MAX {
                let mut digest = [0; 32];
                digest[..8].copy_from_slice(&n.to_be_bytes());
                let address = Address::of_manifest(LogCid::from_digest(digest));
                let offer = offer(&name(n), StoreKind::Events, &address).into_payload(None);
                let _ = listing.add(&order(1), &offer);
                let _ = listing.add(&order(2), &del(&format!("{n}gone")));
            }
            listing.offered().len()
        };
        assert!(flood(&mut listing, &|n| format!("n{n}")) <= LISTED_STORES_MAX);
        assert!(flood(&mut listing, &|_| "ab".to_owned()) <= LISTED_STORES_MAX);
        assert!(listing.names.len() <= LISTED_STORES_MAX);
    }
}
