//! What becomes of an entry without pending parents: it is ready, passed over, put off or refused.

use super::aside::Aside;
use super::slots::Removed;
use super::turn::{Task, Turn};
use super::writers::WriterIdentity;
use super::{Join, Passed, Proven, RefusedEntry, Stage};
use crate::entry::{check_clock, counted_time};
use crate::{Error, Identity, LogCid, Standing};

impl Join {
    /// Whether the log may have an entry of this writer. For one of a former writer
    /// somebody must vouch: an entry that names it, or a revoke.
    pub(super) fn standing(
        &self,
        cid: &LogCid,
        identity: &Identity,
        named: bool,
    ) -> Result<(), Error> {
        match self.access.judge(identity) {
            Standing::Allowed => Ok(()),
            Standing::Former if named || self.access.vouches(cid) => Ok(()),
            Standing::Former => Err(Error::AccessRevoked),
            Standing::Never if self.access.is_mutable() => Err(Error::AccessNotGranted),
            Standing::Never => Err(Error::AccessDenied),
        }
    }

    /// Takes a verified entry as a head of another node.
    pub(super) fn take_proven(&mut self, turn: &mut Turn<'_>, proven: Proven) {
        let cid = proven.entry().cid();
        if self.is_decided(turn, &cid) {
            return;
        }
        if !self.slots.contains(&cid) {
            match self.standing(&cid, proven.identity(), false) {
                Ok(()) => {}
                Err(Error::AccessDenied) => {
                    return self.refuse_head(turn, cid, Error::AccessDenied);
                }
                Err(why) => {
                    self.deferred.insert(proven);
                    return turn.refuse(cid, why);
                }
            }
            let parents = proven.entry().next().iter();
            let newest: Option<u64> = parents
                .map(|parent| self.time_of(turn, parent))
                .try_fold(0, |newest, time| time.map(|time| newest.max(time)));
            if let Some(newest) = newest {
                let (entry, identity) = proven.into_parts();
                return match check_clock(entry.clock().time, newest) {
                    Err(why) => self.refuse_head(turn, cid, why),
                    Ok(()) => {
                        self.hand_over(turn, identity);
                        self.handed_over.insert(cid, entry.clock().time);
                        turn.ready.push(entry);
                    }
                };
            }
        }
        match self.slots.want(cid, None) {
            Ok(_) => self.seat(turn, proven),
            Err(why) => turn.refuse(cid, why),
        }
    }

    /// An entry is ready. All that is set aside below it is handed over with it.
    pub(super) fn ready(&mut self, turn: &mut Turn<'_>, cid: LogCid) {
        let below = match self.slots.get_mut(&cid) {
            Some(slot) => std::mem::take(&mut slot.below),
            None => return,
        };
        if !below.is_empty() {
            let (handed_over, replica, now) = (&self.handed_over, turn.replica, &turn.handed);
            let is_there = |cid: &LogCid| {
                now.contains(cid)
                    || handed_over.get(cid).is_some()
                    || replica.time_of(cid).is_some()
            };
            match self.asides.take_all(below, is_there) {
                Ok(asides) => {
                    asides.into_iter().for_each(|(cid, it)| self.hand_aside(turn, cid, it))
                }
                Err(lost) => return turn.tasks.push(Task::Reject(cid, Error::BlockMissing(lost))),
            }
        }
        let Some(Removed { stage: Stage::Waiting(proven), children, .. }) = self.slots.remove(&cid)
        else {
            return;
        };
        let (entry, identity) = proven.into_parts();
        let time = entry.clock().time;
        self.hand_over(turn, identity);
        self.handed_over.insert(cid, time);
        turn.ready.push(entry);
        turn.tasks.extend(children.into_iter().map(|child| Task::Parent(child, time, None)));
    }

    /// Passes over an entry without pending parents that may not be in the log. The entries above it
    /// wait for it no longer.
    pub(super) fn pass_over(&mut self, turn: &mut Turn<'_>, cid: LogCid, why: Error) {
        let Some(slot) = self.slots.get(&cid) else { return };
        let (newest, bytes) = (slot.newest_parent, slot.stage.bytes());
        if !slot.is_passing() && !self.asides.has_room(&self.slots, 1, bytes) {
            return turn.tasks.push(Task::Reject(cid, Error::JoinFull));
        }
        let Some(Removed { stage, below, children, .. }) = self.slots.remove(&cid) else { return };
        let (outline, block, proven) = match stage {
            Stage::Faulty(faulty) => (faulty.0, faulty.1, None),
            Stage::Waiting(proven) => {
                let (outline, block) = (proven.entry().outline(), proven.entry().block_shared());
                (outline, block, Some(*proven))
            }
            _ => return,
        };
        let time = counted_time(outline.time, newest);
        let parent = |child: &_| Task::Parent(*child, time, Some(cid));
        turn.tasks.extend(children.iter().map(parent));
        self.asides.insert(cid, Aside { time, outline, block, why, proven, below, children });
    }

    /// Hands over an entry that is passed over, with the entry above it that is ready. If its writer
    /// has been allowed in the meantime, it is ready itself.
    fn hand_aside(&mut self, turn: &mut Turn<'_>, cid: LogCid, aside: Aside) {
        let Aside { time, outline, block, why, proven, .. } = aside;
        self.handed_over.insert(cid, time);
        turn.handed.insert(cid);
        let mut unusable = None;
        if let Some(proven) = proven {
            let (entry, identity) = proven.into_parts();
            let standing = self.standing(&cid, &identity, true);
            // Other nodes judge it for themselves, and need its writer's identity for that.
            self.hand_over(turn, identity);
            if why == Error::AccessNotGranted && standing.is_ok() {
                return turn.ready.push(entry);
            }
        } else if let Some(named) = outline.identity {
            match self.writers.get(&named) {
                Some(WriterIdentity::Held { identity, .. }) => {
                    let identity = identity.clone();
                    self.hand_over(turn, identity);
                }
                Some(WriterIdentity::Unusable { block, .. }) => {
                    unusable = Some((named, block.clone()))
                }
                _ => {}
            }
        }
        turn.passed.push(Passed { cid, time, next: outline.next, block, identity: unusable });
    }

    /// An entry that no other names and whose writer may not append.
    pub(super) fn put_off(&mut self, turn: &mut Turn<'_>, cid: LogCid, why: Error) {
        if !matches!(why, Error::AccessRevoked | Error::AccessNotGranted) {
            return self.refuse_head(turn, cid, why);
        }
        if let Some(Removed { stage: Stage::Waiting(proven), .. }) = self.slots.remove(&cid) {
            self.deferred.insert(*proven);
            turn.refuse(cid, why);
        }
    }

    /// Refuses an entry that no other names. If one names it later, it is passed over.
    pub(super) fn refuse_head(&mut self, turn: &mut Turn<'_>, cid: LogCid, why: Error) {
        self.slots.remove(&cid);
        self.refused.insert(cid, RefusedEntry { why: why.clone(), passable: true });
        turn.refuse(cid, why);
    }
}
