//! SQL of users: what it sees, what it may write, and what it never reaches.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_dag::{Ipld, StoreKind};
use optimusdb_storage::{
    Database, Error, Journal, JournalRecord, PeerDoor, Place, Scope, SqlCell, SqlColumn, SqlDoor,
    SqlParams, SqlPlaces, SqlRan, SqlSink, SqlStatement, SqlTableKind, SqlValue, StoreRow,
};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::*;

/// What a statement gave, as text: a line for the columns, one for each row.
#[derive(Default)]
struct Table {
    columns: Vec<SqlColumn>,
    rows: Vec<String>,
}

impl SqlSink for Table {
    fn columns(&mut self, columns: &[SqlColumn]) {
        self.columns = columns.to_vec();
    }

    fn row(&mut self, row: &[SqlCell<'_>]) -> ControlFlow<()> {
        let cells: Vec<String> = row
            .iter()
            .map(|cell| match cell {
                SqlCell::Null => "NULL".into(),
                SqlCell::Integer(n) => n.to_string(),
                SqlCell::Real(x) => format!("{x:?}"),
                SqlCell::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                SqlCell::Blob(bytes) => format!("{} bytes", bytes.len()),
            })
            .collect();
        self.rows.push(cells.join("|"));
        ControlFlow::Continue(())
    }
}

struct World {
    database: Database,
    door: SqlDoor,
    things: StoreRow,
    places: SqlPlaces,
    _dir: Option<tempfile::TempDir>,
}

/// A node with the stores `things`, `my-settings` (of values), `happened` (of events) and the catalog.
fn world() -> World {
    world_in(None)
}

fn world_in(dir: Option<tempfile::TempDir>) -> World {
    let place = |name: &str| match &dir {
        Some(dir) => Place::File(dir.path().join(name)),
        None => Place::memory(),
    };
    let places = SqlPlaces {
        node: place("optimusdb.sqlite"),
        journal: place("logs.sqlite"),
        user: place("user.sqlite"),
    };
    let mut database = open(&places.node);
    let things = documents(&mut database, "things");
    store(&mut database, "kbmetadata", StoreKind::Documents, Scope::Catalog);
    let settings = store(&mut database, "my-settings", StoreKind::KeyValue, Scope::Plain);
    let happened = store(&mut database, "happened", StoreKind::Events, Scope::Plain);
    let mut journal = Journal::open(&places.journal).unwrap();
    let record = JournalRecord {
        timestamp_ms: 1_700_000_000_123,
        level: "INFO".into(),
        message: "hello".into(),
        source: "test".into(),
    };
    journal.append(&[record]).unwrap();
    for (id, cores) in [("vm-1", 4), ("vm-2", 16), ("vm-3", 8)] {
        let fields = [("cores", Ipld::Integer(cores)), ("name", text(&format!("Node {id}")))];
        put_one(&mut database, &things, &put(id, map(fields)));
    }
    let value = optimusdb_dag::Operation::Put { key: "colour".into(), value: text("blue") };
    put_one(&mut database, &settings, &value);
    put_one(&mut database, &happened, &optimusdb_dag::Operation::Add { value: text("boot") });
    let door = SqlDoor::open(places.clone(), 2).unwrap();
    World { database, door, things, places, _dir: dir }
}

fn put_one(database: &mut Database, store: &StoreRow, operation: &optimusdb_dag::Operation) {
    let mut writer = Writer::new(1, &store.name);
    log(database.view(), store).iter().for_each(|entry| writer.join(entry));
    let entry = writer.write(operation, Some(1_700_000_000_123));
    deliver(database, store, &[entry]).unwrap();
}

fn statement(sql: &str, params: &[SqlValue]) -> SqlStatement {
    SqlStatement {
        sql: sql.into(),
        params: SqlParams::Positional(params.to_vec()),
        deadline: Instant::now() + Duration::from_secs(20),
        rows_max: u64::MAX,
        peers: r#"[{"ID":"12D3","Addrs":["/ip4/10.0.0.1/tcp/4001"],"rtt_ms":1.5}]"#.into(),
        is_gone: Arc::new(|| false),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

impl World {
    fn run(&self, sql: &str) -> Result<(SqlRan, Table), Error> {
        self.run_with(sql, &[])
    }

    fn run_with(&self, sql: &str, params: &[SqlValue]) -> Result<(SqlRan, Table), Error> {
        let mut table = Table::default();
        let ran = self.door.run(&statement(sql, params), &mut table)?;
        Ok((ran, table))
    }

    /// The rows of a statement that reads.
    fn read(&self, sql: &str) -> Vec<String> {
        let (ran, table) = self.run(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert_eq!(ran, SqlRan::Read { more: false }, "{sql}");
        table.rows
    }

    /// How many rows of the users' tables a statement changes.
    fn write(&self, sql: &str) -> usize {
        match self.run(sql).unwrap_or_else(|e| panic!("{sql}: {e}")).0 {
            SqlRan::Local { affected } => affected,
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// Why a statement is refused.
    fn refused(&self, sql: &str) -> String {
        match self.run(sql) {
            Err(Error::Statement { message, .. }) => message,
            Err(other) => panic!("{sql}: {other}"),
            Ok((ran, table)) => panic!("{sql}: {ran:?} {:?}", table.rows),
        }
    }

    /// What a statement writes to a store, and what it returns.
    fn capture(&self, sql: &str) -> Result<(Documents, usize, Vec<String>), String> {
        let told = |e: Error| e.to_string();
        let (ran, _) = self.run(sql).map_err(told)?;
        assert!(matches!(ran, SqlRan::Replicated(_)), "{sql}: {ran:?}");
        let mut table = Table::default();
        let (returned, writes) = self.door.capture(&statement(sql, &[]), soon()).map_err(told)?;
        returned.give(&mut table);
        Ok((writes.documents, writes.affected, table.rows))
    }
}

/// Documents by their `_id`s; none is one that is deleted.
type Documents = Vec<(String, Option<String>)>;

fn one(id: &str, document: &str) -> Documents {
    vec![(id.into(), Some(document.into()))]
}

#[test]
fn every_kind_of_table_is_read_and_joined() {
    let w = world();
    assert_eq!(
        w.read("SELECT _id, doc, _time, _updated_at FROM things WHERE _id = 'vm-2'"),
        [r#"vm-2|{"_id":"vm-2","cores":16,"name":"Node vm-2"}|2|2023-11-14T22:13:20.123Z"#]
    );
    assert_eq!(w.read("SELECT doc FROM \"my-settings\""), [r#"{"_id":"colour","value":"blue"}"#]);
    assert_eq!(w.read("SELECT doc ->> '$.value' FROM happened"), ["boot"]);
    assert_eq!(
        w.read("SELECT t._id FROM things t WHERE t.doc ->> '$.cores' > 4 ORDER BY t.doc ->> '$.cores' DESC"),
        ["vm-2", "vm-3"]
    );
    assert_eq!(
        w.read(
            "SELECT c.name, t.doc ->> '$.cores', s.documents FROM datacatalog c
             JOIN things t ON t._id = c._id JOIN stores s ON s.name = 'things'
             WHERE c._id = 'vm-1'"
        ),
        ["Node vm-1|4|3"]
    );
    assert_eq!(
        w.read("SELECT date, hour, level, message, source FROM optimusLogger"),
        ["2023-11-14|22|INFO|hello|test"]
    );
    assert_eq!(w.read("SELECT peer_id, rtt_ms FROM peers"), ["12D3|1.5"]);
    assert_eq!(w.read("SELECT count(*) FROM toscametadata"), ["0"]);
    let entry = log(w.database.view(), &w.things)[0].cid();
    let writer = keys(1).identity().public_key.clone();
    assert_eq!(
        w.read("SELECT _entry, _writer FROM things WHERE _id = 'vm-1'"),
        [format!("{entry}|{writer}")]
    );
    assert_eq!(
        w.read("SELECT address FROM stores WHERE name = 'things'"),
        [w.things.address.to_string()]
    );
    assert_eq!(w.read("SELECT count(*) FROM things, \"my-settings\", peers"), ["3"]);
}

#[test]
fn documents_are_text_to_every_statement() {
    let w = world();
    let doc = r#"{"_id":"vm-1","cores":4,"name":"Node vm-1"}"#;
    let one = "FROM things WHERE _id = 'vm-1'";
    let mine = "FROM things, mine WHERE _id = 'vm-1'";
    let bytes = doc.len();
    let both = format!("{doc}|{bytes}");
    w.write("CREATE TABLE mine (a BLOB)");
    w.write("INSERT INTO mine VALUES (x'00')");
    w.write("CREATE VIEW passing AS SELECT _id, doc FROM things");
    for (sql, row) in [
        (format!("SELECT doc {one}"), doc.to_owned()),
        (
            format!("SELECT doc, doc ->> '$.cores' {one} AND doc ->> '$.cores' = 4"),
            format!("{doc}|4"),
        ),
        (format!("SELECT doc AS d, _id {one} ORDER BY doc"), format!("{doc}|vm-1")),
        (format!("SELECT typeof(doc), length(doc) {one}"), format!("text|{bytes}")),
        (format!("SELECT doc, length(doc) {one}"), both.clone()),
        (format!("SELECT doc || '' {one}"), doc.to_owned()),
        (format!("SELECT doc LIKE '%Node vm%', doc = '{doc}' {one}"), "1|1".into()),
        (format!("SELECT json_extract(doc, '$.cores'), json_type(doc) {one}"), "4|object".into()),
        (format!("SELECT length(d) FROM (SELECT doc AS d {one})"), bytes.to_string()),
        (format!("SELECT d, length(d) FROM (SELECT doc AS d {one})"), both.clone()),
        (format!("WITH c AS (SELECT doc {one}) SELECT doc, length(doc) FROM c"), both.clone()),
        (
            format!("WITH happened AS (SELECT doc {one}) SELECT doc, length(doc) FROM happened"),
            both.clone(),
        ),
        (
            format!("WITH c AS (SELECT doc, length(doc) AS n {one}) SELECT doc, n FROM c"),
            both.clone(),
        ),
        ("SELECT doc, length(doc) FROM passing WHERE _id = 'vm-1'".into(), both.clone()),
        (format!("SELECT a, length(doc) {mine}"), format!("1 bytes|{bytes}")),
        (format!("SELECT a, doc {mine}"), format!("1 bytes|{doc}")),
        (format!("SELECT (SELECT doc {one})"), doc.to_owned()),
        (format!("SELECT max(doc) {one}"), doc.to_owned()),
        (
            format!("SELECT * FROM (SELECT doc {one}) UNION ALL SELECT doc {one} LIMIT 1"),
            doc.to_owned(),
        ),
        (format!("SELECT group_concat(doc) OVER () {one}"), doc.to_owned()),
        (format!("SELECT count(*) {one} AND typeof(doc) = 'text'"), "1".into()),
        (format!("SELECT d.* FROM (SELECT doc {one}) d"), doc.to_owned()),
        (format!("SELECT json_group_array(json(doc)) {one}"), format!("[{doc}]")),
        (
            "SELECT typeof(value) FROM things t, json_each(t.doc)
             WHERE t._id = 'vm-1' AND key = 'cores'"
                .into(),
            "integer".into(),
        ),
    ] {
        // Twice: the second time it is prepared already.
        for _ in 0..2 {
            assert_eq!(w.read(&sql), [row.as_str()], "{sql}");
        }
    }
    let (_, table) = w.run("SELECT doc FROM things").unwrap();
    assert_eq!(table.columns[0].declared, None);
}

#[test]
fn documents_are_sorted_by_their_text_however_order_by_names_them() {
    let mut w = world();
    for (id, value) in [
        ("a", Ipld::Integer(10)),
        ("b", Ipld::Integer(9)),
        ("c", text("long enough")),
        ("d", Ipld::Integer(100)),
    ] {
        put_one(&mut w.database, &w.things, &put(id, map([("a", value), ("s", Ipld::Integer(1))])));
    }
    let sorted = w.read(
        "SELECT d FROM (SELECT doc || '' AS d FROM things WHERE doc ->> '$.s' = 1) ORDER BY d",
    );
    for order in [
        "2",
        "d",
        "D",
        "+2",
        "0x2",
        "-- limit\n2",
        "/* limit */ 2",
        "\"d\"",
        "'', 2",
        "d COLLATE BINARY LIMIT 9",
        "doc",
    ] {
        let sql = format!(
            "SELECT doc ->> '$.s', doc AS d FROM things WHERE doc ->> '$.s' = 1 ORDER BY {order}"
        );
        let rows: Vec<String> = sorted.iter().map(|doc| format!("1|{doc}")).collect();
        assert_eq!(w.read(&sql), rows, "{sql}");
    }
}

#[test]
fn a_statement_that_is_kept_sees_what_has_come_and_gone() {
    let mut w = world();
    for _ in 0..2 {
        assert_eq!(w.read("SELECT _id FROM things WHERE _id = 'vm-1'"), ["vm-1"]);
    }
    // A user's view and a user's table are seen at once, by statements that were kept and by others.
    w.write("CREATE TABLE a (x)");
    w.write("INSERT INTO a VALUES (1)");
    w.write("CREATE VIEW v AS SELECT x FROM a");
    for _ in 0..2 {
        assert_eq!(w.read("SELECT x FROM v"), ["1"]);
        assert_eq!(w.read("SELECT count(*) FROM a"), ["1"]);
    }
    w.write("DROP VIEW v");
    assert!(w.refused("SELECT x FROM v").contains("no such table: v"));
    w.write("CREATE TABLE v (x)");
    w.write("INSERT INTO v VALUES (2)");
    assert_eq!(w.read("SELECT x FROM v"), ["2"]);
    // A store takes a name for itself, also from a statement that was kept.
    assert_eq!(w.read("SELECT count(*) FROM v"), ["1"]);
    documents(&mut w.database, "v");
    assert_eq!(w.read("SELECT count(*) FROM v"), ["0"]);
    put_one(&mut w.database, &w.things, &del("vm-1"));
    assert!(w.read("SELECT _id FROM things WHERE _id = 'vm-1'").is_empty());
    // What the node itself asks is kept prepared beside it, and is nobody else's.
    for sql in ["BEGIN", "COMMIT", "PRAGMA main.schema_version", "/**/ COMMIT"] {
        w.refused(sql);
    }
    assert_eq!(w.read("SELECT x FROM main.v"), ["2"]);
}

#[test]
fn what_is_written_to_a_store_is_seen_by_the_next_statement_and_new_stores_are_tables() {
    let mut w = world();
    assert_eq!(w.read("SELECT count(*) FROM things"), ["3"]);
    put_one(&mut w.database, &w.things, &del("vm-1"));
    assert_eq!(w.read("SELECT count(*) FROM things"), ["2"]);
    assert!(w.refused("SELECT * FROM later").contains("no such table: later"));
    let later = documents(&mut w.database, "later");
    put_one(&mut w.database, &later, &put("l", map([])));
    assert_eq!(w.read("SELECT _id FROM later"), ["l"]);
}

#[test]
fn values_keep_their_kinds_and_columns_their_names_and_types() {
    let w = world();
    let (_, table) = w
        .run_with(
            "SELECT ?1 AS a, ?2, ?3, ?4, ?5, typeof(?4) AS t, CAST(x'ff41' AS TEXT), x'0001'; -- so",
            &[
                SqlValue::Null,
                SqlValue::Integer(i64::MAX),
                SqlValue::Real(0.5),
                SqlValue::Blob(vec![0, 255]),
                SqlValue::Text("é\u{0}x".into()),
            ],
        )
        .unwrap();
    assert_eq!(table.rows, ["NULL|9223372036854775807|0.5|2 bytes|é\u{0}x|blob|\u{fffd}A|2 bytes"]);
    assert_eq!(table.columns[0].name, "a");
    w.write("CREATE TABLE t (a INTEGER PRIMARY KEY, b DECIMAL(3))");
    let (_, table) = w.run("SELECT a, b, a + 1 FROM t").unwrap();
    let declared: Vec<_> = table.columns.iter().map(|c| c.declared.as_deref()).collect();
    assert_eq!(declared, [Some("INTEGER"), Some("DECIMAL(3)"), None]);
    let (_, table) = w.run("SELECT _id FROM things").unwrap();
    assert_eq!(table.columns[0].declared.as_deref(), Some("TEXT"));
}

#[test]
fn parameters_are_given_by_place_or_by_name_each_once() {
    let w = world();
    let named = |sql: &str, params: &[(&str, i64)]| {
        let params: Vec<_> = params
            .iter()
            .map(|(name, value)| ((*name).to_owned(), SqlValue::Integer(*value)))
            .collect();
        let mut table = Table::default();
        let statement = SqlStatement { params: SqlParams::Named(params), ..statement(sql, &[]) };
        w.door.run(&statement, &mut table).map(|_| table.rows).map_err(|e| e.to_string())
    };
    let sql = "SELECT :a, @b, $c, :a";
    assert_eq!(named(sql, &[("a", 1), ("@b", 2), ("c", 3)]), Ok(vec!["1|2|3|1".into()]));
    assert!(named(sql, &[("a", 1), ("b", 2)]).unwrap_err().contains("\"$c\" is not given"));
    assert!(named(sql, &[("a", 1), ("b", 2), ("c", 3), ("d", 4)]).unwrap_err().contains("\"d\""));
    assert!(named(sql, &[("a", 1), (":a", 2), ("c", 3)]).unwrap_err().contains("twice"));
    assert!(w.refused("SELECT ?, ?").contains("2 parameters, and 0 were given"));
    let many = vec!["?"; 10_001].join(",");
    assert!(w.refused(&format!("SELECT 1 WHERE 1 IN ({many})")).contains("too many SQL variables"));
}

#[test]
fn one_statement_a_request_and_errors_say_where() {
    let w = world();
    assert_eq!(w.read("/* a */ SELECT 1 ; ; -- b"), ["1"]);
    assert!(w.refused("SELECT 1; SELECT 2").contains("more than one"));
    assert!(w.refused("SELECT 1; DELETE FROM things").contains("more than one"));
    assert!(w.refused("").contains("no statement"));
    assert!(w.refused("-- nothing").contains("no statement"));
    let error = w.run("SELECT _id FRM things").err().unwrap();
    assert_eq!(error.to_string(), "near \"things\": syntax error (at offset 15)");
    let error = w.run("SELECT nought FROM things").err().unwrap();
    assert_eq!(error.to_string(), "no such column: nought (at offset 7)");
    let error = w.run("SELECT 1;\0 SELECT 2").err().unwrap();
    assert_eq!(error.to_string(), "the statement has a NUL character in it (at offset 9)");
    assert!(w.refused(&format!("SELECT '{}'", "x".repeat(1024 * 1024))).contains("are allowed"));
}

#[test]
fn what_is_the_nodes_is_out_of_reach() {
    let w = world();
    w.write("CREATE TABLE mine (a)");
    for sql in [
        "SELECT * FROM documents",
        "SELECT count(*) FROM entries",
        "SELECT 1 FROM writers",
        "SELECT * FROM blocks",
        "SELECT * FROM facts",
        "SELECT * FROM main.documents",
        "SELECT * FROM records",
        "SELECT key FROM catalog_documents",
        "SELECT _id FROM things UNION SELECT key FROM documents",
        "SELECT (SELECT value FROM facts LIMIT 1) FROM things",
        "WITH things AS (SELECT key FROM documents) SELECT * FROM things",
        "WITH datacatalog AS (SELECT * FROM facts) SELECT * FROM datacatalog",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM sqlite_schema",
        "SELECT * FROM main.sqlite_schema",
        "SELECT * FROM temp.sqlite_schema",
        "SELECT * FROM sqlite_temp_master",
        "SELECT * FROM sqlite_temp_schema",
        "SELECT * FROM pragma_table_list",
        "SELECT * FROM pragma_database_list",
        "SELECT * FROM pragma_table_info('mine')",
        "SELECT * FROM dbstat",
        "SELECT * FROM fts3tokenize",
        "CREATE TABLE copied AS SELECT * FROM sqlite_temp_master",
        "CREATE TABLE copied AS SELECT * FROM documents",
        "CREATE VIEW inside AS SELECT * FROM n.documents",
    ] {
        let why = w.refused(sql);
        assert!(why.contains("no such table") || why.contains("cannot reference"), "{sql}: {why}");
    }
    w.write("CREATE VIEW peeping AS SELECT * FROM documents");
    w.write("CREATE VIEW sub AS SELECT * FROM (SELECT * FROM peeping)");
    assert!(w.refused("SELECT * FROM sub").contains("no such table: documents"));
}

#[test]
fn what_no_statement_may_do_is_refused() {
    let w = world();
    w.write("CREATE TABLE mine (a)");
    for (sql, why) in [
        ("PRAGMA user_version", "PRAGMA"),
        ("PRAGMA writable_schema = 1", "PRAGMA"),
        ("PRAGMA journal_mode = DELETE", "PRAGMA"),
        ("ATTACH 'x.sqlite' AS x", "ATTACH"),
        ("DETACH main", "DETACH"),
        ("VACUUM", "VACUUM"),
        ("VACUUM INTO '/tmp/x.sqlite'", "VACUUM"),
        ("BEGIN", "transaction"),
        ("COMMIT", "transaction"),
        ("ROLLBACK", "transaction"),
        ("SAVEPOINT a", "transaction"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("EXPLAIN QUERY PLAN SELECT * FROM things", "EXPLAIN"),
        ("ANALYZE", "ANALYZE"),
        ("REINDEX", "REINDEX"),
        ("SELECT load_extension('x')", "load_extension"),
        ("SELECT json_patch('{}', '{}')", "json_patch"),
        ("SELECT peers_now()", "peers_now"),
        ("SELECT write_delete('vm-1')", "write_delete"),
        ("SELECT written_there()", "written_there"),
        ("CREATE TEMP TABLE t (a)", "TEMP"),
        ("CREATE TEMP VIEW v AS SELECT 1", "TEMP"),
        ("CREATE TEMP TRIGGER t INSTEAD OF INSERT ON things BEGIN SELECT 1; END", "TEMP"),
        ("CREATE VIRTUAL TABLE t USING fts5(a)", "virtual"),
        ("CREATE INDEX i ON things (doc)", "views may not be indexed"),
        ("DROP VIEW things", "cannot be dropped"),
        ("DROP TABLE things", "cannot be dropped"),
        ("ALTER TABLE things RENAME TO others", "not"),
        ("INSERT INTO stores (name) VALUES ('a')", "cannot"),
        ("DELETE FROM happened", "cannot"),
        ("UPDATE toscametadata SET id = 1", "cannot"),
        ("DELETE FROM sqlite_master", "may not be modified"),
        ("UPDATE sqlite_schema SET sql = ''", "may not be modified"),
        ("INSERT INTO documents (key) VALUES ('a')", "cannot be written"),
        ("DELETE FROM entries", "entries"),
        ("CREATE TABLE things (a)", "already"),
        ("CREATE TABLE main.things (a)", "already"),
        ("CREATE VIEW Datacatalog AS SELECT 1", "already"),
        ("CREATE TABLE json_each (a)", "already"),
    ] {
        let said = w.refused(sql);
        assert!(said.contains(why), "{sql}: {said}");
        assert!(!said.contains("probe"), "{sql}: {said}");
    }
    assert_eq!(w.read("SELECT count(*) FROM things"), ["3"]);
    assert_eq!(w.read("SELECT count(*) FROM mine"), ["0"]);
}

#[test]
fn bombs_end_in_time_and_the_next_statement_is_quick() {
    let w = world();
    w.write("CREATE TABLE rec (a)");
    w.write("CREATE TABLE other (a)");
    w.write(
        "CREATE TRIGGER endless AFTER INSERT ON other BEGIN
           INSERT INTO rec SELECT x FROM (
             WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c);
         END",
    );
    w.write("CREATE VIEW v0 AS SELECT 1 AS a UNION ALL SELECT 2");
    for n in 1..30 {
        w.write(&format!(
            "CREATE VIEW v{n} AS SELECT * FROM v{0} UNION ALL SELECT * FROM v{0}",
            n - 1
        ));
    }
    let deep = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let wide = format!("SELECT {}", vec!["1"; 5_000].join(","));
    let long = vec!["SELECT 1"; 1_000].join(" UNION ALL ");
    for sql in [
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION SELECT x + 1 FROM c) SELECT x FROM c ORDER BY x",
        "WITH RECURSIVE c(x) AS (SELECT 'x' UNION ALL SELECT x || x FROM c) SELECT max(x) FROM c",
        "SELECT zeroblob(1000000000)",
        "SELECT randomblob(1000000000)",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
         SELECT sum(length(randomblob(1000000))) FROM c",
        "SELECT printf('%.*c', 100000000, 'x')",
        "SELECT printf('%0100000000d', 1)",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
         SELECT group_concat(hex(randomblob(1000))) FROM c",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
         SELECT json_group_array(hex(randomblob(1000))) FROM c",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
         SELECT json_group_object(x, hex(randomblob(1000))) FROM c",
        "SELECT replace(printf('%.1000000c', 'a'), 'a', printf('%.1000000c', 'b'))",
        "SELECT 'x' LIKE printf('%.1000c', '%')",
        "SELECT 'x' GLOB printf('%.1000c', '*')",
        "INSERT INTO other VALUES (1)",
        "SELECT count(*) FROM v29",
        deep.as_str(),
        wide.as_str(),
        long.as_str(),
    ] {
        let begun = Instant::now();
        let limited =
            SqlStatement { deadline: begun + Duration::from_millis(300), ..statement(sql, &[]) };
        let error = w.door.run(&limited, &mut Table::default());
        let name: String = sql.chars().take(90).collect();
        match error {
            Err(Error::Statement { .. } | Error::Interrupted) => {}
            other => panic!("{name}: {other:?}"),
        }
        // Generous: the machine may be busy, and preparing a view of views takes its time.
        assert!(begun.elapsed() < Duration::from_secs(60), "{name}: {:?}", begun.elapsed());
        assert_eq!(w.read("SELECT count(*) FROM things"), ["3"], "{name}");
    }
    assert_eq!(w.read("SELECT count(*) FROM rec"), ["0"], "what does not end is undone");
    // A search without an end in sight takes a moment.
    assert_eq!(
        w.read("SELECT instr(printf('%.4000000c', 'a'), printf('%.2000000c', 'a') || 'b')"),
        ["0"]
    );
}

#[test]
fn functions_of_ours_are_like_those_of_sqlite() {
    let w = world();
    for (sql, row) in [
        (
            "SELECT instr('aéb', 'b'), instr('abc', ''), instr('', 'a'), instr(NULL, 'a')",
            "3|1|0|NULL",
        ),
        ("SELECT instr(x'00ff01', x'01'), instr(12345, 34)", "3|3"),
        (
            "SELECT replace('aXbX', 'X', 'yy'), replace('a', '', 'b'), replace('a', NULL, 'b')",
            "ayybyy|a|NULL",
        ),
        (
            "SELECT json_group_array(v) FROM (SELECT 1 AS v UNION ALL SELECT 'x\"' UNION ALL SELECT NULL)",
            "[1,\"x\\\"\",null]",
        ),
        (
            "SELECT json_group_array(json_object('a', 1)), json_group_object('k', 0.5)",
            "[{\"a\":1}]|{\"k\":0.5}",
        ),
        (
            "SELECT json_array(json_group_array(1)), json_group_array(1) FILTER (WHERE 0)",
            "[[1]]|[]",
        ),
    ] {
        assert_eq!(w.read(sql), [row], "{sql}");
    }
}

#[test]
fn who_hangs_up_ends_a_statement_that_yields_no_row() {
    let w = world();
    let gone = Arc::new(AtomicBool::new(false));
    let (asked, tell) = (Arc::clone(&gone), Arc::clone(&gone));
    let endless = SqlStatement {
        is_gone: Arc::new(move || asked.load(Ordering::Relaxed)),
        ..statement(
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c",
            &[],
        )
    };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            tell.store(true, Ordering::Relaxed);
        });
        let error = w.door.run(&endless, &mut Table::default());
        assert!(matches!(error, Err(Error::Interrupted)), "{error:?}");
    });
    assert!(begun.elapsed() < Duration::from_secs(15), "it did not wait for its deadline");
}

#[test]
fn no_more_rows_come_than_are_wanted() {
    let w = world();
    let mut table = Table::default();
    let two = SqlStatement { rows_max: 2, ..statement("SELECT _id FROM things ORDER BY _id", &[]) };
    assert_eq!(w.door.run(&two, &mut table).unwrap(), SqlRan::Read { more: true });
    assert_eq!(table.rows, ["vm-1", "vm-2"]);
    let three = SqlStatement { rows_max: 3, ..statement("SELECT _id FROM things", &[]) };
    let ran = w.door.run(&three, &mut Table::default()).unwrap();
    assert_eq!(ran, SqlRan::Read { more: false });
}

#[test]
fn users_have_tables_of_their_own() {
    let w = world_in(Some(tempfile::tempdir().unwrap()));
    assert_eq!(w.write("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT UNIQUE)"), 0);
    let (ran, table) = w.run("INSERT INTO t (b) VALUES ('x'), ('y') RETURNING a, b").unwrap();
    assert_eq!(
        (ran, table.rows),
        (SqlRan::Local { affected: 2 }, vec!["1|x".into(), "2|y".into()])
    );
    assert!(w.refused("INSERT INTO t (b) VALUES ('z'), ('x')").contains("UNIQUE constraint"));
    assert_eq!(w.read("SELECT count(*) FROM t"), ["2"], "all or none");
    assert_eq!(w.write("INSERT INTO t (b) VALUES ('x') ON CONFLICT (b) DO UPDATE SET b = 'w'"), 1);
    assert_eq!(w.write("UPDATE t SET b = b || '!'"), 2);
    w.write("CREATE INDEX by_b ON t (b)");
    w.write("CREATE TABLE big AS SELECT _id, doc FROM things WHERE doc ->> '$.cores' > 4");
    assert_eq!(w.read("SELECT _id FROM big ORDER BY 1"), ["vm-2", "vm-3"]);
    w.write("CREATE VIEW wide AS SELECT t._id, doc ->> '$.cores' AS cores FROM things t WHERE cores > 4");
    w.write("CREATE VIEW wider AS SELECT w._id FROM wide w JOIN t ON t.a = 1");
    assert_eq!(w.read("SELECT _id FROM wider ORDER BY 1"), ["vm-2", "vm-3"]);
    w.write("ALTER TABLE t RENAME COLUMN b TO c");
    w.write("ALTER TABLE t ADD COLUMN d DEFAULT 7");
    w.write("ALTER TABLE t RENAME TO u");
    assert_eq!(w.read("SELECT a, c, d FROM u ORDER BY a"), ["1|w!|7", "2|y!|7"]);
    assert!(w.refused("SELECT _id FROM wider").contains("no such table: t"));
    assert_eq!(w.read("SELECT cores FROM wide ORDER BY 1"), ["8", "16"], "views stay");
    w.write(
        "CREATE TRIGGER copied AFTER DELETE ON u BEGIN INSERT INTO big (_id) VALUES (OLD.c); END",
    );
    assert_eq!(w.write("DELETE FROM u WHERE a = 2"), 1);
    assert_eq!(w.read("SELECT count(*) FROM big WHERE _id = 'y!'"), ["1"]);
    w.write("DROP VIEW wide");
    assert!(w.refused("SELECT * FROM wide").contains("no such table: wide"));
    w.write("CREATE VIEW wide AS SELECT 1 AS one");
    assert_eq!(w.read("SELECT * FROM wide"), ["1"]);
    let taken = w.refused("ALTER TABLE big RENAME TO things");
    assert!(taken.contains("already a table of that name"), "{taken}");
    w.write("DROP TABLE u");
    w.write("DROP TABLE IF EXISTS u");
    w.write("DROP VIEW IF EXISTS u");
    let tables = w.door.tables().unwrap();
    let own: Vec<_> = tables
        .iter()
        .filter(|t| matches!(t.kind, SqlTableKind::Local | SqlTableKind::View))
        .map(|t| t.name.as_str())
        .collect();
    assert_eq!(own, ["big", "wide", "wider"]);
    let things = tables.iter().find(|t| t.name == "things").unwrap();
    let columns: Vec<_> = things.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(columns, ["_id", "doc", "_entry", "_writer", "_time", "_updated_at"]);
    assert!(things.writable && things.kind == SqlTableKind::Store);
}

#[test]
fn triggers_and_views_of_users_reach_no_more_than_users_do() {
    let w = world();
    w.write("CREATE TABLE t (a)");
    w.write("CREATE TRIGGER bad AFTER INSERT ON t BEGIN INSERT INTO t SELECT sql FROM sqlite_master; END");
    assert!(w.refused("INSERT INTO t VALUES (1)").contains("no such table"));
    w.write("DROP TRIGGER bad");
    w.write("CREATE TRIGGER bad AFTER INSERT ON t BEGIN DELETE FROM documents; END");
    assert!(w.refused("INSERT INTO t VALUES (1)").contains("no such table"));
    w.write("DROP TRIGGER bad");
    w.write("CREATE TRIGGER bad AFTER INSERT ON t BEGIN DELETE FROM things; END");
    assert!(w.refused("INSERT INTO t VALUES (1)").contains("no such table"));
    w.write("DROP TRIGGER bad");
    w.write("CREATE TRIGGER bad AFTER INSERT ON t BEGIN SELECT load_extension('x'); END");
    assert!(w.refused("INSERT INTO t VALUES (1)").contains("load_extension"));
    assert_eq!(w.read("SELECT count(*) FROM t"), ["0"]);
}

#[test]
fn a_store_takes_its_name_and_the_users_table_stays_behind_main() {
    let mut w = world();
    w.write("CREATE TABLE later (a)");
    w.write("CREATE VIEW after AS SELECT 'user' AS who");
    w.write("INSERT INTO later VALUES ('user')");
    assert_eq!(w.read("SELECT a FROM later"), ["user"]);
    for name in ["later", "after"] {
        let store = documents(&mut w.database, name);
        put_one(&mut w.database, &store, &put("of the store", map([])));
        assert_eq!(w.read(&format!("SELECT _id FROM {name}")), ["of the store"]);
    }
    assert_eq!(w.read("SELECT a FROM main.later"), ["user"]);
    assert_eq!(w.read("SELECT who FROM main.after"), ["user"]);
    assert_eq!(w.write("DROP TABLE main.later"), 0);
    assert_eq!(w.read("SELECT _id FROM later"), ["of the store"]);
    // What internal tables are called is nobody's business: such a name is free, and harms nothing.
    w.write("CREATE TABLE documents (key)");
    w.write("CREATE TABLE entries (seq)");
    assert_eq!(w.read("SELECT count(*) FROM things, datacatalog, documents"), ["0"]);
    assert_eq!(w.read("SELECT count(*) FROM datacatalog"), ["5"]);
}

#[test]
fn a_statement_says_what_it_writes_to_a_store() {
    let w = world();
    let insert = |clause: &str, values: &str| {
        w.capture(&format!("INSERT {clause} INTO things (_id, doc) VALUES {values}"))
    };
    let (documents, affected, _) = insert("", "('a', '{\"x\":1.5}'), ('b', '{}')").unwrap();
    assert_eq!(affected, 2);
    assert_eq!(documents[0], ("a".into(), Some(r#"{"_id":"a","x":1.5}"#.into())));
    assert_eq!(documents[1], ("b".into(), Some(r#"{"_id":"b"}"#.into())));
    // Rows with their `_id` in doc, and doc in binary.
    assert_eq!(
        w.capture("INSERT INTO things (doc) VALUES (jsonb('{\"_id\":\"a\"}'))").unwrap().0,
        one("a", r#"{"_id":"a"}"#)
    );
    // One that is there: refused, left out, replaced; one of the same statement, too.
    let unique = "UNIQUE constraint failed: things._id";
    assert_eq!(insert("", "('vm-1', '{}')").unwrap_err(), unique);
    assert_eq!(insert("", "('a', '{}'), ('a', '{}')").unwrap_err(), unique);
    assert_eq!(
        insert("OR IGNORE", "('vm-1', '{}'), ('a', '{}')").unwrap(),
        (one("a", r#"{"_id":"a"}"#), 1, vec![])
    );
    assert_eq!(insert("OR REPLACE", "('vm-1', '{}')").unwrap().0, one("vm-1", r#"{"_id":"vm-1"}"#));
    assert_eq!(
        insert("OR REPLACE", "('a', '{}'), ('a', '{\"n\":2}')").unwrap().0,
        one("a", r#"{"_id":"a","n":2}"#)
    );
    for (values, why) in [
        ("('a', '[]')", "object"),
        ("('a', 'x')", "malformed JSON"),
        ("('a', NULL)", "object"),
        ("(1, '{}')", "text"),
        ("(NULL, '{}')", "missing"),
        ("('a', '{\"_id\":\"b\"}')", "has the _id"),
    ] {
        let said = insert("", values).unwrap_err();
        assert!(said.contains(why), "{values}: {said}");
    }
    let said = w.capture("INSERT INTO things (_id, doc, _time) VALUES ('a', '{}', 1)").unwrap_err();
    assert!(said.contains("only _id and doc"), "{said}");
    let (documents, _, returned) =
        w.capture("UPDATE things SET doc = json_set(doc, '$.on', 1) WHERE _id = 'vm-1' RETURNING doc ->> '$.on', _id").unwrap();
    assert_eq!(documents, one("vm-1", r#"{"_id":"vm-1","cores":4,"name":"Node vm-1","on":1}"#));
    assert_eq!(returned, ["1|vm-1"]);
    assert!(w.capture("UPDATE things SET _id = 'b'").unwrap_err().contains("cannot be changed"));
    assert!(w.capture("UPDATE things SET _entry = 'b'").unwrap_err().contains("only _id and doc"));
    let (documents, affected, returned) =
        w.capture("DELETE FROM things WHERE doc ->> '$.cores' >= 8 RETURNING _id").unwrap();
    assert_eq!((affected, documents.len(), returned.len()), (2, 2, 2));
    assert!(documents.iter().all(|(_, document)| document.is_none()));
    assert_eq!(w.capture("DELETE FROM things WHERE _id = 'none'").unwrap(), (vec![], 0, vec![]));
    let said = w
        .capture("INSERT INTO things (_id, doc) VALUES ('a', '{}') ON CONFLICT DO NOTHING")
        .unwrap_err();
    assert!(said.contains("INSERT OR REPLACE"), "{said}");
    assert_eq!(
        w.capture("INSERT INTO \"my-settings\" (_id, doc) VALUES ('a', '{\"value\":1}')")
            .unwrap()
            .0,
        one("a", r#"{"_id":"a","value":1}"#)
    );
    assert_eq!(w.read("SELECT count(*) FROM things"), ["3"], "nothing is written here");
}

#[test]
fn rows_of_the_catalog_are_written_as_documents() {
    let w = world();
    assert_eq!(
        w.capture("INSERT INTO datacatalog (_id, author, priority, tags) VALUES ('c', 'Ada', 3, '[\"a\"]')").unwrap().0,
        one("c", r#"{"_id":"c","author":"Ada","priority":3,"tags":["a"]}"#)
    );
    assert_eq!(
        w.capture("INSERT INTO datacatalog (_id) VALUES ('vm-1')").unwrap_err(),
        "UNIQUE constraint failed: datacatalog._id"
    );
    let (documents, _, _) =
        w.capture("UPDATE datacatalog SET author = 'Ada', name = NULL WHERE _id = 'vm-1'").unwrap();
    let written: serde_json::Value =
        serde_json::from_str(documents[0].1.as_ref().unwrap()).unwrap();
    assert_eq!(written["author"], "Ada");
    assert_eq!(written["associated_id"], "vm-1");
    assert!(written.get("name").is_none());
    assert_eq!(
        w.capture("DELETE FROM datacatalog WHERE _id = 'vm-1'").unwrap().0,
        [("vm-1".into(), None)]
    );
    let store = w.door.written_store("datacatalog").unwrap().unwrap();
    assert_eq!(store.name, "kbmetadata");
}

/// A peer's statement reads the replicated stores that it may see. Nothing of this node leads anywhere,
/// and nothing is written.
#[test]
fn a_peer_reads_what_is_replicated_and_nothing_else() {
    let mut world = world_in(Some(tempfile::tempdir().unwrap()));
    store(&mut world.database, "own", StoreKind::Documents, Scope::Local);
    world.write("CREATE TABLE mine (a)");
    let door = PeerDoor::new(world.places.clone(), 1);
    let stores = |names: &[&str]| {
        let view = world.database.view();
        names.iter().map(|name| view.store(name).unwrap().unwrap().id).collect()
    };
    let ask = |sql: &str, names: &[&str]| {
        let mut table = Table::default();
        door.read(&statement(sql, &[]), stores(names), &mut table).map(|_| table.rows.len())
    };
    let all = ["things", "kbmetadata", "own"];
    assert_eq!(ask("SELECT _id, doc FROM things", &all).unwrap(), 3);
    assert_eq!(ask("SELECT _id FROM datacatalog", &all).unwrap(), 3);
    for (sql, names) in [
        ("SELECT * FROM own", &all[..]),
        ("SELECT * FROM mine", &all),
        ("SELECT * FROM optimusLogger", &all),
        ("SELECT * FROM peers", &all),
        ("SELECT * FROM stores", &all),
        ("SELECT * FROM main.sqlite_schema", &all),
        ("SELECT * FROM documents", &all),
        ("SELECT * FROM things", &["kbmetadata"]),
        // The catalog tells of things, too.
        ("SELECT * FROM datacatalog", &["kbmetadata"]),
        ("SELECT * FROM kbmetadata", &["kbmetadata"]),
        ("SELECT * FROM tosca_templates", &["kbmetadata"]),
        ("DELETE FROM things", &all),
        ("INSERT INTO things (_id, doc) VALUES ('x', '{}')", &all),
        ("CREATE TABLE t (a)", &all),
        ("PRAGMA query_only = 0", &all),
    ] {
        let refused = ask(sql, names);
        assert!(matches!(refused, Err(Error::Statement { .. })), "{sql}: {refused:?}");
    }
    assert!(door.could_run(&statement("SELECT 1 FROM things", &[]), stores(&all)));
    for sql in ["SELECT 1 FROM mine", "DELETE FROM things", "SELEC"] {
        assert!(!door.could_run(&statement(sql, &[]), stores(&all)), "{sql}");
    }
}
