//! What a join does with one input: a list of tasks worked off until it is
//! empty, each of which may add others. This takes the place of recursion.

use std::sync::Arc;

use super::slots::{Handle, Removed, Slot};
use super::turn::{Task, Turn};
use super::writers::Author;
use super::{Join, JoinEffect, Proven, RefusedEntry, Stage};
use crate::entry::{Outline, check_clock};
use crate::{Entry, Error, Identity, Kind, LogCid};

impl Join {
    /// Works off all tasks and says what the caller is to do.
    pub(super) fn finish(&mut self, mut turn: Turn<'_>) -> Vec<JoinEffect> {
        self.work(&mut turn);
        let mut given_up = Vec::new();
        self.slots.shrink(&mut given_up);
        turn.tasks.extend(given_up.into_iter().map(|cid| Task::Reject(cid, Error::JoinFull)));
        self.work(&mut turn);

        let mut effects = Vec::new();
        if !turn.ready.is_empty() {
            effects.push(JoinEffect::Ready {
                entries: turn.ready,
                identities: turn.identities,
                passed: turn.passed,
            });
        }
        effects.append(&mut turn.refusals);
        effects.append(&mut turn.fetches);
        self.slots.ask(&mut effects);
        if self.slots.wanted() == 0 {
            self.asides.clear();
        }
        if cfg!(debug_assertions) {
            self.check(&effects);
        }
        effects
    }

    pub(super) fn work(&mut self, turn: &mut Turn<'_>) {
        while let Some(task) = turn.tasks.pop() {
            match task {
                Task::Read(cid, block) => self.read(turn, cid, block),
                Task::Examine(cid) => self.examine(turn, cid),
                Task::Unusable(cid, why) => self.unusable(turn, cid, why),
                Task::Parent(child, time, below) => self.parent(turn, child, time, below),
                Task::Complete(cid) => self.complete(turn, cid),
                Task::Stored(cid, time) => self.stored(turn, cid, time),
                Task::Reject(cid, why) => self.reject(turn, cid, why),
            }
        }
    }

    fn read(&mut self, turn: &mut Turn<'_>, cid: LogCid, block: &[u8]) {
        if let Some(time) = self.time_of(turn, &cid) {
            // It was stored in the meantime.
            return turn.tasks.push(Task::Stored(cid, time));
        }
        let known_faulty = self.slots.get(&cid).is_some_and(|slot| slot.fault.is_some());
        let entry = Entry::decode(cid, block).and_then(|entry| {
            if *entry.log() == self.log { Ok(entry) } else { Err(Error::WrongLog) }
        });
        match entry {
            Ok(entry) if !known_faulty => {
                self.slots.set(&cid, Stage::Unread(Box::new(entry)));
                if self.slots.is_wanted(&cid) {
                    turn.tasks.push(Task::Examine(cid));
                }
            }
            Ok(entry) => self.faulty_again(turn, cid, entry.outline(), block),
            Err(why) => match Outline::read(cid, block, &self.log) {
                Ok(outline) if known_faulty => self.faulty_again(turn, cid, outline, block),
                Ok(outline) if self.slots.is_wanted(&cid) => {
                    self.fault(turn, cid, why, outline, block.into());
                }
                _ => turn.tasks.push(Task::Reject(cid, why)),
            },
        }
    }

    /// The block of a faulty entry that was dropped is here again.
    fn faulty_again(&mut self, turn: &mut Turn<'_>, cid: LogCid, outline: Outline, block: &[u8]) {
        self.slots.set(&cid, Stage::Faulty(Box::new((outline, block.into()))));
        turn.tasks.push(Task::Complete(cid));
    }

    /// Verifies an entry, or lets it wait for its writer's identity.
    fn examine(&mut self, turn: &mut Turn<'_>, cid: LogCid) {
        // It may have been refused or dropped since the task was set.
        let Some(slot) = self.slots.get(&cid) else { return };
        let followed = slot.followed;
        let writer = match &slot.stage {
            Stage::Unread(entry) | Stage::Unproven(entry) => Some(entry.identity()),
            Stage::Proven(_) => None,
            _ => return,
        };
        let author = writer.map(|writer| self.author(turn, writer, cid));
        let (entry, identity) = match (self.slots.set(&cid, Stage::Queued), author) {
            (Some(Stage::Proven(proven)), _) => return self.judge(turn, cid, *proven),
            (Some(Stage::Unread(entry) | Stage::Unproven(entry)), Some(author)) => match author {
                Author::Known(identity) => (entry, identity),
                Author::Asked => {
                    self.slots.set(&cid, Stage::Unproven(entry));
                    return;
                }
                Author::Unusable(why) => {
                    let (outline, block) = (entry.outline(), entry.block_shared());
                    return self.fault(turn, cid, why, outline, block);
                }
                Author::Full => return turn.tasks.push(Task::Reject(cid, Error::JoinFull)),
            },
            _ => return,
        };
        // An entry that was dropped and fetched again has been verified before.
        if !followed && let Err(why) = self.verify(&entry, &identity) {
            return self.fault(turn, cid, why, entry.outline(), entry.block_shared());
        }
        self.judge(turn, cid, Proven::verified(*entry, identity));
    }

    /// Checks everything about an entry that no later change of access can alter.
    fn verify(&self, entry: &Entry, identity: &Identity) -> Result<(), Error> {
        entry.verify_binding(&self.log, identity)?;
        if !self.access.is_mutable() {
            self.standing(&entry.cid(), identity, false)?;
        }
        entry.verify_signature(identity)
    }

    /// A verified entry is followed if its writer may append, or if it is passed over.
    fn judge(&mut self, turn: &mut Turn<'_>, cid: LogCid, proven: Proven) {
        let Some(slot) = self.slots.get(&cid) else { return };
        let Slot { followed, named, head, .. } = *slot;
        let standing = self.standing(&cid, proven.identity(), named);
        let (next, refs) = (proven.entry().next().to_vec(), proven.entry().refs().to_vec());
        let bytes = proven.entry().block().len();
        self.slots.set(&cid, Stage::Waiting(Box::new(proven)));
        match standing {
            _ if followed => turn.tasks.push(Task::Complete(cid)),
            Ok(()) => self.follow(turn, cid, &next, &refs),
            Err(why) if named => {
                if !self.asides.has_room(&self.slots, 1, bytes) {
                    return turn.tasks.push(Task::Reject(cid, Error::JoinFull));
                }
                self.slots.set_passing(&cid, bytes);
                if head {
                    turn.refuse(cid, why);
                }
                self.follow(turn, cid, &next, &[]);
            }
            Err(why) => self.put_off(turn, cid, why),
        }
    }

    fn unusable(&mut self, turn: &mut Turn<'_>, cid: LogCid, why: Error) {
        let Some(Stage::Unproven(entry)) = self.slots.get(&cid).map(|slot| &slot.stage) else {
            return;
        };
        let (outline, block) = (entry.outline(), entry.block_shared());
        self.fault(turn, cid, why, outline, block);
    }

    /// Something is wrong with the entry itself, for good. The entries above it may be good all the
    /// same: if one names it, its links are followed in its place.
    fn fault(
        &mut self,
        turn: &mut Turn<'_>,
        cid: LogCid,
        why: Error,
        outline: Outline,
        block: Arc<[u8]>,
    ) {
        let Some(slot) = self.slots.get(&cid) else { return };
        let Slot { named, head, .. } = *slot;
        if !named {
            return self.refuse_head(turn, cid, why);
        }
        if !self.asides.has_room(&self.slots, 1, block.len()) {
            return turn.tasks.push(Task::Reject(cid, Error::JoinFull));
        }
        if head {
            turn.refuse(cid, why.clone());
        }
        let next = outline.next.clone();
        self.slots.set_passing(&cid, block.len());
        self.slots.set(&cid, Stage::Faulty(Box::new((outline, block))));
        if let Some(slot) = self.slots.get_mut(&cid) {
            slot.fault = Some(why);
        }
        self.follow(turn, cid, &next, &[]);
    }

    /// Asks for the parents of an entry, and for the hints it gives.
    fn follow(&mut self, turn: &mut Turn<'_>, cid: LogCid, next: &[LogCid], refs: &[LogCid]) {
        let (mut pending, mut newest_parent, mut below) = (0, 0, Vec::new());
        let mut refused = None;
        for parent in next {
            // A tracked entry is not stored, so the replica need not be asked.
            let time = if self.slots.contains(parent) { None } else { self.time_of(turn, parent) };
            if let Some(time) = time {
                newest_parent = newest_parent.max(time);
            } else if let Some(aside) = self.asides.get_mut(parent) {
                newest_parent = newest_parent.max(aside.time);
                aside.children.extend(self.slots.handle(&cid));
                below.push(*parent);
            } else if let Some(RefusedEntry { why, passable: false }) = self.refused.get(parent) {
                refused = Some(inherited(parent, why));
            } else {
                // Asked for even if another parent is refused: this one may be good.
                match self.slots.want(*parent, Some(cid)) {
                    Ok(is_here) => {
                        pending += 1;
                        if is_here {
                            turn.tasks.push(Task::Examine(*parent));
                        }
                        if let Some(proven) = self.deferred.take(parent) {
                            self.seat(turn, proven);
                        }
                    }
                    Err(why) => refused = Some(why),
                }
            }
        }
        // If all parents are here, so are their ancestors, and no hint is needed.
        for hint in refs.iter().filter(|_| pending > 0) {
            if !self.slots.contains(hint)
                && self.time_of(turn, hint).is_none()
                && self.refused.get(hint).is_none()
                && self.asides.get_mut(hint).is_none()
                && self.deferred.get(hint).is_none()
            {
                self.slots.hint(*hint);
            }
        }
        if let Some(slot) = self.slots.get_mut(&cid) {
            (slot.followed, slot.pending, slot.newest_parent) = (true, pending, newest_parent);
            slot.below = below;
        }
        turn.tasks.push(match refused {
            Some(why) => Task::Reject(cid, why),
            None => Task::Complete(cid),
        });
    }

    /// Puts a verified entry into its slot, unless the slot is in a later stage already.
    pub(super) fn seat(&mut self, turn: &mut Turn<'_>, proven: Proven) {
        let cid = proven.entry().cid();
        let Some(slot) = self.slots.get(&cid) else { return };
        let vacant = match &slot.stage {
            Stage::Queued | Stage::Asked => !slot.followed,
            Stage::Unread(_) | Stage::Unproven(_) => true,
            _ => false,
        };
        if vacant {
            self.slots.set(&cid, Stage::Proven(Box::new(proven)));
            turn.tasks.push(Task::Examine(cid));
        }
    }

    fn parent(&mut self, turn: &mut Turn<'_>, child: Handle, time: u64, below: Option<LogCid>) {
        let Some((cid, slot)) = self.slots.child_mut(child) else { return };
        slot.pending -= 1;
        slot.newest_parent = slot.newest_parent.max(time);
        slot.below.extend(below);
        turn.tasks.push(Task::Complete(cid));
    }

    /// An entry without pending parents is ready, or is passed over, or
    /// must be fetched again.
    fn complete(&mut self, turn: &mut Turn<'_>, cid: LogCid) {
        let Some(slot) = self.slots.get(&cid) else { return };
        if slot.pending > 0 || !slot.followed {
            return;
        }
        let named = slot.named;
        let outcome = match &slot.stage {
            Stage::Faulty(_) => match &slot.fault {
                Some(why) => Err(why.clone()),
                None => return,
            },
            Stage::Waiting(proven) => {
                let time = proven.entry().clock().time;
                match check_clock(time, slot.newest_parent) {
                    Err(why) if named && slot.head => {
                        turn.refuse(cid, why.clone());
                        Err(why)
                    }
                    Err(why) => Err(why),
                    Ok(()) => self.standing(&cid, proven.identity(), named),
                }
            }
            Stage::Dropped { time, .. } => match check_clock(*time, slot.newest_parent) {
                Err(why) if !named => return self.refuse_head(turn, cid, why),
                _ => return self.slots.recall(cid),
            },
            _ => return,
        };
        match outcome {
            Ok(()) => self.ready(turn, cid),
            Err(why) if named => self.pass_over(turn, cid, why),
            Err(why) => self.put_off(turn, cid, why),
        }
    }

    fn stored(&mut self, turn: &mut Turn<'_>, cid: LogCid, time: u64) {
        self.handed_over.insert(cid, time);
        if let Some(Removed { children, .. }) = self.slots.remove(&cid) {
            turn.tasks.extend(children.into_iter().map(|child| Task::Parent(child, time, None)));
        }
    }

    /// Refuses an entry and all that wait for it. A hint is just forgotten.
    fn reject(&mut self, turn: &mut Turn<'_>, cid: LogCid, why: Error) {
        let Some(Removed { wanted, children, .. }) = self.slots.remove(&cid) else { return };
        for child in children {
            if let Some((child, _)) = self.slots.child_mut(child) {
                turn.tasks.push(Task::Reject(child, inherited(&cid, &why)));
            }
        }
        if wanted {
            if why.kind() != Kind::Unavailable {
                self.refused.insert(cid, RefusedEntry { why: why.clone(), passable: false });
            }
            turn.refuse(cid, why);
        }
    }
}

/// Why an entry is refused whose parent was refused for `why`.
fn inherited(parent: &LogCid, why: &Error) -> Error {
    match why {
        Error::AncestorRefused(_) => why.clone(),
        why if why.kind() == Kind::Unavailable => why.clone(),
        _ => Error::AncestorRefused(*parent),
    }
}
