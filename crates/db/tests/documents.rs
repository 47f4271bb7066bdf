//! A node on a real directory: documents in, documents out, after a reopen, too.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_db::{Criteria, Error, Node, NodeConfig, Query};
use serde_json::{Value, json};
use support::{collect, config, find};

fn criteria(value: Value) -> Criteria {
    Criteria::parse(&value).unwrap()
}

#[tokio::test]
async fn documents_survive_a_reopen_and_keep_their_last_word() {
    let dir = tempfile::tempdir().unwrap();
    let before = {
        let node = Node::open(config(dir.path())).unwrap();
        let docs = vec![
            json!({"_id": "a", "n": 1, "s": "x"}),
            json!({"_id": "b", "n": 2}),
            json!({"_id": "c", "n": 3}),
        ];
        assert_eq!(node.put("dsswres", docs).await.unwrap(), 3);
        let fields = json!({"n": 20, "t": [1, 2]}).as_object().unwrap().clone();
        let updated = node.update("dsswres", criteria(json!([{"_id": "b"}])), fields).await;
        assert_eq!(updated.unwrap(), 1);
        assert_eq!(
            node.delete("dsswres", criteria(json!([{"n": {"$gte": 3, "$lt": 9}}]))).await.unwrap(),
            1
        );
        node.close().await;
        node.id()
    };
    let node = Node::open(config(dir.path())).unwrap();
    assert_eq!(node.id().identity, before.identity);
    assert_eq!(node.id().peer_id, before.peer_id);
    assert_eq!(
        find(&node, "dsswres", json!([])).await,
        [json!({"_id": "a", "n": 1, "s": "x"}), json!({"_id": "b", "n": 20, "t": [1, 2]})]
    );
    let stores = node.stores().await.unwrap();
    let store = stores.iter().find(|s| s.name == "dsswres").unwrap();
    assert_eq!((store.documents, store.entries, store.heads.len()), (2, 5, 1));
    // The next entry goes on from the stored head.
    node.put("dsswres", vec![json!({"_id": "c", "n": 4})]).await.unwrap();
    assert_eq!(find(&node, "dsswres", json!([{"t": 2}])).await.len(), 1);
    let stores = node.stores().await.unwrap();
    assert_eq!(stores[0].heads.len(), 1);
    node.close().await;
}

#[tokio::test]
async fn a_refused_write_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    let docs = vec![json!({"_id": "a"}), json!({"_id": 7})];
    assert!(matches!(node.put("dsswres", docs).await, Err(Error::Invalid(_))));
    assert!(find(&node, "dsswres", json!([])).await.is_empty());
    for (store, error) in [("validations", "written by the node"), ("nowhere", "the stores are")] {
        let refused = node.put(store, vec![json!({"_id": "a"})]).await.unwrap_err();
        assert!(refused.to_string().contains(error), "{refused}");
    }
    for absent in [json!([]), Value::Null] {
        let refused = node.delete("dsswres", criteria(absent)).await.unwrap_err();
        assert!(refused.to_string().contains("[{}]"), "{refused}");
    }
    node.close().await;
}

#[tokio::test]
async fn every_resource_has_a_catalog_entry_that_follows_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    let resource = json!({
        "_id": "r1", "resource_name": "Turbine 7", "resource_type": "wind", "resource_def": "v90",
        "resource_tags": ["a", "b"], "status": "active"
    });
    node.put("dsswres", vec![resource, json!({"_id": "bare"})]).await.unwrap();
    let entries = find(&node, "kbmetadata", json!([{"associated_id": "r1"}])).await;
    let [entry] = entries.as_slice() else { panic!("one entry: {entries:?}") };
    for (field, value) in [
        ("_id", json!("r1")),
        ("name", json!("Turbine 7")),
        ("component", json!("wind-v90")),
        ("tags", json!(["a", "b"])),
        ("status", json!("active")),
        ("metadata_type", json!("Resource")),
    ] {
        assert_eq!(entry[field], value, "{field}");
    }
    let stamp = entry["created_at"].as_str().unwrap();
    assert!(stamp.starts_with("20") && stamp.ends_with('Z'), "{stamp}");
    // A field that is missing is absent, not made up.
    let bare = find(&node, "kbmetadata", json!([{"_id": "bare"}])).await;
    assert!(bare[0].get("name").is_none() && bare[0].get("component").is_none());
    // Derived entries change with their document only.
    let refused = node.delete("kbmetadata", criteria(json!([{"_id": "r1"}]))).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict(_)), "{refused}");
    // One put by hand stands beside and above them.
    node.put("kbmetadata", vec![json!({"_id": "bare", "name": "by hand"})]).await.unwrap();
    assert_eq!(find(&node, "kbmetadata", json!([{"_id": "bare"}])).await[0]["name"], "by hand");
    node.delete("dsswres", criteria(json!([{}]))).await.unwrap();
    assert_eq!(find(&node, "kbmetadata", json!([{}])).await.len(), 1);
    node.close().await;
}

#[tokio::test]
async fn an_update_over_the_limit_of_bytes_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    // Seventy documents of just under the limit of one are over the limit of an update.
    for n in 0..70 {
        let document = json!({"_id": format!("d{n}"), "text": "x".repeat(1_000_000)});
        node.put("dsswres", vec![document]).await.unwrap();
    }
    let fields = json!({"seen": true}).as_object().unwrap().clone();
    let refused = node.update("dsswres", criteria(json!([{}])), fields.clone()).await;
    assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");
    assert!(find(&node, "dsswres", json!([{"seen": true}])).await.is_empty());
    // Grown over the limit of one document, too.
    let long = json!({"more": "y".repeat(100_000)}).as_object().unwrap().clone();
    let refused = node.update("dsswres", criteria(json!([{"_id": "d1"}])), long).await;
    assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");
    let half = criteria(json!([{"_id": {"$regex": "^d[1-4]"}}]));
    assert_eq!(node.update("dsswres", half, fields).await.unwrap(), 44);
    node.close().await;
}

#[tokio::test]
async fn a_large_answer_comes_in_chunks_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    let docs: Vec<Value> = (0..3000)
        .map(|n| json!({"_id": format!("k{n:04}"), "n": n, "text": "x".repeat(100)}))
        .collect();
    node.put("kbdata", docs).await.unwrap();
    let options = json!({"sort": [{"n": -1}], "skip": 10, "limit": 2500, "fields": ["n"]});
    let query = Query::from_json(&json!([{"n": {"$gte": 100}}]), &options).unwrap();
    let found = collect(node.find("kbdata", query).await.unwrap()).await;
    assert_eq!(found.len(), 2500);
    assert_eq!(found[0], json!({"_id": "k2989", "n": 2989}));
    assert!(found.windows(2).all(|w| w[0]["n"].as_u64() > w[1]["n"].as_u64()));
    node.close().await;
}

fn query(criteria: Value, options: Value) -> Query {
    Query::from_json(&criteria, &options).unwrap()
}

async fn ids(node: &Node, store: &str, criteria: Value, options: Value) -> Vec<String> {
    let found = collect(node.find(store, query(criteria, options)).await.unwrap()).await;
    found.iter().map(|document| document["_id"].as_str().unwrap().to_owned()).collect()
}

/// Arrival, deletes and what is put again leave the order alone, in few documents and in many.
#[tokio::test]
async fn without_a_sort_documents_come_by_id() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    // Every number comes once, and hardly one in its place.
    let key = |n: u32| format!("{}{}", ["k", "K", "ü"][n as usize % 3], n * 7 % 1501);
    let documents = |from: u32, to: u32| -> Vec<Value> {
        (from..to)
            .map(|n| json!({"_id": key(n), "n": n, "even": n % 2 == 0, "few": n % 100}))
            .collect()
    };
    node.put("kbdata", documents(700, 1501)).await.unwrap();
    node.put("whoiswho", documents(0, 50)).await.unwrap();
    node.put("kbdata", documents(0, 700)).await.unwrap();
    node.delete("kbdata", criteria(json!([{"n": {"$mod": [5, 0]}}]))).await.unwrap();
    node.put("kbdata", documents(0, 60)).await.unwrap();
    let mut all: Vec<(String, u32)> =
        (0..1501).filter(|n| n % 5 != 0 || *n < 60).map(|n| (key(n), n)).collect();
    all.sort();
    let keys = |wanted: &dyn Fn(u32) -> bool| -> Vec<String> {
        all.iter().filter(|(_, n)| wanted(*n)).map(|(key, _)| key.clone()).collect()
    };
    for store in ["kbdata", "kbmetadata"] {
        assert_eq!(ids(&node, store, json!([]), json!({})).await, keys(&|_| true), "{store}");
    }
    // Fewer and more than are ordered in memory.
    let even = ids(&node, "kbdata", json!([{"few": 3}]), json!({})).await;
    assert_eq!(even, keys(&|n| n % 100 == 3));
    let most = json!([{"n": {"$gte": 5}}]);
    assert_eq!(ids(&node, "kbdata", most.clone(), json!({})).await, keys(&|n| n >= 5));
    let mut paged = Vec::new();
    for page in 0.. {
        let options = json!({"skip": page * 100, "limit": 100});
        let found = ids(&node, "kbdata", most.clone(), options).await;
        if found.is_empty() {
            break;
        }
        paged.extend(found);
    }
    assert_eq!(paged, keys(&|n| n >= 5));
    let named: Vec<&str> = all.iter().rev().map(|(key, _)| key.as_str()).take(40).collect();
    let found = ids(&node, "kbdata", json!([{"_id": {"$in": named}}]), json!({})).await;
    assert!(found.is_sorted() && found.len() == 40);
    let ties = ids(&node, "kbdata", json!([]), json!({"sort": [{"even": 1}], "limit": 500})).await;
    assert!(ties.is_sorted());
    node.close().await;
}

#[tokio::test]
async fn stores_are_listed_in_the_same_order_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    for name in ["zebra", "apple", "mango"] {
        node.create_store(name, optimusdb_db::StoreKind::Documents, None).await.unwrap();
    }
    let names: Vec<String> = node.stores().await.unwrap().into_iter().map(|s| s.name).collect();
    assert_eq!(names[0], "dsswres");
    assert_eq!(names[names.len() - 3..], ["apple", "mango", "zebra"]);
    node.close().await;
}

#[tokio::test]
async fn updates_and_deletes_take_what_limit_and_sort_say() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    let documents: Vec<Value> = (0..20)
        .map(|n| json!({"_id": format!("k{n:02}"), "n": n * 7 % 20, "odd": n % 2 == 1}))
        .collect();
    node.put("dsswres", documents).await.unwrap();
    let all = || json!([{}]);
    let left = || ids(&node, "dsswres", json!([]), json!({}));
    // In the order of the `_id`s where none is asked for.
    assert_eq!(node.delete("dsswres", query(all(), json!({"limit": 2}))).await.unwrap(), 2);
    assert_eq!(left().await[0], "k02");
    let odd = json!([{"odd": true}]);
    let some = query(odd.clone(), json!({"limit": 1, "skip": 1}));
    assert_eq!(node.delete("dsswres", some).await.unwrap(), 1);
    assert!(!left().await.contains(&"k05".to_owned()));
    // All but the two greatest.
    let rest = query(all(), json!({"sort": {"n": -1}, "skip": 2}));
    assert_eq!(node.delete("dsswres", rest).await.unwrap(), 15);
    let found = find(&node, "dsswres", json!([])).await;
    assert_eq!(found.iter().map(|d| d["n"].as_u64().unwrap()).collect::<Vec<_>>(), [18, 19]);

    let fields = || json!({"seen": true}).as_object().unwrap().clone();
    let none = query(all(), json!({"limit": 0}));
    assert_eq!(node.update("dsswres", none, fields()).await.unwrap(), 0);
    let least = query(all(), json!({"sort": [{"n": -1}], "limit": 1}));
    assert_eq!(node.update("dsswres", least, fields()).await.unwrap(), 1);
    let seen = find(&node, "dsswres", json!([{"seen": true}])).await;
    assert_eq!(seen.iter().map(|d| d["n"].clone()).collect::<Vec<_>>(), [json!(19)]);
    let named = query(json!([{"_id": {"$in": ["k14", "k17", "none"]}}]), json!({"limit": 1}));
    assert_eq!(node.delete("dsswres", named).await.unwrap(), 1);
    assert_eq!(left().await.len(), 1);
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_is_what_matches_at_the_moment_of_the_change() {
    const DOCUMENTS: usize = 60;
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    let named = |n: usize, state: &str| json!({"_id": format!("d{n:02}"), "state": state, "n": n});
    node.put("dsswres", (0..DOCUMENTS).map(|n| named(n, "new")).collect()).await.unwrap();

    // Each is taken once, by however many.
    let takers: Vec<_> = (0..4)
        .map(|taker| {
            let node = node.clone();
            tokio::spawn(async move {
                let fields = json!({"state": format!("taken-{taker}")});
                let mut taken = 0;
                loop {
                    let one =
                        query(json!([{"state": "new"}]), json!({"limit": 1, "sort": {"n": 1}}));
                    let fields = fields.as_object().unwrap().clone();
                    match node.update("dsswres", one, fields).await.unwrap() {
                        0 => return taken,
                        count => taken += count,
                    }
                }
            })
        })
        .collect();
    let mut taken = 0;
    for taker in takers {
        taken += taker.await.unwrap();
    }
    assert_eq!(taken, DOCUMENTS);

    // What is written anew while it is looked at is judged as it is then.
    let writing = tokio::spawn({
        let node = node.clone();
        async move {
            for n in 0..DOCUMENTS {
                node.put("dsswres", vec![named(n, "kept")]).await.unwrap();
            }
        }
    });
    while !writing.is_finished() {
        let old = query(json!([{"state": {"$regex": "^taken"}}]), json!({}));
        node.delete("dsswres", old).await.unwrap();
    }
    writing.await.unwrap();
    let kept = find(&node, "dsswres", json!([{"state": "kept"}])).await;
    assert_eq!(kept.len(), DOCUMENTS);
    node.close().await;
}

/// Every `_id` is a text, so that some conditions on it are known to hold for none.
#[tokio::test]
async fn criteria_that_no_id_fulfils_find_nothing_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    node.put("dsswres", vec![json!({"_id": "a", "keywords": ["x"]})]).await.unwrap();
    for (given, found) in [
        (json!([{"_id": {"$gt": 5}}]), 0),
        (json!([{"_id": {"$gte": "a", "$size": 1}}]), 0),
        (json!([{"_id": {"$gte": "a", "$in": []}}]), 0),
        (json!([{"_id": {"$gte": "a"}, "keywords": "x"}]), 1),
        (json!([{"keywords": "x"}]), 1),
    ] {
        for order in [json!({}), json!({"sort": [{"_id": -1}]}), json!({"sort": [{"n": 1}]})] {
            let ids = ids(&node, "dsswres", given.clone(), order.clone()).await;
            assert_eq!(ids.len(), found, "{given} {order}");
        }
        // The catalog has an entry for the same document, without the field.
        let entries = ids(&node, "kbmetadata", given.clone(), json!({})).await;
        assert_eq!(entries.len(), found * usize::from(given[0].get("keywords").is_none()));
    }
    node.close().await;
}

#[tokio::test]
async fn two_nodes_cannot_share_a_directory_and_a_directory_keeps_its_swarm() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    let second = Node::open(config(dir.path())).unwrap_err();
    assert!(second.to_string().contains("in use by another node"), "{second}");
    node.close().await;
    drop(node);
    let other = NodeConfig { swarm: "other".into(), ..config(dir.path()) };
    let refused = Node::open(other).unwrap_err();
    assert!(refused.to_string().contains("-swarm=test"), "{refused}");
}

#[tokio::test]
async fn an_index_made_again_answers_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    for n in 0..30 {
        let document = json!({"_id": format!("k{}", n % 11), "n": n, "resource_name": "r"});
        node.put("dsswres", vec![document]).await.unwrap();
    }
    node.delete("dsswres", criteria(json!([{"n": {"$lt": 22}}]))).await.unwrap();
    node.put("contributions", vec![json!({"value": {"op": "ADD"}})]).await.unwrap();
    let before =
        (find(&node, "dsswres", json!([])).await, find(&node, "kbmetadata", json!([])).await);
    let stores = node.stores().await.unwrap();
    node.close().await;
    drop(node);
    let node = Node::open(NodeConfig { reindex: true, ..config(dir.path()) }).unwrap();
    let after =
        (find(&node, "dsswres", json!([])).await, find(&node, "kbmetadata", json!([])).await);
    assert_eq!(before, after);
    assert!(!after.0.is_empty());
    assert_eq!(node.stores().await.unwrap(), stores);
    assert_eq!(find(&node, "contributions", json!([])).await.len(), 1);
    node.close().await;
}

#[tokio::test]
async fn made_stores_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    let made =
        node.create_store("my-store", optimusdb_db::StoreKind::Documents, None).await.unwrap();
    let again =
        node.create_store("my-store", optimusdb_db::StoreKind::Documents, None).await.unwrap();
    assert_eq!(made.address, again.address);
    for bad in ["x", "-ab", "Ab", "a b", &"a".repeat(64)] {
        let refused = node.create_store(bad, optimusdb_db::StoreKind::Documents, None).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{bad}");
    }
    node.put("my-store", vec![json!({"_id": "m", "name": "mine"})]).await.unwrap();
    node.close().await;
    drop(node);
    let node = Node::open(config(dir.path())).unwrap();
    assert_eq!(find(&node, "my-store", json!([])).await.len(), 1);
    assert_eq!(find(&node, "kbmetadata", json!([])).await[0]["name"], "mine");
    node.close().await;
}
