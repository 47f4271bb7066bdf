//! Two nodes without a network: what one wrote, the other joins, and both end equal.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_db::{Blocks, Cid, Error, LogCid, Node};
use serde_json::{Value, json};
use std::collections::HashMap;
use support::{config, find, heads, join};

/// The blocks of a node, copied out, with some left away.
struct Copied(HashMap<Cid, Vec<u8>>);

impl Blocks for Copied {
    type Error = std::convert::Infallible;

    fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(self.0.get(cid).cloned())
    }

    fn has(&self, cid: &Cid) -> Result<bool, Self::Error> {
        Ok(self.0.contains_key(cid))
    }
}

#[tokio::test]
async fn concurrent_writers_end_equal_on_both_nodes() {
    let (dir_a, dir_b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let a = Node::open(config(dir_a.path())).unwrap();
    let b = Node::open(config(dir_b.path())).unwrap();
    for n in 0..40 {
        a.put("dsswres", vec![json!({"_id": format!("k{}", n % 7), "from": "a", "n": n})])
            .await
            .unwrap();
        b.put("dsswres", vec![json!({"_id": format!("k{}", n % 9), "from": "b", "n": n})])
            .await
            .unwrap();
        if n % 10 == 9 {
            join(&a, &b, "dsswres").await;
        }
    }
    a.delete("dsswres", optimusdb_db::Criteria::parse(&json!([{"_id": "k3"}])).unwrap())
        .await
        .unwrap();
    join(&b, &a, "dsswres").await;
    join(&a, &b, "dsswres").await;
    assert_eq!(heads(&a, "dsswres").await, heads(&b, "dsswres").await);
    let everything = find(&a, "dsswres", json!([])).await;
    assert_eq!(everything, find(&b, "dsswres", json!([])).await);
    assert!(!everything.is_empty());
    // What is derived is equal, too, its timestamps included.
    assert_eq!(find(&a, "kbmetadata", json!([])).await, find(&b, "kbmetadata", json!([])).await);
    assert_eq!(join(&b, &a, "dsswres").await.entries, 0, "joining again changes nothing");
    a.close().await;
    b.close().await;
}

#[tokio::test]
async fn a_missing_block_holds_back_its_descendants_alone() {
    let (dir_a, dir_b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let a = Node::open(config(dir_a.path())).unwrap();
    let b = Node::open(config(dir_b.path())).unwrap();
    let mut chain = Vec::new();
    for n in 0..5 {
        a.put("kbdata", vec![json!({"_id": format!("k{n}")})]).await.unwrap();
        chain.extend(heads(&a, "kbdata").await);
    }
    let mut copied = HashMap::new();
    for cid in &chain {
        copied.insert(Cid::from(*cid), a.block(*cid).await.unwrap().unwrap());
    }
    copied.remove(&Cid::from(chain[1]));
    let known = a.block(chain[0]).await.unwrap().unwrap();
    assert_eq!(LogCid::of(&known), chain[0]);
    // The identity is missing as well, so nothing can be verified: all is refused, nothing stored.
    let joined = b.join("kbdata", vec![chain[4]], Copied(copied)).await.unwrap();
    assert_eq!(joined.entries, 0);
    assert!(!joined.refused.is_empty());
    assert!(find(&b, "kbdata", json!([])).await.is_empty());
    // Later the other node is there whole, and the same heads go through.
    assert_eq!(join(&b, &a, "kbdata").await.entries, 5);
    a.close().await;
    b.close().await;
}

#[tokio::test]
async fn events_keep_the_order_of_the_log_on_both_nodes() {
    let (dir_a, dir_b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let a = Node::open(config(dir_a.path())).unwrap();
    let b = Node::open(config(dir_b.path())).unwrap();
    for n in 0..3 {
        a.append("contributions", json!({"a": n})).await.unwrap();
        b.append("contributions", json!({"b": n})).await.unwrap();
    }
    join(&a, &b, "contributions").await;
    join(&b, &a, "contributions").await;
    let events: Vec<(LogCid, Value)> = a.events("contributions", 10, 0).await.unwrap();
    assert_eq!(events.len(), 6);
    assert_eq!(events, b.events("contributions", 10, 0).await.unwrap());
    assert_eq!(a.events("contributions", 2, 1).await.unwrap(), events[1..3]);
    let refused = a.append("dsswres", json!(1)).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid(_)));
    a.close().await;
    b.close().await;
}
