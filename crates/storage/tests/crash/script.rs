//! The workload: the same steps, with the same entries, in every process.

use super::support::{Writer, address, del, map, put, text};
use optimusdb_dag::{Entry, Heads, Ipld, LogCid, Operation, StoreKind};
use optimusdb_storage::{Checkpoint, Database, Durability, Error, Place, Scope};

/// When the commits of a run count as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commits {
    Full,
    Relaxed,
    /// Every third step full, the others relaxed.
    Mixed,
}

impl Commits {
    fn opened(self) -> Durability {
        if self == Commits::Relaxed { Durability::Relaxed } else { Durability::Full }
    }

    /// How durable the `n`-th step is.
    pub(crate) fn of(self, n: usize) -> Durability {
        match self {
            Commits::Mixed if !n.is_multiple_of(3) => Durability::Relaxed,
            _ => self.opened(),
        }
    }
}

pub(crate) enum Step {
    Open,
    Store(&'static str, StoreKind, Scope),
    /// Entries with their writer's identity block, and a fact that counts.
    Batch(&'static str, Vec<Entry>, Vec<(LogCid, Vec<u8>)>),
    Checkpoint(Checkpoint),
    Reindex(&'static str),
}

/// About forty steps. `large` adds a batch that does not fit into the page cache, so that SQLite
/// writes before it commits.
pub(crate) fn script(large: bool) -> Vec<Step> {
    let mut steps = vec![
        Step::Open,
        Step::Store("dsswres", StoreKind::Documents, Scope::Resource),
        Step::Store("kbmetadata", StoreKind::Documents, Scope::Catalog),
    ];
    let mut things = Pair::new("dsswres");
    for n in 0..12 {
        steps.push(things.batch(n, 1 + n % 5));
    }
    steps.push(Step::Store("happenings", StoreKind::Events, Scope::Plain));
    steps.push(Step::Checkpoint(Checkpoint::Passive));
    let mut happenings = Pair::new("happenings");
    for n in 12..20 {
        steps.push(things.batch(n, 1 + n % 3));
        steps.push(happenings.batch(n, 2));
    }
    steps.push(Step::Open);
    steps.push(Step::Reindex("dsswres"));
    for n in 20..26 {
        steps.push(things.batch(n, 6));
    }
    if large {
        let big = text(&"large ".repeat(170_000));
        let entries = (0..12)
            .map(|n| {
                things.writers[0]
                    .write(&put(&format!("large {n}"), map([("b", big.clone())])), None)
            })
            .collect();
        steps.push(Step::Batch("dsswres", entries, Vec::new()));
    }
    steps.push(Step::Checkpoint(Checkpoint::Truncate));
    steps.push(things.batch(26, 3));
    steps.push(happenings.batch(27, 3));
    steps
}

/// Two writers of one store, who learn of each other now and then.
struct Pair {
    store: &'static str,
    writers: [Writer; 2],
    written: Vec<Entry>,
}

impl Pair {
    fn new(store: &'static str) -> Pair {
        Pair { store, writers: [Writer::new(1, store), Writer::new(2, store)], written: Vec::new() }
    }

    fn batch(&mut self, n: usize, count: usize) -> Step {
        let entries: Vec<Entry> = (0..count)
            .map(|i| {
                let key = format!("key {}", (n * 7 + i * 3) % 11);
                let operation = match (self.store, (n + i) % 4) {
                    ("happenings", _) => Operation::Add { value: Ipld::Integer(n as i128) },
                    (_, 0) => del(&key),
                    // From bytes to a few pages.
                    (_, _) => put(&key, map([("name", text(&"name ".repeat(n * n * 6)))])),
                };
                self.writers[(n + i) % 2].write(&operation, Some((n * 1_000 + i) as u64))
            })
            .collect();
        self.written.extend(entries.iter().cloned());
        if n.is_multiple_of(3) {
            for entry in &self.written {
                self.writers.iter_mut().for_each(|writer| writer.join(entry));
            }
        }
        let blocks = self.writers.each_ref().map(|writer| {
            let identity = writer.keys.identity();
            (identity.cid, identity.block.clone())
        });
        Step::Batch(self.store, entries, blocks.into())
    }
}

/// Takes the `n`-th step. `database` is there but for the first.
pub(crate) fn take(
    n: usize,
    step: &Step,
    place: &Place,
    commits: Commits,
    database: &mut Option<Database>,
) -> Result<(), Error> {
    if let Step::Open = step {
        *database = None;
        *database = Some(Database::open(place, commits.opened())?);
        return Ok(());
    }
    let database = database.as_mut().expect("the first step opens it");
    match step {
        Step::Open => Ok(()),
        Step::Checkpoint(how) => database.checkpoint(*how),
        Step::Reindex(store) => {
            let store = database.view().store(store)?.expect("it was made");
            database.reindex(&store, || ()).map(drop)
        }
        Step::Store(name, kind, scope) => {
            let mut tx = database.begin_as(commits.of(n))?;
            tx.create_store(name, *kind, &address(name), *scope)?;
            tx.commit()
        }
        Step::Batch(store, entries, blocks) => {
            let store = database.view().store(store)?.expect("it was made");
            let mut heads: Heads =
                Heads::new(database.view().heads(&store)?.iter().map(Entry::links).collect());
            let mut tx = database.begin_as(commits.of(n))?;
            // Like a caller who looks at nothing but the commit: a failed call must fail that.
            for (cid, bytes) in blocks {
                let _ = tx.put_block(cid, bytes);
            }
            for entry in entries {
                let _ = tx.put_entry(&store, entry);
                heads.add(entry.links());
            }
            let heads: Vec<LogCid> = heads.cids().collect();
            let _ = tx.set_heads(&store, heads.iter());
            let _ = tx.set_fact("step", &n.to_string());
            tx.commit()
        }
    }
}
