//! What this node serves its peers, and to whom: one policy for all protocols.
//!
//! Blocks, heads and fast sync are all asked of [`Handout`], and whether a peer may have what it asks
//! for is decided in [`SharedStores::may_have`] alone. What a peer may not have is answered as if it
//! were not here. A read never waits for a write.

use crate::files::FilePeers;
use crate::limits::{HANDED_OUT_READS_MAX, HEADS_SENT_MAX, READ_MS_MAX};
use crate::sql::PeerGate;
use crate::verdict::vote_in;
use optimusdb_dag::sync::{self, Unreadable};
use optimusdb_dag::{Address, Blocks as _, Cid, Identity, LogCid};
use optimusdb_storage::{FileBlocks, PartOf, Readers, Scope, StoreId, StoreRef, View};
use optimusdb_swarm::{Asker, BoxFuture, Local, PeerId};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The stores of this node that are replicated, by address. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedStores(Arc<RwLock<HashMap<Address, StoreRef>>>);

impl SharedStores {
    /// Adds a store; false if it is this node's own or there already.
    pub(crate) fn add(&self, store: &StoreRef) -> bool {
        if store.scope == Scope::Local {
            return false;
        }
        let mut stores = self.0.write().unwrap_or_else(PoisonError::into_inner);
        stores.insert(store.address, *store).is_none()
    }

    /// Whether a store is shared.
    pub(super) fn has(&self, log: &Address) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(log)
    }

    /// Whether a peer may have what is a part of this: what belongs to a store only if the store is
    /// shared, anything else always. All peers of the swarm are alike.
    fn may_have(&self, _peer: &PeerId, part_of: &PartOf) -> bool {
        match part_of {
            PartOf::Log(log) => self.has(log),
            PartOf::NoLog => true,
        }
    }

    /// Their numbers here.
    pub(super) fn ids(&self) -> BTreeSet<StoreId> {
        let stores = self.0.read().unwrap_or_else(PoisonError::into_inner);
        stores.values().map(|store| store.id).collect()
    }

    /// The numbers of those that a peer may have.
    fn ids_for(&self, peer: &PeerId) -> BTreeSet<StoreId> {
        let stores: Vec<StoreRef> = {
            let stores = self.0.read().unwrap_or_else(PoisonError::into_inner);
            stores.values().copied().collect()
        };
        let may_have = |store: &&StoreRef| self.may_have(peer, &PartOf::Log(store.address));
        stores.iter().filter(may_have).map(|store| store.id).collect()
    }

    /// A store that a peer may have.
    fn store_for(&self, peer: &PeerId, log: &Address) -> Option<StoreRef> {
        if !self.may_have(peer, &PartOf::Log(*log)) {
            return None;
        }
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(log).copied()
    }
}

/// Where the votes of this node are, and whose they are.
#[derive(Debug)]
pub(super) struct OwnVotes {
    pub(super) validations: StoreRef,
    pub(super) voter: Arc<Identity>,
}

/// What peers may ask of this node.
#[derive(Debug)]
pub(crate) struct Handout {
    readers: Arc<Readers>,
    stores: SharedStores,
    files: Arc<FileBlocks>,
    sql: PeerGate,
    votes: OwnVotes,
    file_peers: FilePeers,
    reads: Arc<Semaphore>,
}

impl Handout {
    pub(crate) fn new(
        readers: Arc<Readers>,
        stores: SharedStores,
        files: Arc<FileBlocks>,
        sql: PeerGate,
        file_peers: FilePeers,
        votes: OwnVotes,
    ) -> Handout {
        let reads = Arc::new(Semaphore::new(HANDED_OUT_READS_MAX));
        Handout { readers, stores, files, sql, votes, file_peers, reads }
    }

    /// The blocks of files, if the peer may have them.
    fn files_for(&self, asker: &Asker) -> Option<Arc<FileBlocks>> {
        let may_have = asker.member || self.file_peers == FilePeers::All;
        may_have.then(|| Arc::clone(&self.files))
    }

    /// Reads on a thread that may wait for the disk, a bounded number at a time.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(View<'_>, &SharedStores) -> Result<T, optimusdb_storage::Error>
        + Send
        + 'static,
    ) -> Option<T> {
        let _turn = self.reads.acquire().await.ok()?;
        let (readers, stores) = (Arc::clone(&self.readers), self.stores.clone());
        let reading = tokio::task::spawn_blocking(move || {
            readers.read(Duration::from_millis(READ_MS_MAX), |view| read(view, &stores))
        });
        match reading.await.ok()? {
            Ok(found) => Some(found),
            Err(error) => {
                tracing::warn!("a peer's question was not answered: {error}");
                None
            }
        }
    }
}

/// A block that is here and that a peer may have.
enum Servable {
    /// One of a log, as storage names it.
    OfLog(LogCid),
    /// One of a file.
    OfFile,
}

/// Where a block is that the peer may have. A block of a log is served as that alone, though a file
/// may hold it too.
fn servable(
    view: View<'_>,
    stores: &SharedStores,
    files: Option<&FileBlocks>,
    peer: &PeerId,
    cid: &Cid,
) -> Result<Option<Servable>, optimusdb_storage::Error> {
    if let Ok(cid) = LogCid::try_from(cid)
        && let Some(part_of) = view.part_of(&cid)?
    {
        return Ok(stores.may_have(peer, &part_of).then_some(Servable::OfLog(cid)));
    }
    let held = files.map_or(Ok(false), |files| files.has(cid))?;
    Ok(held.then_some(Servable::OfFile))
}

impl Local for Handout {
    fn block(&self, asker: Asker, cid: Cid) -> BoxFuture<'_, Option<Vec<u8>>> {
        let files = self.files_for(&asker);
        let read = self.read(move |view, stores| {
            let files = files.as_deref();
            match servable(view, stores, files, &asker.peer, &cid)? {
                Some(Servable::OfLog(cid)) => view.block(&cid),
                Some(Servable::OfFile) => files.map_or(Ok(None), |files| files.get(&cid)),
                None => Ok(None),
            }
        });
        Box::pin(async move { read.await.flatten() })
    }

    fn has(&self, asker: Asker, cid: Cid) -> BoxFuture<'_, bool> {
        let files = self.files_for(&asker);
        let read = self.read(move |view, stores| {
            Ok(servable(view, stores, files.as_deref(), &asker.peer, &cid)?.is_some())
        });
        Box::pin(async move { read.await.unwrap_or(false) })
    }

    fn heads(&self, peer: PeerId, log: Address) -> BoxFuture<'_, Vec<Vec<u8>>> {
        let read = self.read(move |view, stores| {
            let Some(store) = stores.store_for(&peer, &log) else { return Ok(Vec::new()) };
            let newest_first = view.heads(&store)?.into_iter().rev().take(HEADS_SENT_MAX);
            Ok(newest_first.map(|head| head.block().to_vec()).collect())
        });
        Box::pin(async move { read.await.unwrap_or_default() })
    }

    fn vote(&self, peer: PeerId, cid: Cid) -> BoxFuture<'_, Option<Vec<u8>>> {
        let store = self.votes.validations;
        let read = self.read(move |view, stores| {
            // A vote is a part of no log.
            if !stores.may_have(&peer, &PartOf::NoLog) {
                return Ok(None);
            }
            view.document(&store, &cid.to_string())
        });
        Box::pin(async move { vote_in(&read.await.flatten()?, &self.votes.voter) })
    }

    fn sql(&self, peer: PeerId, question: Vec<u8>) -> BoxFuture<'_, Vec<u8>> {
        let stores = self.stores.ids_for(&peer);
        Box::pin(async move { self.sql.answer(&question, stores).await })
    }

    fn sync(&self, peer: PeerId, request: Vec<u8>) -> BoxFuture<'_, Vec<u8>> {
        let read = self.read(move |view, stores| {
            let find = |log: &Address| {
                let tree = stores.store_for(&peer, log).map(|store| view.tree(&store)).transpose();
                tree.map_err(|error| Unreadable(error.to_string()))
            };
            Ok(sync::serve(&request, find))
        });
        Box::pin(async move {
            let busy = || sync::Reply::Declined(sync::Declined::Busy).encode();
            match read.await {
                Some(Ok(reply)) => reply,
                Some(Err(error)) => {
                    tracing::warn!("a peer's question was not answered: {error}");
                    busy()
                }
                None => busy(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{PeerRows, SqlQuestion};
    use optimusdb_dag::{Entry, IdentityKeys, Ipld, Links, StoreKind};
    use optimusdb_storage::{Database, Durability, Place, Repo, SqlPlaces};

    /// An entry of a store of this name, stored with its writer's identity.
    fn kept(
        database: &mut Database,
        keys: &IdentityKeys,
        name: &str,
        scope: Scope,
    ) -> (StoreRef, Entry) {
        let log = Address::of_manifest(LogCid::of(name.as_bytes()));
        let mut tx = database.begin().unwrap();
        let store = tx.create_store(name, StoreKind::Documents, &log, scope).unwrap();
        let links = Links { time: 1, ..Links::default() };
        let entry = Entry::sign(keys, log, links, Ipld::Null).unwrap();
        tx.put_block(&keys.identity().cid, &keys.identity().block).unwrap();
        tx.put_entry(&store, &entry).unwrap();
        tx.set_heads(&store, [entry.cid()].iter()).unwrap();
        tx.commit().unwrap();
        (*store, entry)
    }

    fn gate(node: &Place, dir: &std::path::Path) -> PeerGate {
        let journal = Place::File(dir.join("logs.sqlite"));
        drop(optimusdb_storage::Journal::open(&journal).unwrap());
        PeerGate::new(SqlPlaces { node: node.clone(), journal, user: Place::memory() })
    }

    /// Whether a peer is shown the store of this name in SQL.
    async fn shows(handout: &Handout, peer: PeerId, name: &str) -> bool {
        let question = SqlQuestion {
            budget_ms: 10_000,
            rows_max: 1,
            sql: format!("SELECT count(*) FROM {name}"),
            params: optimusdb_storage::SqlParams::Positional(Vec::new()),
        };
        PeerRows::decode(&handout.sql(peer, question.encode()).await).unwrap().is_some()
    }

    #[tokio::test]
    async fn what_is_this_nodes_own_is_served_by_no_protocol() {
        let place = Place::memory();
        let mut database = Database::open(&place, Durability::Relaxed).unwrap();
        let keys = IdentityKeys::from_bytes(&[1; 32], &[2; 32]).unwrap();
        let shared = kept(&mut database, &keys, "shared", Scope::Plain);
        let own = kept(&mut database, &keys, "own", Scope::Local);
        let stores = SharedStores::default();
        assert!(stores.add(&shared.0) && !stores.add(&own.0));
        let dir = tempfile::tempdir().unwrap();
        let repo = Repo::open(dir.path()).unwrap();
        let files = Arc::new(FileBlocks::open(&repo, Durability::Relaxed, None).unwrap());
        let readers = || Arc::new(Readers::new(place.clone(), 1));
        let (all, validations) = (FilePeers::All, own.0);
        let votes = || OwnVotes { validations, voter: Arc::clone(keys.identity()) };
        let (sql, both) = (gate(&place, dir.path()), Arc::clone(&files));
        let handout = Handout::new(readers(), stores.clone(), both, sql.clone(), all, votes());
        let peer = PeerId::random();
        let asker = Asker { peer, member: false };
        let in_store = Cid::from(shared.1.cid());
        for ((store, entry), is_served) in [(shared, true), (own, false)] {
            let cid = Cid::from(entry.cid());
            let block = is_served.then(|| entry.block().to_vec());
            assert_eq!(handout.block(asker, cid.clone()).await, block);
            assert_eq!(handout.has(asker, cid).await, is_served);
            assert_eq!(handout.heads(peer, store.address).await, Vec::from_iter(block));
            let ask = sync::Ask::Open { version: 1 };
            let request = sync::Request { log: store.address, ask };
            let reply = sync::Reply::decode(&handout.sync(peer, request.encode()).await).unwrap();
            match reply {
                sync::Reply::Root { newest: Some(1), .. } => assert!(is_served),
                reply => assert_eq!(
                    (reply, is_served),
                    (sync::Reply::Declined(sync::Declined::Unknown), false)
                ),
            }
            let name = if is_served { "shared" } else { "own" };
            assert_eq!(shows(&handout, peer, name).await, is_served);
        }
        // An identity belongs to no store.
        let identity = Cid::from(keys.identity().cid);
        assert_eq!(
            handout.block(asker, identity.clone()).await,
            Some(keys.identity().block.clone())
        );
        assert!(handout.has(asker, identity).await);
        let unknown = Cid::from(LogCid::of(b"unknown"));
        assert!(handout.block(asker, unknown.clone()).await.is_none());
        assert!(!handout.has(asker, unknown).await);
        // Blocks of files go to whoever asks, or to nodes of the swarm alone; stores are no matter of that.
        let file =
            Cid::of(optimusdb_dag::Codec::RAW, optimusdb_dag::HashCode::Sha2_256, b"f").unwrap();
        let mut adding = files.add();
        adding.put(&file, b"f").unwrap();
        adding.finish(std::slice::from_ref(&file), "f", 0).unwrap();
        let closed = Handout::new(readers(), stores, files, sql, FilePeers::Swarm, votes());
        let member = Asker { member: true, ..asker };
        for (handout, asker, has) in
            [(&handout, asker, true), (&closed, asker, false), (&closed, member, true)]
        {
            assert_eq!(handout.has(asker, file.clone()).await, has);
            assert_eq!(handout.block(asker, file.clone()).await.is_some(), has);
            assert!(handout.has(asker, in_store.clone()).await);
        }
    }
}
