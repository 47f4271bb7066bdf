//! Stores of a swarm between nodes without a network: blocks and entries go from one to the other
//! by hand, and both end with the same stores under the same names.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_db::{
    Address, BoxFuture, Criteria, Error, Fetch, LogCid, NewAccess, Node, NodeConfig, STORE_LIST,
    StoreInfo, StoreKind,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use support::{config, find, heads, join};
use tempfile::TempDir;

/// Blocks from other nodes, asked in turn.
struct From(Vec<Node>);

impl Fetch for From {
    fn fetch(&self, cid: LogCid) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
        Box::pin(async move {
            for node in &self.0 {
                if let Some(block) = node.block(cid).await? {
                    return Ok(block);
                }
            }
            Err(Error::Unavailable("nobody has it".into()))
        })
    }
}

/// Blocks that are other ones than those asked for.
struct Wrong;

impl Fetch for Wrong {
    fn fetch(&self, _: LogCid) -> BoxFuture<'_, Result<Vec<u8>, Error>> {
        Box::pin(async { Ok(b"something else".to_vec()) })
    }
}

struct Member {
    node: Node,
    dir: TempDir,
}

impl Member {
    fn new(coordinator: bool) -> Member {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::open(NodeConfig { coordinator, ..config(dir.path()) }).unwrap();
        Member { node, dir }
    }
}

impl std::ops::Deref for Member {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

async fn store(node: &Node, name: &str) -> Option<StoreInfo> {
    node.stores().await.unwrap().into_iter().find(|store| store.name == name)
}

/// The stores that are not there from the start, by name, with their addresses.
async fn made(node: &Node) -> Vec<(String, String)> {
    let fresh = Member::new(true);
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

/// Brings the list of one node to another, which then follows it.
async fn hand_list(from: &Node, to: &Node) {
    join(to, from, STORE_LIST).await;
    to.store_list_changed();
}

/// Waits until `probe` holds; what never holds ends the test.
async fn until(what: &str, probe: impl AsyncFn() -> bool) {
    for _ in 0..1_500 {
        if probe().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}: never");
}

async fn put(node: &Node, store: &str, id: &str) -> Result<usize, Error> {
    node.put(store, vec![json!({"_id": id})]).await
}

#[tokio::test]
async fn a_store_is_taken_over_by_its_address() {
    let (a, b) = (Member::new(true), Member::new(true));
    let access = NewAccess::Mutable { write: vec![], admin: vec![] };
    let ruled = a.create_store("ruled", StoreKind::Documents, Some(access)).await.unwrap();
    let plain = a.create_store("plain", StoreKind::KeyValue, None).await.unwrap();

    let manifest = address(&ruled).manifest().to_string();
    let alone = b.adopt_store("theirs", address(&ruled), None).await.unwrap_err();
    assert!(matches!(&alone, Error::Unavailable(why) if why.contains(&manifest)), "{alone}");
    b.set_fetch(Arc::new(Wrong));
    let wrong = b.adopt_store("theirs", address(&ruled), None).await.unwrap_err();
    assert!(matches!(wrong, Error::Unavailable(_)), "{wrong}");
    b.set_fetch(Arc::new(From(vec![a.node.clone()])));
    let kind = b.adopt_store("theirs", address(&ruled), Some(StoreKind::Events)).await;
    assert!(matches!(kind, Err(Error::Conflict(_))));

    let adopted = b.adopt_store("theirs", address(&ruled), None).await.unwrap();
    assert_eq!((adopted.address.as_str(), adopted.kind.as_str()), (&*ruled.address, "documents"));
    let ruler = store(&b, "theirs/access").await.unwrap();
    assert_eq!(ruler.address, store(&a, "ruled/access").await.unwrap().address);
    let again = b.adopt_store("theirs", address(&ruled), None).await.unwrap();
    assert_eq!(again, adopted);
    let taken = b.adopt_store("theirs", address(&plain), None).await.unwrap_err();
    for part in [&ruled.address, &plain.address] {
        assert!(taken.to_string().contains(part.as_str()), "{taken}");
    }
    let twice = b.adopt_store("other", address(&ruled), None).await.unwrap_err();
    assert!(matches!(&twice, Error::Conflict(why) if why.contains("theirs")), "{twice}");
    assert_eq!(b.adopt_store("plain", address(&plain), None).await.unwrap().kind, "keyvalue");

    // What was written there comes by the join, under whatever name it has here.
    put(&a, "ruled", "x").await.unwrap();
    let joined = b.join("theirs", heads(&a, "ruled").await, support::live(&a)).await.unwrap();
    assert_eq!((joined.entries, joined.refused), (1, vec![]));
    assert_eq!(find(&b, "theirs", json!([])).await, [json!({"_id": "x"})]);
    b.close().await;
    let again = Node::open(config(b.dir.path())).unwrap();
    assert_eq!(find(&again, "theirs", json!([])).await.len(), 1);
}

/// Write lists between two nodes: what a grant and a revoke do to what either of them writes.
#[tokio::test]
async fn a_grant_lets_write_and_a_revoke_ends_it() {
    let (a, b) = (Member::new(true), Member::new(false));
    let access = NewAccess::Mutable { write: vec![], admin: vec![] };
    let made = a.create_store("ruled", StoreKind::Documents, Some(access)).await.unwrap();
    b.set_fetch(Arc::new(From(vec![a.node.clone()])));
    b.adopt_store("ruled", address(&made), None).await.unwrap();
    let (me, b_me) = (a.id().identity, b.id().identity);
    let shown = b.access("ruled").await.unwrap();
    assert_eq!((shown.kind, shown.writable, shown.admin), ("orbitdb", false, vec![me]));
    assert!(matches!(put(&b, "ruled", "b1").await, Err(Error::Denied(_))));
    let own = b.change_access("ruled", vec![b_me.clone()], vec![]).await;
    assert!(matches!(own, Err(Error::Denied(_))));

    let mut changes = b.access_changed();
    changes.mark_unchanged();
    a.change_access("ruled", vec![b_me.clone()], vec![]).await.unwrap();
    assert!(matches!(put(&b, "ruled", "b1").await, Err(Error::Denied(_))), "not arrived yet");
    join(&b, &a, "ruled/access").await;
    assert!(changes.has_changed().unwrap());
    assert!(b.access("ruled").await.unwrap().writable);
    put(&b, "ruled", "b1").await.unwrap();
    join(&a, &b, "ruled").await;
    assert_eq!(find(&a, "ruled", json!([])).await, [json!({"_id": "b1"})]);

    a.change_access("ruled", vec![], vec![b_me]).await.unwrap();
    // B does not know it yet, and writes on; A does, and takes no more of it.
    put(&b, "ruled", "b2").await.unwrap();
    let joined = a.join("ruled", heads(&b, "ruled").await, support::live(&b)).await.unwrap();
    assert_eq!((joined.entries, joined.refused.len()), (0, 1));
    join(&b, &a, "ruled/access").await;
    assert!(matches!(put(&b, "ruled", "b3").await, Err(Error::Denied(_))));
    assert_eq!(find(&a, "ruled", json!([])).await, [json!({"_id": "b1"})]);
}

#[tokio::test]
async fn what_a_coordinator_makes_is_taken_over_by_who_follows() {
    let (a, b) = (Member::new(true), Member::new(false));
    let refused = b.create_store("things", StoreKind::Documents, None).await.unwrap_err();
    assert!(matches!(refused, Error::Denied(_)));
    b.set_fetch(Arc::new(From(vec![a.node.clone()])));
    let following = tokio::spawn(b.node.clone().follow_store_list());
    a.create_store("things", StoreKind::Documents, None).await.unwrap();
    a.create_store("happened", StoreKind::Events, None).await.unwrap();
    let access = NewAccess::Mutable { write: vec!["*".into()], admin: vec![] };
    a.create_store("ruled", StoreKind::KeyValue, Some(access)).await.unwrap();
    let listed = find(&a, STORE_LIST, json!([{"_id": "things"}])).await;
    assert_eq!(listed[0]["value"]["type"], "documents");
    hand_list(&a, &b).await;
    until("three stores and one for access", async || made(&b).await == made(&a).await).await;
    assert_eq!(made(&b).await.len(), 4);
    // They are parts of the catalog, or not, as at the coordinator.
    put(&a, "things", "t").await.unwrap();
    join(&b, &a, "things").await;
    assert_eq!(find(&b, "kbmetadata", json!([])).await, find(&a, "kbmetadata", json!([])).await);
    assert_eq!(find(&b, "kbmetadata", json!([])).await.len(), 1);
    b.close().await;
    following.await.unwrap();
}

#[tokio::test]
async fn of_two_stores_of_one_name_none_is_lost() {
    let (a, b) = (Member::new(true), Member::new(true));
    let c = Member::new(false);
    for (node, sources) in [(&a, [&b, &c]), (&b, [&a, &c]), (&c, [&a, &b])] {
        let sources = sources.map(|member| member.node.clone()).to_vec();
        node.set_fetch(Arc::new(From(sources)));
        tokio::spawn(node.node.clone().follow_store_list());
    }
    let own = || Some(NewAccess::Fixed { write: vec!["02".repeat(33)] });
    let at_a = a.create_store("things", StoreKind::Documents, own()).await.unwrap();
    let ruled = Some(NewAccess::Mutable { write: vec![], admin: vec![] });
    let at_b = b.create_store("things", StoreKind::Documents, ruled).await.unwrap();
    assert_ne!(at_a.address, at_b.address);
    put(&a, "things", "from a").await.unwrap();
    put(&b, "things", "from b").await.unwrap();

    // C hears of one of them first and of the other later, B of A's last.
    hand_list(&a, &c).await;
    until("C has A's", async || store(&c, "things").await.is_some()).await;
    assert_eq!(store(&c, "things").await.unwrap().address, at_a.address);
    hand_list(&b, &c).await;
    hand_list(&b, &a).await;
    hand_list(&a, &b).await;
    until("the same everywhere", async || {
        let (a, b, c) = (made(&a).await, made(&b).await, made(&c).await);
        a.len() == 3 && a == b && b == c
    })
    .await;
    let stores = made(&a).await;
    let a_won = store(&a, "things").await.unwrap().address == at_a.address;
    let (winner, loser) = if a_won { (&at_a, &at_b) } else { (&at_b, &at_a) };
    let aside = format!("things~{}", &loser.address["/orbitdb/zdpu".len()..][..8]);
    assert!(stores.contains(&("things".to_owned(), winner.address.clone())), "{stores:?}");
    assert!(stores.contains(&(aside.clone(), loser.address.clone())), "{stores:?}");
    // The store that says who may write goes with its own.
    let ruled = if a_won { &aside } else { "things" };
    assert!(stores.iter().any(|(name, _)| *name == format!("{ruled}/access")), "{stores:?}");
    // And so does what was written.
    let (names_a, names_b) = if a_won { ("things", &*aside) } else { (&*aside, "things") };
    assert_eq!(find(&a, names_a, json!([])).await, [json!({"_id": "from a"})]);
    assert_eq!(find(&b, names_b, json!([])).await, [json!({"_id": "from b"})]);
    for member in [a, b, c] {
        member.close().await;
    }
}

#[tokio::test]
async fn nonsense_in_the_list_harms_nobody() {
    let (a, b) = (Member::new(true), Member::new(false));
    b.set_fetch(Arc::new(From(vec![a.node.clone()])));
    tokio::spawn(b.node.clone().follow_store_list());
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
    hand_list(&a, &b).await;
    until("the honest store", async || store(&b, "things").await.is_some()).await;
    assert_eq!(made(&b).await, made(&a).await);
    // What was withdrawn is not taken over; what comes back is.
    a.create_store("withdrawn", StoreKind::Documents, None).await.unwrap();
    let withdrawn = Criteria::parse(&json!([{"_id": "withdrawn"}])).unwrap();
    a.delete(STORE_LIST, withdrawn).await.unwrap();
    a.create_store("later", StoreKind::Documents, None).await.unwrap();
    hand_list(&a, &b).await;
    until("the later store", async || store(&b, "later").await.is_some()).await;
    assert!(store(&b, "withdrawn").await.is_none());
}

/// A store whose blocks nobody has is tried again when peers come.
#[tokio::test]
async fn what_cannot_be_had_is_had_later() {
    let (a, b) = (Member::new(true), Member::new(false));
    tokio::spawn(b.node.clone().follow_store_list());
    a.create_store("things", StoreKind::Documents, None).await.unwrap();
    hand_list(&a, &b).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(store(&b, "things").await.is_none());
    b.set_fetch(Arc::new(From(vec![a.node.clone()])));
    b.retry_store_list();
    until("the store", async || store(&b, "things").await.is_some()).await;
}

/// A directory from before there was a list: its stores are offered once somebody follows.
#[tokio::test]
async fn what_was_made_before_there_was_a_list_is_offered() {
    let a = Member::new(false);
    let b = Member::new(true);
    let other = b.create_store("other", StoreKind::Documents, None).await.unwrap();
    a.set_fetch(Arc::new(From(vec![b.node.clone()])));
    // A node that is no coordinator offers nothing.
    a.adopt_store("other", address(&other), None).await.unwrap();
    assert!(find(&a, STORE_LIST, json!([])).await.is_empty());
    a.close().await;
    let node = Node::open(config(a.dir.path())).unwrap();
    tokio::spawn(node.clone().follow_store_list());
    until("the offer", async || !find(&node, STORE_LIST, json!([])).await.is_empty()).await;
    let offered = find(&node, STORE_LIST, json!([])).await;
    assert_eq!(offered[0]["value"]["address"], json!(other.address));
    node.close().await;
}
