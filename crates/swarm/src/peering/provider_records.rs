//! The provider records that this node keeps for its swarm: who has which files.
//!
//! Each record was sent by the peer that it names, which Kademlia checks. A peer keeps at most so many
//! here, a key has at most so many, and all together have a limit: what is over it is not kept. So a
//! peer that floods takes only its own places. Records end after a time. No other records are kept.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use libp2p::PeerId;
use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{ProviderRecord, Record, RecordKey};

use crate::limits::{
    ADDRESSES_PER_PEER_MAX, PROVIDED_ROOTS_MAX, PROVIDER_KEY_BYTES_MAX, PROVIDER_RECORDS_MAX,
    PROVIDER_RECORDS_PER_PEER_MAX, PROVIDERS_PER_KEY_MAX,
};

/// The provider records that are kept here.
pub(crate) struct ProviderRecords {
    own: PeerId,
    keys: HashMap<RecordKey, BTreeMap<PeerId, ProviderRecord>>,
    /// How many each peer has.
    of_peer: HashMap<PeerId, usize>,
    provided: HashSet<RecordKey>,
    count: usize,
}

impl ProviderRecords {
    pub(crate) fn new(own: PeerId) -> ProviderRecords {
        ProviderRecords {
            own,
            keys: HashMap::new(),
            of_peer: HashMap::new(),
            provided: HashSet::new(),
            count: 0,
        }
    }

    /// Forgets records whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        let over = |record: &&ProviderRecord| record.is_expired(now);
        let records = self.keys.values().flat_map(|records| records.values().filter(over));
        let over: Vec<_> = records.map(|record| (record.key.clone(), record.provider)).collect();
        for (key, provider) in over {
            self.remove_provider(&key, &provider);
        }
    }

    /// Whether one more record has room.
    fn has_room(&self, record: &ProviderRecord) -> bool {
        if record.provider == self.own {
            return self.provided.len() < PROVIDED_ROOTS_MAX;
        }
        let of_key = self.keys.get(&record.key).map_or(0, BTreeMap::len);
        let of_peer = self.of_peer.get(&record.provider).copied().unwrap_or(0);
        of_key < PROVIDERS_PER_KEY_MAX
            && of_peer < PROVIDER_RECORDS_PER_PEER_MAX
            && self.count < PROVIDER_RECORDS_MAX
    }
}

impl RecordStore for ProviderRecords {
    type RecordsIter<'a> = std::iter::Empty<Cow<'a, Record>>;
    type ProvidedIter<'a> = std::iter::Empty<Cow<'a, ProviderRecord>>;

    fn get(&self, _: &RecordKey) -> Option<Cow<'_, Record>> {
        None
    }

    fn put(&mut self, _: Record) -> Result<()> {
        Err(Error::MaxRecords)
    }

    fn remove(&mut self, _: &RecordKey) {}

    fn records(&self) -> Self::RecordsIter<'_> {
        std::iter::empty()
    }

    fn add_provider(&mut self, mut record: ProviderRecord) -> Result<()> {
        if record.key.as_ref().len() > PROVIDER_KEY_BYTES_MAX {
            return Err(Error::ValueTooLarge);
        }
        record.addresses.truncate(ADDRESSES_PER_PEER_MAX);
        let renewed =
            self.keys.get(&record.key).is_some_and(|it| it.contains_key(&record.provider));
        if !renewed {
            if !self.has_room(&record) {
                return Err(Error::MaxProvidedKeys);
            }
            self.count += 1;
            *self.of_peer.entry(record.provider).or_default() += 1;
            if record.provider == self.own {
                self.provided.insert(record.key.clone());
            }
        }
        self.keys.entry(record.key.clone()).or_default().insert(record.provider, record);
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        self.keys.get(key).map_or_else(Vec::new, |records| records.values().cloned().collect())
    }

    /// Empty: what this node provides is published again by [`Provided`](super::provided::Provided),
    /// a little at a time, and not by Kademlia all at once.
    fn provided(&self) -> Self::ProvidedIter<'_> {
        std::iter::empty()
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        let Some(records) = self.keys.get_mut(key) else { return };
        if records.remove(provider).is_none() {
            return;
        }
        if records.is_empty() {
            self.keys.remove(key);
        }
        self.count -= 1;
        if let Some(count) = self.of_peer.get_mut(provider) {
            *count -= 1;
            if *count == 0 {
                self.of_peer.remove(provider);
            }
        }
        if *provider == self.own {
            self.provided.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(key: u32, provider: PeerId, seconds: u64) -> ProviderRecord {
        ProviderRecord {
            key: RecordKey::new(&key.to_be_bytes()),
            provider,
            expires: Some(Instant::now() + Duration::from_secs(seconds)),
            addresses: Vec::new(),
        }
    }

    #[test]
    fn a_flood_takes_only_the_places_of_its_peer() {
        let (own, flooder, honest) = (PeerId::random(), PeerId::random(), PeerId::random());
        let mut records = ProviderRecords::new(own);
        let kept =
            (0..100_000).filter(|key| records.add_provider(record(*key, flooder, 1)).is_ok());
        assert_eq!(kept.count(), PROVIDER_RECORDS_PER_PEER_MAX);
        records.add_provider(record(1, honest, 60)).unwrap();
        records.add_provider(record(2, own, 60)).unwrap();
        let long = RecordKey::new(&[0; PROVIDER_KEY_BYTES_MAX + 1]);
        assert!(records.add_provider(ProviderRecord::new(long, honest, Vec::new())).is_err());
        // A renewal takes no place, and what is over gives its place back.
        assert!(records.add_provider(record(3, flooder, 1)).is_ok());
        records.expire(Instant::now() + Duration::from_secs(2));
        assert_eq!(records.count, 2);
        assert_eq!(records.of_peer.len(), 2);
        assert_eq!(records.providers(&RecordKey::new(&1_u32.to_be_bytes()))[0].provider, honest);
        records.remove_provider(&RecordKey::new(&2_u32.to_be_bytes()), &own);
        assert!(records.provided.is_empty());
    }

    #[test]
    fn many_identities_fill_a_key_and_all_places_and_no_more() {
        let mut records = ProviderRecords::new(PeerId::random());
        for _ in 0..PROVIDERS_PER_KEY_MAX + 10 {
            let _ = records.add_provider(record(1, PeerId::random(), 60));
        }
        assert_eq!(records.count, PROVIDERS_PER_KEY_MAX);
        for key in 0..PROVIDER_RECORDS_MAX as u32 + 10 {
            let _ = records.add_provider(record(key + 2, PeerId::random(), 60));
        }
        assert_eq!(records.count, PROVIDER_RECORDS_MAX);
        // What this node has itself is not crowded out.
        assert!(records.add_provider(record(0, records.own, 60)).is_ok());
    }
}
