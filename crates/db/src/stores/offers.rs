//! What the swarm's store list offers: a fold over its entries, in any order.
//!
//! A PUT by a member offers the store at an address under a name; its later PUT of that name takes the
//! place of the earlier one, and its DEL withdraws it. Nobody changes what another member offers.
//!
//! A member may write anything into the list, and an identity costs nothing. Entries that are no offers
//! are skipped. Of each writer the newest operations are held, and the newest of its offers count; where
//! that is too much of all writers together, those with the most give way first. So what counts is a
//! function of the set of entries, and whoever writes much takes room from itself.

use super::builtin::BUILTIN_STORES;
use super::names::check_store_name;
use crate::limits::{LIST_OPERATIONS_MAX, WRITER_OFFERS_MAX, WRITER_OPERATIONS_MAX};
use optimusdb_dag::{Address, Ipld, Operation, OperationRef, OrderKey, StoreKind};
use std::collections::{BTreeMap, BTreeSet};

/// The newest operations of the list's writers.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    /// By the identity that wrote them.
    writers: BTreeMap<String, Written>,
    /// How many each writer has, so that the one with the most is found.
    counts: BTreeSet<(usize, String)>,
    held: usize,
}

/// The newest operation of a writer for each name.
#[derive(Debug, Default)]
struct Written {
    of: BTreeMap<String, (OrderKey, Option<Address>)>,
    /// The same names, the oldest operation first.
    oldest: BTreeSet<(OrderKey, String)>,
}

/// One member's word that a store bears a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Offer<'o> {
    /// When it was given, in the order of the list.
    pub(crate) order: &'o OrderKey,
    pub(crate) name: &'o str,
    pub(crate) address: Address,
    /// The identity that gave it.
    pub(crate) writer: &'o str,
    /// How many newer offers its writer has: nobody's first ones wait for another's last.
    pub(crate) newer: usize,
}

impl Offers {
    /// Takes up an entry of the list. A second time changes nothing.
    ///
    /// # Errors
    /// Why the entry is skipped, in words for the journal.
    pub(crate) fn add(
        &mut self,
        order: &OrderKey,
        writer: &str,
        payload: &Ipld,
    ) -> Result<(), &'static str> {
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
        self.keep(order, writer, name, address.transpose()?);
        match self.newest(writer, name).is_some() {
            true => Ok(()),
            false => Err("older than all that is held of its writer"),
        }
    }

    fn keep(&mut self, order: &OrderKey, writer: &str, name: &str, address: Option<Address>) {
        let written = self.writers.entry(writer.to_owned()).or_default();
        let before = written.of.len();
        match written.of.get(name) {
            Some((newest, _)) if newest >= order => return,
            Some((older, _)) => {
                let older = (older.clone(), name.to_owned());
                written.oldest.remove(&older);
            }
            None => {}
        }
        written.oldest.insert((order.clone(), name.to_owned()));
        written.of.insert(name.to_owned(), (order.clone(), address));
        self.recount(writer, before);
        if self.writers.get(writer).is_some_and(|w| w.of.len() > WRITER_OPERATIONS_MAX) {
            self.drop_oldest(writer);
        }
        while self.held > LIST_OPERATIONS_MAX {
            let Some((_, most)) = self.counts.last().cloned() else { return };
            self.drop_oldest(&most);
        }
    }

    fn drop_oldest(&mut self, writer: &str) {
        let Some(written) = self.writers.get_mut(writer) else { return };
        let before = written.of.len();
        if let Some((_, name)) = written.oldest.pop_first() {
            written.of.remove(&name);
        }
        self.recount(writer, before);
    }

    /// Notes how many operations a writer has now.
    fn recount(&mut self, writer: &str, before: usize) {
        let now = self.writers.get(writer).map_or(0, |written| written.of.len());
        self.counts.remove(&(before, writer.to_owned()));
        if now == 0 {
            self.writers.remove(writer);
        } else {
            self.counts.insert((now, writer.to_owned()));
        }
        self.held = self.held + now - before;
        debug_assert_eq!(self.counts.len(), self.writers.len());
    }

    /// The operation of that writer for that name: the address that it offers, or none.
    fn newest(&self, writer: &str, name: &str) -> Option<&(OrderKey, Option<Address>)> {
        self.writers.get(writer)?.of.get(name)
    }

    /// Whether anybody says anything of that name.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        self.writers.values().any(|written| written.of.contains_key(name))
    }

    /// Every offer that counts, in the order of the list.
    pub(crate) fn counting(&self) -> Vec<Offer<'_>> {
        let mut counting = Vec::new();
        for (writer, written) in &self.writers {
            let newest_first = written.oldest.iter().rev();
            let offers = newest_first.filter_map(|(order, name)| {
                let (_, address) = written.of.get(name)?;
                Some((order, name, (*address)?))
            });
            counting.extend(offers.take(WRITER_OFFERS_MAX).enumerate().map(
                |(newer, (order, name, address))| Offer { order, name, address, writer, newer },
            ));
        }
        counting.sort();
        counting
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

#[cfg(test)]
mod tests {
    use super::*;
    use optimusdb_dag::LogCid;
    use proptest::prelude::*;

    fn address(n: u32) -> Address {
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&n.to_be_bytes());
        Address::of_manifest(LogCid::from_digest(digest))
    }

    fn order(time: u64) -> OrderKey {
        OrderKey { time, id: "02".into(), cid: LogCid::from_digest([0; 32]) }
    }

    fn put(name: &str, n: u32) -> Ipld {
        offer(name, StoreKind::Documents, &address(n)).into_payload(None)
    }

    fn del(name: &str) -> Ipld {
        Operation::Del { key: name.into() }.into_payload(None)
    }

    /// What counts: name, store, writer.
    fn counting(offers: &Offers) -> Vec<(String, Address, String)> {
        let counting = offers.counting().into_iter();
        counting.map(|o| (o.name.to_owned(), o.address, o.writer.to_owned())).collect()
    }

    #[test]
    fn a_writer_changes_its_own_offers_alone() {
        let mut entries = vec![
            (1, "a", put("ab", 1)),
            (2, "b", put("ab", 2)),
            (3, "b", del("ab")),
            (4, "c", del("ab")),
            (5, "a", put("cd", 3)),
            (6, "a", put("cd", 4)),
        ];
        for _ in 0..entries.len() {
            entries.rotate_left(1);
            let mut offers = Offers::default();
            for (time, writer, payload) in &entries {
                let _ = offers.add(&order(*time), writer, payload);
            }
            let own = |name: &str, n| (name.to_owned(), address(n), "a".to_owned());
            assert_eq!(counting(&offers), [own("ab", 1), own("cd", 4)]);
            assert!(offers.mentions("ab") && !offers.mentions("ef"));
        }
    }

    #[test]
    fn nonsense_is_skipped() {
        let mut offers = Offers::default();
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
            assert!(offers.add(&order(1), "a", &wrong).is_err(), "{wrong:?}");
        }
        assert!(offers.counting().is_empty() && offers.held == 0);
    }

    #[test]
    fn a_flood_takes_room_from_its_writer() {
        let mut offers = Offers::default();
        offers.add(&order(1), "honest", &put("plans", 1)).unwrap();
        for n in 0..2_000 {
            let _ = offers.add(&order(10 + u64::from(n)), "flood", &put(&format!("n{n}"), n));
        }
        offers.add(&order(9_000), "flood", &put("later", 9_000)).unwrap();
        let counting = counting(&offers);
        assert_eq!(counting.len(), 1 + WRITER_OFFERS_MAX);
        assert!(counting.iter().any(|(name, ..)| name == "plans"));
        assert!(counting.iter().any(|(name, ..)| name == "later"));
        assert_eq!(offers.held, 1 + WRITER_OPERATIONS_MAX);
        // What is withdrawn frees its place.
        for n in 1_900_u32..2_000 {
            let _ = offers.add(&order(10_000 + u64::from(n)), "flood", &del(&format!("n{n}")));
        }
        let names: Vec<_> = offers.counting().iter().map(|o| o.name.to_owned()).collect();
        assert!(names.len() == 1 + WRITER_OFFERS_MAX && names.contains(&"n1800".to_owned()));
        // Many writers together have their limit, too, and the one with the most gives way.
        for writer in 0..LIST_OPERATIONS_MAX {
            let _ = offers.add(&order(1), &format!("w{writer:06}"), &put("ab", 7));
        }
        assert_eq!(offers.held, LIST_OPERATIONS_MAX);
        assert_eq!(offers.writers["flood"].of.len(), 1);
        assert_eq!(offers.writers["honest"].of.len(), 1);
    }

    proptest! {
        /// What counts does not depend on the order of arrival, also where there is too much.
        #[test]
        fn the_order_of_arrival_never_matters(
            entries in prop::collection::vec((0..4u8, 0..700u32, prop::bool::weighted(0.8)), 1..1_500),
            seed in any::<u64>(),
        ) {
            let entries: Vec<(u64, String, Ipld)> = (1..)
                .zip(&entries)
                .map(|(time, (writer, n, puts))| {
                    let name = format!("n{n}");
                    (time, format!("w{}", writer / 2), if *puts { put(&name, *n) } else { del(&name) })
                })
                .collect();
            let mut shuffled = entries.clone();
            shuffled.sort_by_key(|(time, ..)| time.wrapping_mul(seed | 1));
            let folded = [entries, shuffled].map(|entries| {
                let mut offers = Offers::default();
                for (time, writer, payload) in &entries {
                    let _ = offers.add(&order(*time), writer, payload);
                }
                counting(&offers)
            });
            prop_assert_eq!(&folded[0], &folded[1]);
        }
    }
}
