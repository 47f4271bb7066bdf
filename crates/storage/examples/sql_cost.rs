//! What SQL costs beside SQLite itself, over the same documents: a look-up by `_id`, and a scan with three
//! conditions. `cargo run --release -p optimusdb-storage --example sql_cost [documents]`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use optimusdb_dag::{Address, LogCid, StoreKind};
use optimusdb_storage::{
    Database, Durability, Place, Scope, SqlCell, SqlColumn, SqlDoor, SqlParams, SqlPlaces, SqlSink,
    SqlStatement, SqlValue,
};
use rusqlite::Connection;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TURNS: u32 = 5;
const LOOK_UPS: u32 = 20_000;
const CONDITIONS: &str =
    "doc ->> '$.cores' > 16 AND doc ->> '$.region' = 'eu-3' AND doc ->> '$.memory' < 4000";

struct Count(usize);

impl SqlSink for Count {
    fn columns(&mut self, _: &[SqlColumn]) {}

    fn row(&mut self, _: &[SqlCell<'_>]) -> ControlFlow<()> {
        self.0 += 1;
        ControlFlow::Continue(())
    }
}

struct World {
    documents: i64,
    store: i64,
    /// SQLite itself, on the same database.
    db: Connection,
    door: SqlDoor,
    _dir: tempfile::TempDir,
}

fn main() {
    let documents = std::env::args().nth(1).map_or(200_000, |n| n.parse().unwrap());
    let world = world(documents);
    world.scans();
    world.look_ups();
}

fn world(documents: i64) -> World {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| Place::File(dir.path().join(name));
    let places = SqlPlaces {
        node: place("node.sqlite"),
        journal: place("logs.sqlite"),
        user: place("user.sqlite"),
    };
    let mut database = Database::open(&places.node, Durability::Relaxed).unwrap();
    let mut tx = database.begin().unwrap();
    let address = Address::of_manifest(LogCid::of(b"things"));
    let store = tx.create_store("things", StoreKind::Documents, &address, Scope::Resource).unwrap();
    tx.commit().unwrap();
    drop(database);
    // Straight into the index: who signed the entries makes no difference to a read.
    let db = Connection::open(dir.path().join("node.sqlite")).unwrap();
    db.execute(
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT ?1)
         INSERT INTO documents (row, store, key, time, entry, doc)
         SELECT (?2 << 40) + n, ?2, 'vm-' || n, n, n, jsonb(json_object(
           '_id', 'vm-' || n, 'cores', n % 64, 'memory', n % 9000, 'region', 'eu-' || (n % 7),
           'name', 'a machine of number ' || n, 'labels', json_array('a', 'b', n),
           'text', printf('%.100c', 'x'))) FROM c",
        (documents, store.id),
    )
    .unwrap();
    let door = SqlDoor::open(places, 1).unwrap();
    World { documents, store: store.id, db, door, _dir: dir }
}

impl World {
    fn run(&self, sql: &str, params: Vec<SqlValue>) -> usize {
        let statement = SqlStatement {
            sql: sql.into(),
            params: SqlParams::Positional(params),
            deadline: Instant::now() + Duration::from_secs(60),
            rows_max: u64::MAX,
            peers: "[]".into(),
            is_gone: Arc::new(|| false),
        };
        let mut count = Count(0);
        self.door.run(&statement, &mut count).unwrap();
        count.0
    }

    fn plain(&self, sql: &str, param: Option<&str>) -> usize {
        let mut statement = self.db.prepare_cached(sql).unwrap();
        let mut rows = statement.query(rusqlite::params_from_iter(param)).unwrap();
        let mut count = 0;
        while let Some(row) = rows.next().unwrap() {
            row.get_ref(0).unwrap();
            count += 1;
        }
        count
    }

    fn scans(&self) {
        let range = format!("row >= {} AND row < {}", self.store << 40, (self.store + 1) << 40);
        for (what, ours, theirs) in [
            (
                "scan, ids",
                format!("SELECT _id FROM things WHERE {CONDITIONS}"),
                format!("SELECT key FROM documents WHERE {range} AND {CONDITIONS}"),
            ),
            (
                "scan, documents",
                format!("SELECT _id, doc FROM things WHERE {CONDITIONS}"),
                format!("SELECT key, json(doc) FROM documents WHERE {range} AND {CONDITIONS}"),
            ),
            (
                "all documents",
                "SELECT _id, doc FROM things".into(),
                format!("SELECT key, json(doc) FROM documents WHERE {range}"),
            ),
        ] {
            let (mut here, mut there) = (Duration::MAX, Duration::MAX);
            for _ in 0..TURNS {
                let begun = Instant::now();
                let found = self.run(&ours, vec![]);
                here = here.min(begun.elapsed());
                let begun = Instant::now();
                assert_eq!(found, self.plain(&theirs, None));
                there = there.min(begun.elapsed());
            }
            tell(what, here, there);
        }
    }

    fn look_ups(&self) {
        let ids: Vec<String> = (0..LOOK_UPS)
            .map(|n| format!("vm-{}", 1 + i64::from(n) * 7919 % self.documents))
            .collect();
        let ours = "SELECT _id, doc FROM things WHERE _id = ?1";
        let begun = Instant::now();
        for id in &ids {
            assert_eq!(self.run(ours, vec![SqlValue::Text(id.clone())]), 1);
        }
        let here = begun.elapsed() / LOOK_UPS;
        let theirs = "SELECT key, json(doc) FROM documents WHERE key = ?1";
        let begun = Instant::now();
        for id in &ids {
            assert_eq!(self.plain(theirs, Some(id)), 1);
        }
        tell("look-up", here, begun.elapsed() / LOOK_UPS);
    }
}

fn tell(what: &str, here: Duration, there: Duration) {
    let ratio = here.as_secs_f64() / there.as_secs_f64();
    println!("{what}: {here:?}, SQLite {there:?}, {ratio:.2}");
}
