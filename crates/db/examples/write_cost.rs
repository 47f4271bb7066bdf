//! What a document costs below HTTP: signing, encoding, inserting and committing, in batches.
//!
//! Run with `cargo run --release -p optimusdb-db --example write_cost [documents] [batch]`. The last
//! line is `docs_per_second=N`.

use optimusdb_db::{FilesConfig, Node, NodeConfig, NodeOpening};
use serde_json::{Value, json};
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[allow(clippy::print_stdout, reason = "its output is its purpose")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>());
    let documents = args.next().transpose()?.unwrap_or(50_000);
    let batch = args.next().transpose()?.unwrap_or(1_000);
    // On the disk of the build, not in a temporary directory that may be memory.
    let repo = PathBuf::from("target").join(format!("write-cost-{}", std::process::id()));
    let node = Node::open(NodeConfig {
        repo: repo.clone(),
        swarm: "bench".into(),
        region: None,
        coordinator: true,
        durable: true,
        reindex: false,
        version: String::new(),
        journal: None,
        journal_retention: Duration::ZERO,
        opening: NodeOpening::default(),
        files: FilesConfig::default(),
        disk_reserve_bytes: 0,
        free_bytes: |_| None,
    })?;
    let batches: Vec<Vec<Value>> = (0..documents)
        .map(document)
        .collect::<Vec<_>>()
        .chunks(batch)
        .map(<[Value]>::to_vec)
        .collect();
    let started = Instant::now();
    for batch in batches {
        node.put("dsswres", batch).await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    node.close().await;
    drop(node);
    let bytes: u64 =
        std::fs::read_dir(&repo)?.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum();
    std::fs::remove_dir_all(&repo)?;
    println!("documents={documents} batch={batch} seconds={seconds:.3}");
    println!("bytes_per_document={}", bytes / documents.max(1) as u64);
    println!("docs_per_second={:.0}", documents as f64 / seconds);
    Ok(())
}

/// A resource description of about 300 bytes.
fn document(n: usize) -> Value {
    json!({
        "_id": format!("resource-{n:08}"),
        "resource_name": format!("Compute node {n}"),
        "resource_type": "compute",
        "resource_def": "vm.large",
        "resource_tags": ["edge", "linux", format!("rack-{}", n % 40)],
        "status": if n.is_multiple_of(3) { "active" } else { "idle" },
        "region": format!("eu-{}", n % 7),
        "cpu_cores": n % 64 + 1,
        "memory_gb": (n % 16 + 1) * 8,
        "load": (n % 100) as f64 / 100.0 + 0.001,
    })
}
