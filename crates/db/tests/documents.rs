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
    node.append("contributions", json!({"op": "ADD"})).await.unwrap();
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
    assert_eq!(node.events("contributions", 9, 0).await.unwrap().len(), 1);
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
