//! What the sync tests share: stores in memory whose entries have the form of real ones and were
//! signed by nobody, and a pull driven to its end over encoded messages.
#![allow(dead_code, unreachable_pub)]

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use optimusdb_dag::sync::{
    Ask, Cell, Holding, Id, IdTree, Pull, PullEffect, PullError, PullLimits, Reply, Request, Span,
    Summary, Tree, Unreadable, serve,
};
use optimusdb_dag::{Address, LogCid, StoredEntry};

pub fn log() -> Address {
    Address::of_manifest(LogCid::of(b"a manifest"))
}

/// The identity block of a writer. It is no identity, which nobody here looks at.
pub fn identity(writer: u8) -> Vec<u8> {
    vec![writer; 478]
}

/// An entry at that time; equal numbers give equal entries.
pub fn entry_of(log: Address, time: u64, n: u64, writer: u8) -> (Id, Vec<u8>) {
    let mut parts = StoredEntry {
        cid: LogCid::from_digest([0; 32]),
        log,
        key: hex::encode([writer; 33]),
        identity: LogCid::of(&identity(writer)),
        sig_der: vec![writer; 70],
        next: vec![LogCid::of(&time.to_be_bytes())],
        refs: Vec::new(),
        time,
        payload_cbor: vec![0x1b],
    };
    // A number of eight bytes, whatever it is.
    parts.payload_cbor.extend((n | 1 << 63).to_be_bytes());
    let block = parts.block();
    (Id { time, cid: LogCid::of(&block) }, block)
}

pub fn entry(time: u64, n: u64) -> (Id, Vec<u8>) {
    entry_of(log(), time, n, (n % 3) as u8)
}

/// A store in memory.
#[derive(Default, Clone)]
pub struct Shelf {
    pub tree: IdTree,
    pub blocks: BTreeMap<Id, Vec<u8>>,
    pub by_cid: HashMap<LogCid, Id>,
    pub identities: HashMap<LogCid, Vec<u8>>,
}

impl Shelf {
    pub fn of(entries: impl IntoIterator<Item = (Id, Vec<u8>)>) -> Shelf {
        let mut shelf = Shelf::default();
        for (id, block) in entries {
            shelf.put(id, block);
        }
        for writer in 0..=255 {
            let block = identity(writer);
            shelf.identities.insert(LogCid::of(&block), block);
        }
        shelf
    }

    pub fn put(&mut self, id: Id, block: Vec<u8>) {
        self.tree.insert(id);
        self.blocks.insert(id, block);
        self.by_cid.insert(id.cid, id);
    }
}

impl Holding for Shelf {
    fn tree(&self) -> &dyn Tree {
        &self.tree
    }
    fn entries(
        &self,
        span: Span,
        after: Option<Id>,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Vec<u8>>, Unreadable> {
        let mut bytes = 0;
        let mut found = Vec::new();
        for id in self.tree.ids(span, after, entries_max)? {
            let block = &self.blocks[&id];
            bytes += block.len();
            if bytes > bytes_max && !found.is_empty() {
                break;
            }
            found.push(block.clone());
        }
        Ok(found)
    }
    fn entry(&self, cid: &LogCid) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(self.by_cid.get(cid).map(|id| self.blocks[id].clone()))
    }
    fn identity(&self, cid: &LogCid) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(self.identities.get(cid).cloned())
    }
}

/// A store that grows while it is read.
pub struct Growing<'s, S>(pub &'s RefCell<S>);

impl<S: std::borrow::Borrow<Shelf>> Tree for Growing<'_, S> {
    fn newest(&self) -> Result<Option<u64>, Unreadable> {
        self.0.borrow().borrow().tree.newest()
    }
    fn summary(&self, cell: Cell) -> Result<Summary, Unreadable> {
        self.0.borrow().borrow().tree.summary(cell)
    }
    fn children(&self, cell: Cell) -> Result<Vec<(Cell, Summary)>, Unreadable> {
        self.0.borrow().borrow().tree.children(cell)
    }
    fn ids(&self, span: Span, after: Option<Id>, ids_max: usize) -> Result<Vec<Id>, Unreadable> {
        self.0.borrow().borrow().tree.ids(span, after, ids_max)
    }
}

/// What a pull took.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Traffic {
    pub requests: usize,
    pub asked_bytes: usize,
    pub answered_bytes: usize,
    pub entries: usize,
    pub entry_bytes: usize,
    pub identities: usize,
    pub level: bool,
}

/// Takes the blocks of entries and identities.
pub type Storing<'s> = &'s mut dyn FnMut(&[Vec<u8>], &[Vec<u8>]);

/// Pulls from a server that answers as `answer` does. Batches are stored only after the reply to
/// the request that came with them, and what is stored is handed to `store`.
pub fn pull_with(
    limits: PullLimits,
    tree: &dyn Tree,
    answer: &mut dyn FnMut(&Request) -> Reply,
    store: Storing<'_>,
) -> Result<Traffic, PullError> {
    pull_unknown(limits, (tree, &|_| false), answer, store)
}

/// Our tree, and whether an entry that is not in it is known all the same.
pub type Ours<'t> = (&'t dyn Tree, &'t dyn Fn(&LogCid) -> bool);

/// As [`pull_with`], where some of the entries that are not in the tree are known all the same.
pub fn pull_unknown(
    limits: PullLimits,
    (tree, is_known): Ours<'_>,
    answer: &mut dyn FnMut(&Request) -> Reply,
    store: Storing<'_>,
) -> Result<Traffic, PullError> {
    let mut traffic = Traffic::default();
    let mut pull = Pull::new(log(), limits);
    let mut effects = vec![PullEffect::Ask(pull.start())];
    let mut waiting: Vec<PullEffect> = Vec::new();
    loop {
        let mut request = None;
        let mut arrived = Vec::new();
        for effect in effects {
            match effect {
                PullEffect::Ask(ask) => {
                    assert!(arrived.is_empty() && request.is_none(), "the request comes first");
                    request = Some(ask);
                }
                PullEffect::Done { level } => {
                    traffic.level = level;
                }
                batch => arrived.push(batch),
            }
        }
        let reply = request.as_ref().map(&mut *answer);
        for batch in waiting.drain(..) {
            if let PullEffect::Entries { blocks, identities } = batch {
                traffic.entries += blocks.len();
                traffic.entry_bytes += blocks.iter().map(Vec::len).sum::<usize>();
                traffic.identities += identities.len();
                store(&blocks, &identities);
            }
        }
        waiting = arrived;
        let (Some(request), Some(reply)) = (request, reply) else {
            for batch in waiting {
                if let PullEffect::Entries { blocks, identities } = batch {
                    traffic.entries += blocks.len();
                    traffic.entry_bytes += blocks.iter().map(Vec::len).sum::<usize>();
                    traffic.identities += identities.len();
                    store(&blocks, &identities);
                }
            }
            assert_eq!(pull.progress().requests, traffic.requests as u64);
            return Ok(traffic);
        };
        let (question, answer) = (request.encode(), reply.encode());
        assert_eq!(Request::decode(&question).as_ref(), Ok(&request));
        assert_eq!(Reply::decode(&answer).as_ref(), Ok(&reply));
        traffic.requests += 1;
        traffic.asked_bytes += question.len();
        traffic.answered_bytes += answer.len();
        effects = pull.on_reply(tree, is_known, reply)?;
    }
}

/// The answer of an honest node with one store to whatever bytes.
pub fn served(from: &dyn Holding, request: &[u8]) -> Vec<u8> {
    serve(request, |of| Ok((*of == log()).then_some(from))).unwrap()
}

/// Answers as an honest node does.
pub fn honest(from: &dyn Holding, request: &Request) -> Reply {
    Reply::decode(&served(from, &request.encode())).unwrap()
}

/// Pulls everything that `from` has and `into` lacks, in one pull.
pub fn pull(from: &Shelf, into: &mut Shelf) -> Traffic {
    let shared = RefCell::new(into);
    let mut last: Option<Id> = None;
    pull_with(
        PullLimits::default(),
        &Growing(&shared),
        &mut |request| honest(from, request),
        &mut |blocks, _| {
            for block in blocks {
                let id = from.by_cid[&LogCid::of(block)];
                assert!(last < Some(id), "entries ascend over the whole pull");
                last = Some(id);
                let mut into = shared.borrow_mut();
                assert!(!into.tree.contains(&id), "an entry that was here is handed over");
                into.put(id, block.clone());
            }
        },
    )
    .unwrap()
}

/// The sort of a question.
pub fn sort(ask: &Ask) -> &'static str {
    match ask {
        Ask::Open { .. } => "open",
        Ask::Children(_) => "children",
        Ask::Ids { .. } => "ids",
        Ask::Range { .. } => "range",
        Ask::Blocks(_) => "blocks",
    }
}
