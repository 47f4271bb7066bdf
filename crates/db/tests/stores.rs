//! Stores of a swarm between nodes on loopback: they meet when the test says so, and end with the
//! same stores under the same names.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_dag::{AccessController, LogCid, Manifest};
use optimusdb_db::{Address, Criteria, Error, NewAccess, Node, STORE_LIST, StoreInfo, StoreKind};
use optimusdb_storage::{Database, Durability, Place, Scope};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use support::{Member, find, until};

async fn store(node: &Node, name: &str) -> Option<StoreInfo> {
    node.stores().await.unwrap().into_iter().find(|store| store.name == name)
}

/// The stores that are not there from the start, by name, with their addresses.
async fn made(node: &Node) -> Vec<(String, String)> {
    let fresh = Member::alone("fresh", true);
    let builtin: Vec<String> =
        fresh.stores().await.unwrap().into_iter().map(|store| store.name).collect();
    let mut made: Vec<(String, String)> = node
        .stores()
        .await
        .unwrap()
        .into_iter()
        .filter(|store| !builtin.contains(&store.name))
        .map(|store| (store.name, store.address))
        .collect();
    made.sort();
    made
}

fn address(store: &StoreInfo) -> Address {
    store.address.parse().unwrap()
}

async fn put(node: &Node, store: &str, id: &str) -> Result<usize, Error> {
    node.put(store, vec![json!({"_id": id})]).await
}

/// What the node tells of itself under `/metrics`.
fn figures(node: &Node) -> String {
    let (mut registry, mut text) = (Registry::default(), String::new());
    node.register_metrics(&mut registry);
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

/// Takes a store out of the list, so that nobody takes it over by itself.
async fn withdraw(node: &Node, name: &str) {
    let named = Criteria::parse(&json!([{"_id": name}])).unwrap();
    assert_eq!(node.delete(STORE_LIST, named).await.unwrap(), 1);
}

#[tokio::test]
async fn a_store_is_taken_over_by_its_address() {
    let (a, b) = (Member::online("adopt", true).await, Member::alone("adopt", false));
    let access = NewAccess::Mutable { write: vec![], admin: vec![] };
    let ruled = a.create_store("ruled", StoreKind::Documents, Some(access)).await.unwrap();
    let plain = a.create_store("plain", StoreKind::KeyValue, None).await.unwrap();
    withdraw(&a, "ruled").await;
    withdraw(&a, "plain").await;

    let manifest = address(&ruled).manifest().to_string();
    let alone = b.adopt_store("theirs", address(&ruled), None).await.unwrap_err();
    assert!(matches!(&alone, Error::Unavailable(why) if why.contains(&manifest)), "{alone}");
    b.join().await;
    b.meet(&a).await;
    let kind = b.adopt_store("theirs", address(&ruled), Some(StoreKind::Events)).await;
    assert!(matches!(kind, Err(Error::Conflict(_))), "{kind:?}");

    let adopted = b.adopt_store("theirs", address(&ruled), None).await.unwrap();
    assert_eq!((adopted.address.as_str(), adopted.kind.as_str()), (&*ruled.address, "documents"));
    let ruler = store(&b, "theirs/access").await.unwrap();
    assert_eq!(ruler.address, store(&a, "ruled/access").await.unwrap().address);
    let again = b.adopt_store("theirs", address(&ruled), None).await.unwrap();
    assert_eq!(again.address, adopted.address);
    let taken = b.adopt_store("theirs", address(&plain), None).await.unwrap_err();
    for part in [&ruled.address, &plain.address] {
        assert!(taken.to_string().contains(part.as_str()), "{taken}");
    }
    let twice = b.adopt_store("other", address(&ruled), None).await.unwrap_err();
    assert!(matches!(&twice, Error::Conflict(why) if why.contains("theirs")), "{twice}");
    assert_eq!(b.adopt_store("plain", address(&plain), None).await.unwrap().kind, "keyvalue");

    // What is written there comes under whatever name the store has here.
    put(&a, "ruled", "x").await.unwrap();
    let has_x = async || find(&b, "theirs", json!([])).await == [json!({"_id": "x"})];
    until("what was written there", has_x).await;
    let b = b.reopened(false).await;
    assert_eq!(find(&b, "theirs", json!([])).await.len(), 1);
    a.close().await;
    b.close().await;
}

/// Write lists between two nodes: what a grant and a revoke do to what either of them writes.
#[tokio::test]
async fn a_grant_lets_write_and_a_revoke_ends_it() {
    let (a, b) = (Member::online("grant", true).await, Member::online("grant", false).await);
    let access = NewAccess::Mutable { write: vec![], admin: vec![] };
    a.create_store("ruled", StoreKind::Documents, Some(access)).await.unwrap();
    b.meet(&a).await;
    until("the store", async || store(&b, "ruled").await.is_some()).await;
    let (me, b_me) = (a.id().identity, b.id().identity);
    let shown = b.access("ruled").await.unwrap();
    assert_eq!((shown.kind, shown.writable, shown.admin), ("orbitdb", false, vec![me]));
    assert!(matches!(put(&b, "ruled", "b1").await, Err(Error::Denied(_))));
    let own = b.change_access("ruled", vec![b_me.clone()], vec![]).await;
    assert!(matches!(own, Err(Error::Denied(_))));

    a.change_access("ruled", vec![b_me.clone()], vec![]).await.unwrap();
    until("the grant", async || b.access("ruled").await.unwrap().writable).await;
    put(&b, "ruled", "b1").await.unwrap();
    let b1 = [json!({"_id": "b1"})];
    until("what B may write", async || find(&a, "ruled", json!([])).await == b1).await;

    // B is away and writes on; A takes no more of it.
    let b = b.reopened(false).await;
    a.change_access("ruled", vec![], vec![b_me]).await.unwrap();
    put(&b, "ruled", "b2").await.unwrap();
    b.join().await;
    b.meet(&a).await;
    let denied = async || matches!(put(&b, "ruled", "b1").await, Err(Error::Denied(_)));
    until("the revoke", denied).await;
    // They have exchanged all that they have once B has this.
    put(&a, "ruled", "a1").await.unwrap();
    until("what A writes", async || find(&b, "ruled", json!([{"_id": "a1"}])).await.len() == 1)
        .await;
    let left = find(&a, "ruled", json!([])).await;
    assert_eq!(left, [json!({"_id": "a1"}), json!({"_id": "b1"})]);
    a.close().await;
    b.close().await;
}

#[tokio::test]
async fn what_a_coordinator_makes_is_taken_over_by_who_follows() {
    let (a, b) = (Member::online("follow", true).await, Member::online("follow", false).await);
    let refused = b.create_store("things", StoreKind::Documents, None).await.unwrap_err();
    assert!(matches!(refused, Error::Denied(_)));
    a.create_store("things", StoreKind::Documents, None).await.unwrap();
    b.meet(&a).await;
    a.create_store("happened", StoreKind::Events, None).await.unwrap();
    let access = NewAccess::Mutable { write: vec!["*".into()], admin: vec![] };
    a.create_store("ruled", StoreKind::KeyValue, Some(access)).await.unwrap();
    let listed = find(&a, STORE_LIST, json!([{"_id": "things"}])).await;
    assert_eq!(listed[0]["value"]["type"], "documents");
    until("three stores and one for access", async || made(&b).await == made(&a).await).await;
    assert_eq!(made(&b).await.len(), 4);
    // They are parts of the catalog, or not, as at the coordinator.
    put(&a, "things", "t").await.unwrap();
    until("what is derived", async || {
        let (there, here) =
            (find(&a, "kbmetadata", json!([])).await, find(&b, "kbmetadata", json!([])).await);
        here.len() == 1 && there == here
    })
    .await;
    a.close().await;
    b.close().await;
}

#[tokio::test]
async fn of_two_stores_of_one_name_none_is_lost() {
    let (a, b) = (Member::online("twins", true).await, Member::online("twins", true).await);
    let c = Member::online("twins", false).await;
    let own = || Some(NewAccess::Fixed { write: vec!["02".repeat(33)] });
    let at_a = a.create_store("things", StoreKind::Documents, own()).await.unwrap();
    let ruled = Some(NewAccess::Mutable { write: vec![], admin: vec![] });
    let at_b = b.create_store("things", StoreKind::Documents, ruled).await.unwrap();
    assert_ne!(at_a.address, at_b.address);
    put(&a, "things", "from a").await.unwrap();
    put(&b, "things", "from b").await.unwrap();

    // C hears of one of them first and of the other later.
    c.meet(&a).await;
    until("C has A's", async || store(&c, "things").await.is_some()).await;
    assert_eq!(store(&c, "things").await.unwrap().address, at_a.address);
    c.meet(&b).await;
    a.meet(&b).await;
    // Each name stays where it was; the other store stands beside it, and both are told to contest it.
    let aside =
        |store: &StoreInfo| format!("things~{}", &store.address["/orbitdb/zdpu".len()..][..8]);
    for (node, own, other) in [(&a, &at_a, &at_b), (&b, &at_b, &at_a), (&c, &at_a, &at_b)] {
        until("the other store", async || store(node, &aside(other)).await.is_some()).await;
        let named = store(node, "things").await.unwrap();
        assert_eq!(named.address, own.address);
        until("the contest", async || {
            store(node, "things").await.unwrap().contested_by == [other.address.clone()]
        })
        .await;
        assert_eq!(store(node, &aside(other)).await.unwrap().address, other.address);
        // The store that says who may write goes with its own.
        let ruled = if own.address == at_b.address { "things".to_owned() } else { aside(other) };
        assert!(store(node, &format!("{ruled}/access")).await.is_some());
        // What was written is found by the address, whatever the name is.
        for (at, id) in [(&at_a, "from a"), (&at_b, "from b")] {
            until("the document", async || {
                find(node, &at.address, json!([])).await == [json!({"_id": id})]
            })
            .await;
        }
    }
    let aside = aside(&at_b);
    // Whatever is told of a store, is told under its name of now.
    for node in [&a, &b, &c] {
        let names = node.stores().await.unwrap().into_iter().map(|store| store.name);
        let names: BTreeSet<String> = names.collect();
        let figures = figures(node);
        let told: Vec<&str> =
            figures.split("{store=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(
            told.contains(&&*aside)
                || address(&at_b) == address(&store(node, "things").await.unwrap()),
            "{figures}"
        );
        assert!(told.iter().all(|name| names.contains(*name)), "{figures}");
    }
    for member in [a, b, c] {
        member.close().await;
    }
}

/// Nodes that are connected through another one alone.
#[tokio::test]
async fn a_new_store_reaches_nodes_behind_another() {
    let (a, b) = (Member::online("chain", true).await, Member::online("chain", false).await);
    let between = Member::online("chain", false).await;
    between.meet(&a).await;
    between.meet(&b).await;
    for n in 0..5 {
        let name = format!("things-{n}");
        a.create_store(&name, StoreKind::Documents, None).await.unwrap();
        put(&a, &name, "x").await.unwrap();
        until("the store", async || store(&b, &name).await.is_some()).await;
        until("its document", async || find(&b, &name, json!([])).await.len() == 1).await;
    }
    for member in [a, b, between] {
        member.close().await;
    }
}

#[tokio::test]
async fn nonsense_in_the_list_harms_nobody() {
    let (a, b) = (Member::online("nonsense", true).await, Member::online("nonsense", false).await);
    let nowhere = "/orbitdb/zdpuAxHiuVHQqBj7rFTHuGwqMiVXWPkr9cvpGCXbBjmBpVJfM";
    let mut nonsense: Vec<Value> = [
        ("dsswres", json!({"address": nowhere})),
        ("bad name", json!({"address": nowhere})),
        ("no-address", json!({"address": "/orbitdb/zdpu"})),
        ("no-object", json!("text")),
        ("gone", json!({"address": nowhere})),
    ]
    .into_iter()
    .map(|(name, value)| json!({"_id": name, "value": value}))
    .collect();
    nonsense.push(json!({"_id": "x".repeat(1_000), "value": "y".repeat(100_000)}));
    nonsense.extend((0..3_000).map(|n| json!({"_id": format!("n{n}"), "value": n})));
    a.put(STORE_LIST, nonsense).await.unwrap();
    a.create_store("things", StoreKind::Documents, None).await.unwrap();
    // What is withdrawn before B hears of it is not taken over.
    a.create_store("withdrawn", StoreKind::Documents, None).await.unwrap();
    withdraw(&a, "withdrawn").await;
    b.meet(&a).await;
    until("the honest store", async || store(&b, "things").await.is_some()).await;
    a.create_store("later", StoreKind::Documents, None).await.unwrap();
    until("the later store", async || store(&b, "later").await.is_some()).await;
    assert!(store(&b, "withdrawn").await.is_none());
    a.close().await;
    b.close().await;
}

/// A member that may not write to a store cannot take its name, neither where it is known nor where both
/// come at once.
#[tokio::test]
async fn nobody_takes_the_name_of_a_closed_store() {
    let (a, b) = (Member::online("taken", true).await, Member::online("taken", false).await);
    let closed = || Some(NewAccess::Fixed { write: vec![] });
    let plans = a.create_store("plans", StoreKind::Documents, closed()).await.unwrap();
    put(&a, "plans", "ours").await.unwrap();
    b.meet(&a).await;
    until("the store", async || store(&b, "plans").await.is_some()).await;

    let thief = Member::online("taken", true).await;
    let theirs = thief.create_store("plans", StoreKind::Documents, closed()).await.unwrap();
    put(&thief, "plans", "theirs").await.unwrap();
    thief.meet(&a).await;
    thief.meet(&b).await;
    for node in [&a, &b] {
        until("both stores", async || {
            made(node).await.iter().any(|(_, address)| *address == theirs.address)
        })
        .await;
        let named = store(node, "plans").await.unwrap();
        assert_eq!(named.address, plans.address);
    }
    put(&a, "plans", "more").await.unwrap();
    let ids = async || find(&b, "plans", json!([])).await;
    until("more", async || ids().await == [json!({"_id": "more"}), json!({"_id": "ours"})]).await;

    let newcomer = Member::online("taken", false).await;
    newcomer.meet(&a).await;
    until("the older offer", async || store(&newcomer, "plans").await.is_some()).await;
    for member in [a, b, thief, newcomer] {
        member.close().await;
    }
}

/// A member that offers more stores than count takes room from itself, and nobody writes in answer.
#[tokio::test]
async fn a_flood_of_offers_ends_nothing() {
    let (a, b) = (Member::online("flood", true).await, Member::online("flood", true).await);
    b.create_store("before", StoreKind::Documents, None).await.unwrap();
    b.meet(&a).await;
    until("the store", async || store(&a, "before").await.is_some()).await;
    let invented: Vec<Value> = (0..1_100)
        .map(|n| {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&u32::to_be_bytes(n));
            let address = Address::of_manifest(LogCid::from_digest(digest)).to_string();
            json!({"_id": format!("n{n}"), "value": {"address": address}})
        })
        .collect();
    a.put(STORE_LIST, invented).await.unwrap();
    for (maker, other, name) in [(&a, &b, "by-a"), (&b, &a, "by-b")] {
        maker.create_store(name, StoreKind::Documents, None).await.unwrap();
        until("the later store", async || store(other, name).await.is_some()).await;
    }
    let entries = async || store(&a, STORE_LIST).await.unwrap().entries;
    let before = entries().await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(entries().await - before <= 2, "{} more", entries().await - before);
    a.close().await;
    b.close().await;
}

/// A store whose blocks nobody has is tried again when a peer comes that may have them.
#[tokio::test]
async fn what_cannot_be_had_is_had_later() {
    let (a, b) = (Member::online("later", true).await, Member::online("later", false).await);
    let owner = Member::alone("later", true);
    let theirs = owner.create_store("things", StoreKind::Documents, None).await.unwrap();
    let offer = json!({"address": theirs.address, "type": "documents"});
    a.put(STORE_LIST, vec![json!({"_id": "things", "value": offer})]).await.unwrap();
    a.put(STORE_LIST, vec![json!({"_id": "marker", "value": 1})]).await.unwrap();
    b.meet(&a).await;
    let heard = async || find(&b, STORE_LIST, json!([{"_id": "marker"}])).await.len() == 1;
    until("the offer", heard).await;
    assert!(store(&b, "things").await.is_none());
    owner.join().await;
    owner.meet(&b).await;
    until("the store", async || store(&b, "things").await.is_some()).await;
    for member in [a, b, owner] {
        member.close().await;
    }
}

/// A directory from before there was a list: its stores are offered once the node takes part.
#[tokio::test]
async fn what_was_made_before_there_was_a_list_is_offered() {
    let other = Member::alone("before", true);
    let made = other.create_store("other", StoreKind::Documents, None).await.unwrap();
    let node = Member::alone("before", true);
    other.close().await;
    node.close().await;
    keep_unlisted(other.dir.path(), node.dir.path(), address(&made));
    let node = node.reopened(true).await;
    assert!(find(&node, STORE_LIST, json!([])).await.is_empty());
    node.join().await;
    until("the offer", async || !find(&node, STORE_LIST, json!([])).await.is_empty()).await;
    let offered = find(&node, STORE_LIST, json!([])).await;
    assert_eq!(offered[0]["value"]["address"], json!(made.address));
    node.close().await;
}

/// Copies what defines a store from one directory to another, as nodes without a list kept it.
fn keep_unlisted(from: &Path, to: &Path, store: Address) {
    let database = |repo: &Path| {
        let place = Place::File(repo.join("optimusdb.sqlite"));
        Database::open(&place, Durability::Full).unwrap()
    };
    let (from, mut to) = (database(from), database(to));
    let view = from.view();
    let manifest = view.block(&store.manifest()).unwrap().unwrap();
    let manifest = Manifest::decode(store.manifest(), &manifest).unwrap();
    let access = AccessController::block_of(&manifest.access).unwrap();
    let mut tx = to.begin().unwrap();
    for cid in [store.manifest(), access] {
        tx.put_block(&cid, &view.block(&cid).unwrap().unwrap()).unwrap();
    }
    tx.create_store(&manifest.name, manifest.kind, &store, Scope::Resource).unwrap();
    tx.commit().unwrap();
}
