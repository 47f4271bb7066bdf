//! Following the swarm's list of stores: a store itself, `swarm_stores`, in which coordinators offer
//! what they make. Every node takes over the offered stores that it does not have.
//!
//! What the list says is in `listing.rs`; here is the task that acts on it. It owns only what it has
//! read of the list. It reads committed state, and what it changes goes through the writer, in one
//! transaction a store.

use super::adopting;
use super::binding::{ASIDE, Named, contested, names_of};
use super::block_source::BlockSource;
use super::builtin::STORE_LIST;
use super::listing::{is_list, may_be_named};
use super::new_store::NewStore;
use super::news::ListNews;
use super::offers::Offers;
use crate::error::{Error, Kind};
use crate::limits::{
    ADOPTED_STORES_MAX, LIST_FETCHES_MAX, LIST_GATHER_MS, LIST_LOG_MS, LIST_PASS_ENTRIES_MAX,
    LIST_RETRY_MS, LIST_RETRY_MS_MAX, STORE_OFFERS_MAX,
};
use crate::lookup_pool::LookupPool;
use optimusdb_dag::{Address, Entry, Identity};
use optimusdb_storage::{StoreRow, View};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

/// What the follower changes, it changes through the node's writer; the node also knows who administers a
/// store.
pub(crate) trait ListWriter: Send + Sync + 'static {
    /// Takes over a store, if one is given, and gives the stores at these addresses these names.
    fn reconcile(
        &self,
        new: Option<NewStore>,
        names: BTreeMap<Address, String>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Offers stores in the list.
    fn offer(&self, stores: Vec<StoreRow>) -> impl Future<Output = Result<(), Error>> + Send;

    /// The identities that administer each of these stores.
    fn admins_of(
        &self,
        stores: Vec<StoreRow>,
    ) -> impl Future<Output = Result<Vec<(Address, Vec<String>)>, Error>> + Send;

    /// Tells which stores have a name that is offered for others, too, with those.
    fn contested(&self, stores: BTreeMap<Address, BTreeSet<Address>>);

    /// Whether nothing is written any more.
    fn has_ended(&self) -> bool;
}

/// The task that follows the list.
pub(crate) struct Follower<W> {
    lookups: LookupPool,
    source: Arc<BlockSource>,
    news: Arc<ListNews>,
    /// Whether this node offers stores.
    coordinator: bool,
    writer: W,
    offers: Offers,
    /// How often this node offered its stores, since it started.
    offered: BTreeMap<Address, u32>,
    /// The newest row of the list's log that was read.
    read: i64,
    /// What could not be had, and when to try again.
    missing: BTreeMap<Address, Missing>,
    /// When there is something to be done again.
    again: Option<Instant>,
    logged: Option<Instant>,
    unlogged: u64,
}

struct Missing {
    tries: u32,
    due: Instant,
}

impl<W: ListWriter> Follower<W> {
    /// A follower that has read nothing yet.
    pub(crate) fn new(
        lookups: LookupPool,
        source: Arc<BlockSource>,
        news: Arc<ListNews>,
        coordinator: bool,
        writer: W,
    ) -> Follower<W> {
        Follower {
            lookups,
            source,
            news,
            coordinator,
            writer,
            offers: Offers::default(),
            offered: BTreeMap::new(),
            read: 0,
            missing: BTreeMap::new(),
            again: None,
            logged: None,
            unlogged: 0,
        }
    }

    /// Follows the list until nothing is written any more: now, whenever the list has changed, and
    /// again after a while for what could not be had.
    pub(crate) async fn follow(mut self) {
        loop {
            if let Err(error) = self.pass().await {
                self.grumble(&format!("the swarm's list of stores could not be followed: {error}"));
                if error.kind() == Kind::Unavailable {
                    let later = Instant::now() + Duration::from_millis(LIST_RETRY_MS);
                    self.again = Some(self.again.map_or(later, |at| at.min(later)));
                }
            }
            match self.again.take() {
                None => self.news.told().await,
                Some(at) => {
                    let _waited = timeout_at(at, self.news.told()).await;
                }
            }
            if self.writer.has_ended() {
                return;
            }
            // Many entries come at once, and one look is enough for all of them.
            sleep(Duration::from_millis(LIST_GATHER_MS)).await;
        }
    }

    /// Reads what is new, and makes the stores here what the list says.
    async fn pass(&mut self) -> Result<(), Error> {
        self.again = None;
        let stores = self.committed_stores().await?;
        let Some(list) = stores.iter().find(|store| is_list(store)) else {
            return Err(Error::Conflict(format!(
                "the name {STORE_LIST} is taken by another store here"
            )));
        };
        self.read_news(list).await?;
        if self.coordinator {
            self.offer_unlisted(&stores).await?;
        }
        let mut stores = self.committed_stores().await?;
        let here = self.here(&stores, None).await?;
        let offers = self.offers.counting();
        let names = names_of(&offers, &here);
        self.writer.contested(contested(&offers, &here));
        if stores.iter().any(|store| names.get(&store.address).is_some_and(|n| *n != store.name)) {
            self.writer.reconcile(None, names).await?;
            stores = self.committed_stores().await?;
        }
        self.adopt_missing(&stores).await
    }

    /// Folds the entries that came since the last time.
    async fn read_news(&mut self, list: &StoreRow) -> Result<(), Error> {
        if self.news.take_read_again() {
            self.read = 0;
        }
        loop {
            let (list, after) = (list.clone(), self.read);
            let news = self
                .lookups
                .read(move |view| {
                    let (mut news, mut writers) = (Vec::new(), BTreeMap::new());
                    view.log_after(&list, after, |seq, entry| {
                        let writer = writers
                            .entry(entry.identity())
                            .or_insert_with(|| writer_of(view, &entry))
                            .clone();
                        news.push((seq, entry, writer));
                        match news.len() < LIST_PASS_ENTRIES_MAX {
                            true => ControlFlow::Continue(()),
                            false => ControlFlow::Break(()),
                        }
                    })?;
                    Ok(news)
                })
                .await?;
            let last = news.len() < LIST_PASS_ENTRIES_MAX;
            for (seq, entry, writer) in news {
                self.read = seq;
                let taken = match writer {
                    Some(writer) => self.offers.add(&entry.order(), &writer, entry.payload()),
                    None => Err("its writer is not known here"),
                };
                if let Err(why) = taken {
                    let cid = entry.cid();
                    self.grumble(&format!("entry {cid} of the list of stores is skipped: {why}"));
                }
            }
            if last {
                return Ok(());
            }
        }
    }

    async fn committed_stores(&self) -> Result<Vec<StoreRow>, Error> {
        self.lookups.read(|view| view.stores()).await
    }

    /// Offers what was made here before there was a list, and what the list has forgotten of.
    async fn offer_unlisted(&mut self, stores: &[StoreRow]) -> Result<(), Error> {
        let mut unlisted = Vec::new();
        for store in stores.iter().filter(|store| may_be_named(store)) {
            let offered = self.offered.entry(store.address).or_default();
            let said = store.name.contains(ASIDE) || self.offers.mentions(&store.name);
            // Nothing is written for ever in answer to what others write.
            if !said && *offered < STORE_OFFERS_MAX {
                *offered += 1;
                unlisted.push(store.clone());
            }
        }
        if unlisted.is_empty() { Ok(()) } else { self.writer.offer(unlisted).await }
    }

    /// Takes over the stores that are offered and not here.
    async fn adopt_missing(&mut self, stores: &[StoreRow]) -> Result<(), Error> {
        let here: BTreeSet<Address> = stores.iter().map(|store| store.address).collect();
        let offered = self.wanted();
        self.missing.retain(|address, _| offered.contains_key(address) && !here.contains(address));
        let now = Instant::now();
        if self.news.take_urgent() {
            self.missing.values_mut().for_each(|missing| missing.due = now);
        }
        for address in offered.keys().filter(|address| !here.contains(address)) {
            self.missing.entry(*address).or_insert(Missing { tries: 0, due: now });
        }
        let mut due: Vec<(u32, usize, Address, String)> = self
            .missing
            .iter()
            .filter(|(_, missing)| missing.due <= now)
            .filter_map(|(address, missing)| {
                let (newer, name) = offered.get(address)?;
                Some((missing.tries, *newer, *address, name.clone()))
            })
            .collect();
        if !due.is_empty() && stores.len() >= ADOPTED_STORES_MAX {
            self.grumble(&format!(
                "{} stores of the swarm's list are not here: this node has {} and takes over up to \
                 {ADOPTED_STORES_MAX}",
                due.len(),
                stores.len()
            ));
            self.again = Some(now + Duration::from_millis(LIST_RETRY_MS_MAX));
            return Ok(());
        }
        // What was never tried goes first: what cannot be had must not hold up what can. Then the newest
        // store of each writer.
        due.sort();
        let mut due = due.into_iter();
        let mut gathering = JoinSet::new();
        loop {
            while gathering.len() < LIST_FETCHES_MAX
                && let Some((_, _, address, name)) = due.next()
            {
                let source = Arc::clone(&self.source);
                gathering.spawn(async move {
                    let gathered = adopting::gather(&source, &name, address).await;
                    (address, gathered)
                });
            }
            let Some(gathered) = gathering.join_next().await else { break };
            let (address, gathered) =
                gathered.map_err(|e| Error::Internal(format!("taking over a store: {e}")))?;
            let adopted = match gathered {
                Ok(new) => self.adopt(new).await,
                Err(error) => Err(error),
            };
            match adopted {
                Ok(()) => drop(self.missing.remove(&address)),
                Err(error) => self.put_off(address, &error),
            }
        }
        self.again = self.missing.values().map(|missing| missing.due).min();
        Ok(())
    }

    async fn adopt(&self, new: NewStore) -> Result<(), Error> {
        let stores = self.committed_stores().await?;
        let here = self.here(&stores, Some(new.address)).await?;
        let names = names_of(&self.offers.counting(), &here);
        self.writer.reconcile(Some(new), names).await
    }

    /// The stores that the list offers: how many newer ones the writer has that offers each, and its name.
    fn wanted(&self) -> BTreeMap<Address, (usize, String)> {
        let mut wanted: BTreeMap<Address, (usize, String)> = BTreeMap::new();
        for offer in self.offers.counting() {
            let this = (offer.newer, offer.name.to_owned());
            let place = wanted.entry(offer.address).or_insert_with(|| this.clone());
            *place = this.min(place.clone());
        }
        wanted
    }

    /// The stores that the list may name, with one that is about to be here.
    async fn here(
        &self,
        stores: &[StoreRow],
        new: Option<Address>,
    ) -> Result<BTreeMap<Address, Named>, Error> {
        let named = |store: &&StoreRow| may_be_named(store);
        let mut here: BTreeMap<Address, Named> = stores
            .iter()
            .filter(named)
            .map(|store| {
                let name = Some(store.name.clone());
                (store.address, Named { name, admins: Vec::new() })
            })
            .collect();
        if let Some(new) = new {
            here.entry(new).or_default();
        }
        // Who administers a store matters only where its name is offered for another one.
        let contested = contested(&self.offers.counting(), &here);
        let asked: Vec<StoreRow> =
            stores.iter().filter(|store| contested.contains_key(&store.address)).cloned().collect();
        if asked.is_empty() {
            return Ok(here);
        }
        let admins = self.writer.admins_of(asked).await?;
        for (address, admins) in admins {
            if let Some(store) = here.get_mut(&address) {
                store.admins = admins;
            }
        }
        Ok(here)
    }

    fn put_off(&mut self, address: Address, error: &Error) {
        let Some(missing) = self.missing.get_mut(&address) else { return };
        let wait = LIST_RETRY_MS.saturating_mul(1 << missing.tries.min(20)).min(LIST_RETRY_MS_MAX);
        // What this version cannot keep is not looked at again soon.
        let wait = if error.kind() == Kind::Unavailable { wait } else { LIST_RETRY_MS_MAX };
        missing.due = Instant::now() + Duration::from_millis(wait);
        missing.tries = missing.tries.saturating_add(1);
        self.grumble(&format!("a store of the swarm's list is not here yet: {error}"));
    }

    /// Logs, but not more often than now and then.
    fn grumble(&mut self, text: &str) {
        let now = Instant::now();
        let gap = Duration::from_millis(LIST_LOG_MS);
        if self.logged.is_some_and(|last| now < last + gap) {
            self.unlogged += 1;
            return;
        }
        self.logged = Some(now);
        match std::mem::take(&mut self.unlogged) {
            0 => tracing::warn!("{text}"),
            more => tracing::warn!("{text} (and {more} more like it)"),
        }
    }
}

/// The identity that wrote an entry.
fn writer_of(view: View<'_>, entry: &Entry) -> Option<String> {
    let block = view.block(&entry.identity()).ok()??;
    Identity::decode(entry.identity(), &block).ok().map(|identity| identity.id)
}
