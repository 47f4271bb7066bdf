//! TOSCA files of the field: all are taken, and their tables are the same when they are made again.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_db::{Node, NodeConfig, ToscaFile, ToscaUpload};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use support::config;

const VIEWS: [&str; 8] = [
    "tosca_templates",
    "tosca_nodes",
    "tosca_requirements",
    "tosca_filter_terms",
    "tosca_capabilities",
    "tosca_policies",
    "tosca_artifacts",
    "tosca_types",
];

fn rows(db: &Connection, view: &str) -> Vec<String> {
    let mut statement = db.prepare(&format!("SELECT * FROM {view}")).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cells = (0..columns).map(|at| Ok(format!("{:?}", row.get_ref(at)?)));
        cells.collect::<rusqlite::Result<Vec<_>>>().map(|cells| cells.join(" "))
    });
    let mut rows: Vec<String> = rows.unwrap().collect::<rusqlite::Result<_>>().unwrap();
    rows.sort();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_field_have_their_rows() {
    let shared = std::env::var_os("OPTIMUSDB_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let Ok(directory) = std::fs::read_dir(shared.join("data/tosca")) else {
        eprintln!("SKIPPED: no TOSCA files in {}", shared.display());
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(config(dir.path())).unwrap();
    let files: Vec<ToscaFile> = directory
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| ToscaFile {
            bytes: std::fs::read(&path).unwrap(),
            filename: Some(path.file_name().unwrap().to_str().unwrap().to_owned()),
        })
        .collect();
    let upload = ToscaUpload { files, store_full_structure: true, target_store: None };
    let receipts = node.upload(upload).await.unwrap();
    let db = Connection::open(dir.path().join("optimusdb.sqlite")).unwrap();
    for receipt in &receipts {
        let shown: (String, u32, u32) = db
            .query_row(
                "SELECT kind, nodes, (SELECT count(*) FROM tosca_nodes n WHERE n.template = t.template)
                 FROM tosca_templates t WHERE template = ?1",
                [&receipt.template_id],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .unwrap();
        let nodes = u32::try_from(receipt.node_count).unwrap();
        assert_eq!(shown, (receipt.kind.clone(), nodes, nodes), "{}", receipt.filename);
    }
    let before = VIEWS.map(|view| rows(&db, view));
    for (view, rows) in VIEWS.iter().zip(&before) {
        assert!(!rows.is_empty(), "{view} is empty");
    }
    node.close().await;
    drop(node);
    let again = NodeConfig { reindex: true, ..config(dir.path()) };
    let node = Node::open(again).unwrap();
    assert_eq!(VIEWS.map(|view| rows(&db, view)), before);
    node.close().await;
}
