//! The identities of writers: which are here, which are asked for, and which cannot be used.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::turn::{Task, Turn};
use super::{Join, JoinEffect};
use crate::limits::IDENTITY_BYTES_MAX;
use crate::{Error, Identity, LogCid};

/// An identity that entries name.
#[derive(Debug)]
pub(super) enum WriterIdentity {
    /// Asked for; these entries wait for it.
    Asked(BTreeSet<LogCid>),
    /// It is here. `stored` says whether it is stored or was handed over.
    Held { identity: Arc<Identity>, stored: bool },
    /// The block is here and is no identity.
    Unusable { why: Error, block: Arc<[u8]> },
}

/// What is known of the writer of an entry.
pub(super) enum Author {
    Known(Arc<Identity>),
    /// The entry is among those that wait for it.
    Asked,
    Unusable(Error),
    /// As many identities are asked for as may be.
    Full,
}

impl Join {
    /// The identity of an entry's writer; if it is not here it is asked for.
    pub(super) fn author(&mut self, turn: &mut Turn<'_>, writer: LogCid, entry: LogCid) -> Author {
        match self.writers.get(&writer) {
            Some(WriterIdentity::Held { identity, .. }) => {
                return Author::Known(Arc::clone(identity));
            }
            Some(WriterIdentity::Unusable { why, .. }) => return Author::Unusable(why.clone()),
            Some(WriterIdentity::Asked(_)) | None => {}
        }
        if let Some(identity) = turn.replica.identity(&writer) {
            if let Some(WriterIdentity::Asked(entries)) = self.writers.remove(&writer) {
                // Another way has stored it in the meantime.
                turn.tasks.extend(entries.into_iter().map(Task::Examine));
            }
            self.keep(Arc::clone(&identity));
            return Author::Known(identity);
        }
        if let Some(WriterIdentity::Asked(entries)) = self.writers.get_mut(&writer) {
            entries.insert(entry);
            return Author::Asked;
        }
        if !self.has_room_for_writer() {
            return Author::Full;
        }
        self.writers.insert(writer, WriterIdentity::Asked(BTreeSet::from([entry])));
        turn.fetches.push(JoinEffect::Fetch { cid: writer });
        Author::Asked
    }

    /// The block of an identity that was asked for.
    pub(super) fn on_identity(&mut self, turn: &mut Turn<'_>, cid: LogCid, block: &[u8]) {
        let Some(WriterIdentity::Asked(entries)) = self.writers.remove(&cid) else { return };
        match Identity::decode(cid, block) {
            Ok(identity) => {
                let identity = Arc::new(identity);
                self.writers.insert(cid, WriterIdentity::Held { identity, stored: false });
                turn.tasks.extend(entries.into_iter().map(Task::Examine));
            }
            // It is too large to be kept, so no other node could be shown what is wrong with it:
            // the entries are refused, not passed over.
            Err(why) if block.len() > IDENTITY_BYTES_MAX => {
                turn.tasks
                    .extend(entries.into_iter().map(|entry| Task::Reject(entry, why.clone())));
            }
            Err(why) => {
                let unusable = WriterIdentity::Unusable { why: why.clone(), block: block.into() };
                self.writers.insert(cid, unusable);
                let entries = entries.into_iter();
                turn.tasks.extend(entries.map(|entry| Task::Unusable(entry, why.clone())));
            }
        }
    }

    /// Hands an identity over to be stored, unless it is stored.
    pub(super) fn hand_over(&mut self, turn: &mut Turn<'_>, identity: Arc<Identity>) {
        if let Some(WriterIdentity::Held { stored: true, .. }) = self.writers.get(&identity.cid) {
            return;
        }
        if turn.replica.identity(&identity.cid).is_none() && !turn.identities.contains(&identity) {
            turn.identities.push(Arc::clone(&identity));
        }
        if !matches!(self.writers.get(&identity.cid), Some(WriterIdentity::Asked(_))) {
            self.keep(identity);
        }
    }

    /// Remembers an identity that is stored, if there is room.
    fn keep(&mut self, identity: Arc<Identity>) {
        if self.writers.contains_key(&identity.cid) || self.has_room_for_writer() {
            self.writers.insert(identity.cid, WriterIdentity::Held { identity, stored: true });
        }
    }

    fn has_room_for_writer(&mut self) -> bool {
        if self.writers.len() >= self.limits.identities_max {
            self.writers.retain(|_, writer| matches!(writer, WriterIdentity::Asked(_)));
        }
        self.writers.len() < self.limits.identities_max
    }
}
