//! What fast sync costs in the database: the root of a store, first and after a write, and reading
//! entries in ranges.
//!
//! Run with `cargo run --release -p optimusdb-storage --example sync_cost [entries] [signed]`. The
//! entries of the first part have the size of real ones and were signed by nobody; those of the
//! second, whose blocks are made again, are signed.

use optimusdb_dag::sync::{
    Ask, Cell, Holding, Id, Pull, PullLimits, Reply, Request, Span, Tree, serve,
};
use optimusdb_dag::{Address, Entry, IdentityKeys, Ipld, LogCid, LogTip, Operation, StoreKind};
use optimusdb_storage::{Database, Durability, Place, Readers, Scope, StoreRow};
use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const WAIT: Duration = Duration::from_secs(60);

#[allow(clippy::print_stdout, reason = "its output is its purpose")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<i64>());
    let entries = args.next().transpose()?.unwrap_or(1_000_000);
    let signed = args.next().transpose()?.unwrap_or(20_000);
    // On the disk of the build, not in a temporary directory that may be memory.
    let dir = PathBuf::from("target").join(format!("sync-cost-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let place = Place::File(dir.join("optimusdb.sqlite"));
    let mut database = Database::open(&place, Durability::Relaxed)?;
    let many = create(&mut database, "many")?;
    let real = create(&mut database, "real")?;
    drop(database);
    fill(&place, &many, entries)?;
    let mut database = Database::open(&place, Durability::Relaxed)?;
    let keys = IdentityKeys::from_bytes(&[1; 32], &[2; 32])?;
    let log = sign(&keys, &real, signed)?;
    let started = Instant::now();
    for batch in log.chunks(1_000) {
        let mut tx = database.begin()?;
        tx.put_block(&keys.identity().cid, &keys.identity().block)?;
        for entry in batch {
            tx.put_entry(&real, entry)?;
        }
        tx.commit()?;
    }
    println!("put_entry: {:.1} us an entry", micros(started) / signed as f64);
    roots(&mut database, &place, &many)?;
    ranges(&database, &place, &real, &log)?;
    drop(database);
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

fn create(database: &mut Database, name: &str) -> Result<StoreRow, Box<dyn Error>> {
    let address = Address::of_manifest(LogCid::of(name.as_bytes()));
    let mut tx = database.begin()?;
    let store = tx.create_store(name, StoreKind::Documents, &address, Scope::Plain)?;
    tx.commit()?;
    Ok(store)
}

/// A chain of entries as rows of their usual size, with digests that are as good as random.
fn fill(place: &Place, store: &StoreRow, entries: i64) -> Result<(), Box<dyn Error>> {
    let Place::File(path) = place else { return Ok(()) };
    let mut db = rusqlite::Connection::open(path)?;
    let tx = db.transaction()?;
    tx.execute("INSERT INTO writers (key, identity) VALUES ('nobody', zeroblob(32))", [])?;
    {
        let mut insert = tx.prepare(
            "INSERT INTO entries (cid, store, time, writer, links, sig, payload)
             VALUES (?1, ?2, ?3, 1, zeroblob(19), zeroblob(71), zeroblob(320))",
        )?;
        for time in 1..=entries {
            insert.execute((LogCid::of(&time.to_be_bytes()).digest(), store.id, time))?;
        }
    }
    tx.execute("UPDATE stores SET entries = ?2 WHERE id = ?1", (store.id, entries))?;
    Ok(tx.commit()?)
}

fn sign(keys: &IdentityKeys, store: &StoreRow, n: i64) -> Result<Vec<Entry>, Box<dyn Error>> {
    let mut tip = LogTip::new(store.address, Vec::new());
    let mut links = HashMap::new();
    let mut entries = Vec::new();
    for n in 0..n {
        let fields = [("_id", format!("resource-{n:08}")), ("text", "twelve bytes".repeat(20))];
        let fields = fields.map(|(name, text)| (name.to_owned(), Ipld::String(text)));
        let key = format!("resource-{n:08}");
        let value = Ipld::Map(fields.into_iter().collect());
        let payload = Operation::Put { key, value }.into_payload(Some(1_700_000_000_000));
        let entry = tip.append(keys, payload, &mut |cid| links.get(cid).cloned())?;
        links.insert(entry.cid(), entry.links());
        entries.push(entry);
    }
    Ok(entries)
}

#[allow(clippy::print_stdout, reason = "its output is its purpose")]
fn roots(database: &mut Database, place: &Place, store: &StoreRow) -> Result<(), Box<dyn Error>> {
    let readers = Readers::new(place.clone(), 1).with_fingerprints(database.fingerprints());
    let open = Request { log: store.address, ask: Ask::Open { version: 1 } }.encode();
    let ask = |what: &str, request: &[u8]| -> Result<Reply, Box<dyn Error>> {
        let started = Instant::now();
        let reply = readers.read(WAIT, |view| {
            let tree = view.tree(store)?;
            Ok(serve(request, |_| Ok(Some(&tree))))
        })??;
        let bytes = reply.len();
        println!("{what}: {:.0} us, {} + {bytes} bytes", micros(started), request.len());
        Ok(Reply::decode(&reply)?)
    };
    ask("first root", &open)?;
    ask("root again", &open)?;
    let keys = IdentityKeys::from_bytes(&[3; 32], &[4; 32])?;
    for n in 0..3 {
        let entries = store.entries + 1_000_000 + n;
        let time = database.view().tree(store)?.newest()?.unwrap_or(0) + 1;
        let payload = Operation::Del { key: entries.to_string() }.into_payload(None);
        let links = optimusdb_dag::Links { next: vec![], refs: vec![], time };
        let entry = Entry::sign(&keys, store.address, links, payload)?;
        let mut tx = database.begin()?;
        tx.put_entry(store, &entry)?;
        tx.commit()?;
        ask("root after a write", &open)?;
    }
    let newest = database.view().tree(store)?.newest()?;
    let root = Cell::root(newest);
    for level in (1..=root.level()).rev() {
        let cells = Ask::Children(vec![Cell::at(level, newest.unwrap_or(0) / 2)]);
        let request = Request { log: store.address, ask: cells }.encode();
        ask(&format!("children at level {level}"), &request)?;
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "its output is its purpose")]
fn ranges(
    database: &Database,
    place: &Place,
    store: &StoreRow,
    log: &[Entry],
) -> Result<(), Box<dyn Error>> {
    let tree = database.view().tree(store)?;
    let all = Span { from: 0, until: 1 << 53 };
    let (mut after, mut read, mut bytes) = (None, 0, 0);
    let started = Instant::now();
    loop {
        let blocks = tree.entries(all, after, 1_024, 1 << 20)?;
        read += blocks.len();
        bytes += blocks.iter().map(Vec::len).sum::<usize>();
        if blocks.is_empty() {
            break;
        }
        let last = &log[read - 1];
        after = Some(Id { time: last.clock().time, cid: last.cid() });
    }
    let each = micros(started) / read as f64;
    println!("entries of a range: {each:.1} us an entry of {} bytes", bytes / read.max(1));

    let readers = Readers::new(place.clone(), 1).with_fingerprints(database.fingerprints());
    let mut pull = Pull::new(store.address, PullLimits::default());
    let mut request = Some(pull.start());
    let empty = optimusdb_dag::sync::IdTree::new();
    let (mut asking, mut pulled, mut requests) = (0.0, 0, 0);
    let started = Instant::now();
    while let Some(ask) = request.take() {
        let reply = readers.read(WAIT, |view| {
            let tree = view.tree(store)?;
            Ok(serve(&ask.encode(), |_| Ok(Some(&tree))))
        })??;
        requests += 1;
        let reply = Reply::decode(&reply)?;
        let checking = Instant::now();
        for effect in pull.on_reply(&empty, &|_| false, reply)? {
            match effect {
                optimusdb_dag::sync::PullEffect::Ask(next) => request = Some(next),
                optimusdb_dag::sync::PullEffect::Entries { blocks, .. } => pulled += blocks.len(),
                optimusdb_dag::sync::PullEffect::Done { .. } => {}
            }
        }
        asking += micros(checking);
    }
    let (whole, pulled) = (micros(started), pulled.max(1) as f64);
    println!(
        "pulled by a fresh node: {requests} requests, {:.1} us an entry, {:.1} us of them asking",
        whole / pulled,
        asking / pulled
    );
    Ok(())
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}
