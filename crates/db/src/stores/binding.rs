//! Which name each store has on this node.
//!
//! A name that a store has here it keeps: whoever reads and writes under it goes on with the same store,
//! whatever another member writes into the swarm's list. Only who administers the store may give its name
//! to another one, and that is who its own list of writers names, `*` aside. A name that no store has here
//! goes to the store that was offered under it first, in the order of the list; the others bear it with
//! a part of their address behind it, so that none is lost. Only stores that are here get names: an offer
//! of a store that no peer has takes no name away.
//!
//! `docs/access.md` says what that means for members who make stores apart, and against those who lie.

use super::offers::Offer;
use optimusdb_dag::Address;
use optimusdb_storage::beside;
use std::collections::{BTreeMap, BTreeSet};

/// A store that is here, or about to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// The name that it has; none before it has one.
    pub(crate) name: Option<String>,
    /// The identities that administer it.
    pub(crate) admins: Vec<String>,
}

impl Named {
    /// The name, if it is one that was offered, and not one beside another store's.
    fn own(&self) -> Option<&str> {
        self.name.as_deref().filter(|name| !name.contains(ASIDE))
    }
}

/// Stands between a name and the part of an address.
pub(crate) const ASIDE: char = '~';

/// The names of stores that are here: a function of the offers, and of the names that they have.
pub(crate) fn names_of(
    offers: &[Offer<'_>],
    here: &BTreeMap<Address, Named>,
) -> BTreeMap<Address, String> {
    let mut names: BTreeMap<Address, String> = BTreeMap::new();
    let mut taken: BTreeMap<&str, Address> = BTreeMap::new();
    for (address, store) in here {
        if let Some(name) = store.own() {
            taken.insert(name, *address);
        }
    }
    let given: Vec<_> = taken
        .iter()
        .filter_map(|(name, holder)| given_to(name, offers, here.get(holder)?))
        .collect();
    for offer in given {
        let nameless = here.get(&offer.address).is_some_and(|store| store.own().is_none());
        if nameless && taken.values().all(|address| *address != offer.address) {
            taken.insert(offer.name, offer.address);
        }
    }
    // Free names, the oldest offer first.
    let mut named: BTreeSet<Address> = taken.values().copied().collect();
    for offer in offers {
        if here.contains_key(&offer.address)
            && !named.contains(&offer.address)
            && !taken.contains_key(offer.name)
        {
            taken.insert(offer.name, offer.address);
            named.insert(offer.address);
        }
    }
    names.extend(taken.iter().map(|(name, address)| (*address, (*name).to_owned())));
    let mut used: BTreeSet<String> = names.values().cloned().collect();
    for (address, name) in set_aside(offers, here, &named) {
        if let Some(free) = free_beside(name, &address, &used) {
            used.insert(free.clone());
            names.insert(address, free);
        }
    }
    names
}

/// The newest word of those who administer the store that has this name.
fn given_to<'o>(name: &str, offers: &[Offer<'o>], holder: &Named) -> Option<Offer<'o>> {
    let theirs = |offer: &&Offer<'o>| {
        offer.name == name && holder.admins.iter().any(|admin| admin == offer.writer)
    };
    offers.iter().rev().find(theirs).copied()
}

/// The stores that have to bear a name beside another one's, with that name.
fn set_aside<'o>(
    offers: &[Offer<'o>],
    here: &'o BTreeMap<Address, Named>,
    named: &BTreeSet<Address>,
) -> BTreeMap<Address, &'o str> {
    let mut aside = BTreeMap::new();
    for (address, store) in here.iter().filter(|(address, _)| !named.contains(address)) {
        // Who lost its name keeps it in part; who never had one gets the one it was offered under first.
        let offered = offers.iter().find(|offer| offer.address == *address).map(|o| o.name);
        let before = store.name.as_deref().and_then(|name| name.split(ASIDE).next());
        if let Some(name) = before.filter(|name| !name.is_empty()).or(offered) {
            aside.insert(*address, name);
        }
    }
    aside
}

fn free_beside(name: &str, address: &Address, used: &BTreeSet<String>) -> Option<String> {
    let candidates = [8, 16, usize::MAX].map(|chars| beside(name, address, chars));
    candidates.into_iter().find(|name| !used.contains(name))
}

/// The stores here whose name is offered for others, too, with those.
pub(crate) fn contested(
    offers: &[Offer<'_>],
    here: &BTreeMap<Address, Named>,
) -> BTreeMap<Address, BTreeSet<Address>> {
    let holders: BTreeMap<&str, Address> =
        here.iter().filter_map(|(address, store)| Some((store.own()?, *address))).collect();
    let mut contested: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
    for offer in offers {
        match holders.get(offer.name) {
            Some(holder) if *holder != offer.address => {
                contested.entry(*holder).or_default().insert(offer.address);
            }
            _ => {}
        }
    }
    contested
}

#[cfg(test)]
mod tests {
    use super::*;
    use optimusdb_dag::{LogCid, OrderKey};

    fn address(n: u8) -> Address {
        Address::of_manifest(LogCid::from_digest([n; 32]))
    }

    /// Offers in the order of the list: name, store, writer.
    struct List(Vec<(OrderKey, &'static str, u8, &'static str)>);

    impl List {
        fn of(offers: &[(&'static str, u8, &'static str)]) -> List {
            let order =
                |time| OrderKey { time, id: "02".into(), cid: LogCid::from_digest([0; 32]) };
            List((1..).zip(offers).map(|(time, (n, a, w))| (order(time), *n, *a, *w)).collect())
        }

        fn offers(&self) -> Vec<Offer<'_>> {
            let offers = self.0.iter().map(|(order, name, n, writer)| Offer {
                order,
                name,
                address: address(*n),
                writer,
                newer: 0,
            });
            offers.collect()
        }

        /// The names that these stores end with: each is given with the one that it has, and its admins.
        fn names(&self, here: &[(u8, &str, &[&str])]) -> Vec<(u8, String)> {
            let here = here_of(here);
            let named = names_of(&self.offers(), &here);
            // A second time changes nothing.
            let again: BTreeMap<Address, Named> = here
                .iter()
                .map(|(address, store)| {
                    let name = named.get(address).cloned().or_else(|| store.name.clone());
                    (*address, Named { name, admins: store.admins.clone() })
                })
                .collect();
            assert_eq!(names_of(&self.offers(), &again), named);
            let mut named: Vec<_> =
                named.into_iter().map(|(a, name)| (a.manifest().digest()[0], name)).collect();
            named.sort();
            named
        }
    }

    fn here_of(here: &[(u8, &str, &[&str])]) -> BTreeMap<Address, Named> {
        let named = here.iter().map(|(n, name, admins)| {
            let name = Some(*name).filter(|name| !name.is_empty()).map(str::to_owned);
            (address(*n), Named { name, admins: admins.iter().map(|&a| a.to_owned()).collect() })
        });
        named.collect()
    }

    fn aside(name: &str, n: u8) -> String {
        beside(name, &address(n), 8)
    }

    fn named(n: u8, name: &str) -> (u8, String) {
        (n, name.to_owned())
    }

    #[test]
    fn a_free_name_goes_to_the_oldest_offer() {
        let list = List::of(&[("ab", 1, "w"), ("ab", 2, "v"), ("cd", 3, "w"), ("ef", 3, "w")]);
        let all = [named(1, "ab"), (2, aside("ab", 2)), named(3, "cd")];
        assert_eq!(list.names(&[(1, "", &[]), (2, "", &[]), (3, "", &[])]), all);
        assert_eq!(list.names(&[(2, "", &[])]), [named(2, "ab")]);
        assert_eq!(list.names(&[]), []);
    }

    #[test]
    fn a_name_stays_with_its_store_whatever_others_offer() {
        let list = List::of(&[("plans", 9, "x"), ("plans", 1, "maker"), ("plans", 8, "x")]);
        for admins in [&["maker"][..], &[]] {
            let names = list.names(&[(1, "plans", admins), (8, "", &[]), (9, "", &[])]);
            assert_eq!(names, [named(1, "plans"), (8, aside("plans", 8)), (9, aside("plans", 9))]);
        }
        // Nor is it lost when the list says nothing of it any more.
        let forgotten = List::of(&[("plans", 8, "x")]);
        let names = forgotten.names(&[(1, "plans", &["maker"]), (8, "", &[])]);
        assert_eq!(names, [named(1, "plans"), (8, aside("plans", 8))]);
    }

    #[test]
    fn who_administers_a_store_may_give_its_name_away() {
        let here: &[(u8, &str, &[&str])] = &[(1, "plans", &["maker", "other"]), (2, "", &[])];
        let given = List::of(&[("plans", 1, "other"), ("plans", 2, "maker")]);
        assert_eq!(given.names(here), [(1, aside("plans", 1)), named(2, "plans")]);
        let kept = List::of(&[("plans", 2, "maker"), ("plans", 1, "other")]);
        assert_eq!(kept.names(here), [named(1, "plans"), (2, aside("plans", 2))]);
        // To a store that is not here it cannot go yet.
        let absent = List::of(&[("plans", 7, "maker")]);
        assert_eq!(absent.names(&here[..1]), [named(1, "plans")]);
        // A store that has a name keeps that one.
        let both = List::of(&[("plans", 2, "maker")]);
        let names = both.names(&[(1, "plans", &["maker"]), (2, "other", &[])]);
        assert_eq!(names, [named(1, "plans"), named(2, "other")]);
    }

    #[test]
    fn what_is_contested_is_told() {
        let list = List::of(&[("plans", 1, "maker"), ("plans", 8, "x"), ("cd", 2, "w")]);
        let here = here_of(&[(1, "plans", &[]), (2, "cd", &[]), (3, "ef", &[])]);
        let expected = BTreeMap::from([(address(1), BTreeSet::from([address(8)]))]);
        assert_eq!(contested(&list.offers(), &here), expected);
    }
}
