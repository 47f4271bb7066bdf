//! Two nodes that wrote apart from each other meet, and both end equal.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_db::{Criteria, Node, Query};
use serde_json::{Value, json};
use support::{Member, collect, find, heads, until};

/// The events of a log, oldest first.
async fn events(node: &Node) -> Vec<Value> {
    let all = Query::from_json(&json!([]), &json!({})).unwrap();
    collect(node.find("contributions", all).await.unwrap()).await
}

#[tokio::test]
async fn concurrent_writers_end_equal_on_both_nodes() {
    let (a, b) = (Member::alone("writers", true), Member::alone("writers", true));
    for n in 0..40 {
        for (node, from, keys) in [(&a, "a", 7), (&b, "b", 9)] {
            let document = json!({"_id": format!("k{}", n % keys), "from": from, "n": n});
            node.put("dsswres", vec![document]).await.unwrap();
        }
    }
    let k3 = Criteria::parse(&json!([{"_id": "k3"}])).unwrap();
    assert_eq!(a.delete("dsswres", k3).await.unwrap(), 1);
    a.join().await;
    b.join().await;
    a.meet(&b).await;
    until("equal heads", async || heads(&a, "dsswres").await == heads(&b, "dsswres").await).await;
    let everything = find(&a, "dsswres", json!([])).await;
    assert_eq!(everything, find(&b, "dsswres", json!([])).await);
    assert!(!everything.is_empty());
    // What is derived is equal, too, its timestamps included.
    assert_eq!(find(&a, "kbmetadata", json!([])).await, find(&b, "kbmetadata", json!([])).await);
    a.close().await;
    b.close().await;
}

#[tokio::test]
async fn events_keep_the_order_of_the_log_on_both_nodes() {
    let (a, b) = (Member::alone("events", true), Member::alone("events", true));
    for n in 0..3 {
        a.put("contributions", vec![json!({"value": {"a": n}})]).await.unwrap();
        b.put("contributions", vec![json!({"value": {"b": n}})]).await.unwrap();
    }
    a.join().await;
    b.join().await;
    b.meet(&a).await;
    until("six events", async || events(&a).await.len() == 6 && events(&b).await.len() == 6).await;
    let there = events(&a).await;
    assert_eq!(there, events(&b).await);
    let of = |who: &str| -> Vec<&Value> {
        there.iter().filter_map(|event| event["value"].get(who)).collect()
    };
    assert_eq!(of("a"), [0, 1, 2]);
    assert_eq!(of("b"), [0, 1, 2]);
    a.close().await;
    b.close().await;
}
