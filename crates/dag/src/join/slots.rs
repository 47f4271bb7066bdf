//! The entries that a join keeps track of, what is asked for, and how many bytes
//! are held. What becomes of an entry is decided elsewhere.

mod check;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::{JoinEffect, JoinLimits, Proven};
use crate::entry::Outline;
use crate::{Entry, Error, LogCid};

/// An entry on its way: neither stored nor handed over, passed over or refused.
#[derive(Debug)]
pub(super) struct Slot {
    /// Tells this slot from an earlier one of the same entry.
    born: u64,
    /// It is a head, or an entry names it as a parent; otherwise it is a hint.
    wanted: bool,
    /// Another node has it as a head.
    pub(super) head: bool,
    /// An entry whose links are followed names it as a parent.
    pub(super) named: bool,
    /// Its parents are asked for.
    pub(super) followed: bool,
    /// What is wrong with the entry itself. Its links are followed all the same.
    pub(super) fault: Option<Error>,
    /// Bytes of its block, if its links are followed only to pass over it.
    passing: Option<usize>,
    /// Parents that are on their way, too.
    pub(super) pending: usize,
    /// The greatest clock time of its other parents.
    pub(super) newest_parent: u64,
    /// Parents that are passed over and not handed over yet.
    pub(super) below: Vec<LogCid>,
    /// Entries that wait for it.
    children: Vec<Handle>,
    pub(super) stage: Stage,
}

/// Names a slot, and not a later one of the same entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handle {
    cid: LogCid,
    born: u64,
}

/// How far an entry has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// To be asked for.
    Queued,
    /// Asked for.
    Asked,
    /// Here and well formed.
    Unread(Box<Entry>),
    /// Its writer's identity is asked for.
    Unproven(Box<Entry>),
    /// Verified before it came here, and not followed yet.
    Proven(Box<Proven>),
    /// Verified; waits for its parents.
    Waiting(Box<Proven>),
    /// Something is wrong with it. Its links are followed all the same, and it waits for its parents.
    Faulty(Box<(Outline, Arc<[u8]>)>),
    /// Its links are followed, and its block was dropped to save memory.
    Dropped { time: u64, bytes: usize },
}

/// What is left of a slot.
pub(super) struct Removed {
    pub(super) wanted: bool,
    pub(super) stage: Stage,
    pub(super) below: Vec<LogCid>,
    pub(super) children: Vec<Handle>,
}

#[derive(Debug)]
pub(super) struct Slots {
    by_cid: HashMap<LogCid, Slot>,
    born: u64,
    wanted: usize,
    asked: usize,
    /// Slots whose links are followed only to pass over them, and their bytes.
    passing: usize,
    passing_bytes: usize,
    /// Slots to be asked for. Some of them need not be any more.
    queue: VecDeque<Handle>,
    hint_queue: VecDeque<Handle>,
    /// Clock time and address of every entry whose block is held.
    held: BTreeSet<(u64, LogCid)>,
    held_bytes: usize,
    entries_max: usize,
    bytes_max: usize,
    fetches_max: usize,
    hints_max: usize,
}

impl Slots {
    pub(super) fn new(limits: &JoinLimits) -> Slots {
        Slots {
            by_cid: HashMap::new(),
            born: 0,
            wanted: 0,
            asked: 0,
            passing: 0,
            passing_bytes: 0,
            queue: VecDeque::new(),
            hint_queue: VecDeque::new(),
            held: BTreeSet::new(),
            held_bytes: 0,
            entries_max: limits.entries_max,
            bytes_max: limits.bytes_max,
            fetches_max: limits.fetches_max,
            hints_max: limits.hints_max,
        }
    }

    pub(super) fn wanted(&self) -> usize {
        self.wanted
    }

    /// The tracked entries, hints included.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&LogCid, &Slot)> {
        self.by_cid.iter()
    }

    pub(super) fn get(&self, cid: &LogCid) -> Option<&Slot> {
        self.by_cid.get(cid)
    }

    pub(super) fn get_mut(&mut self, cid: &LogCid) -> Option<&mut Slot> {
        self.by_cid.get_mut(cid)
    }

    /// The slot of a child, if it is still the one that began to wait.
    pub(super) fn child_mut(&mut self, child: Handle) -> Option<(LogCid, &mut Slot)> {
        let slot = self.by_cid.get_mut(&child.cid)?;
        (slot.born == child.born).then_some((child.cid, slot))
    }

    /// Whether this child still waits.
    pub(super) fn is_alive(&self, child: &Handle) -> bool {
        self.by_cid.get(&child.cid).is_some_and(|slot| slot.born == child.born)
    }

    pub(super) fn handle(&self, cid: &LogCid) -> Option<Handle> {
        self.by_cid.get(cid).map(|slot| Handle { cid: *cid, born: slot.born })
    }

    /// How many entries are followed only to pass over them, and their bytes.
    pub(super) fn passing(&self) -> (usize, usize) {
        (self.passing, self.passing_bytes)
    }

    /// From now on this entry's links are followed only to pass over it.
    pub(super) fn set_passing(&mut self, cid: &LogCid, bytes: usize) {
        if let Some(slot) = self.by_cid.get_mut(cid)
            && slot.passing.replace(bytes).is_none()
        {
            self.passing += 1;
            self.passing_bytes += bytes;
        }
    }

    pub(super) fn contains(&self, cid: &LogCid) -> bool {
        self.by_cid.contains_key(cid)
    }

    pub(super) fn is_wanted(&self, cid: &LogCid) -> bool {
        self.by_cid.get(cid).is_some_and(|slot| slot.wanted)
    }

    /// Whether the block of this entry is still to come.
    pub(super) fn awaits(&self, cid: &LogCid) -> bool {
        self.by_cid.get(cid).is_some_and(|slot| matches!(slot.stage, Stage::Queued | Stage::Asked))
    }

    /// Whether it is a head, or an entry still waits for it.
    pub(super) fn is_needed(&self, cid: &LogCid) -> bool {
        let slot = self.by_cid.get(cid);
        slot.is_some_and(|slot| slot.head || slot.children.iter().any(|child| self.is_alive(child)))
    }

    /// Makes an entry wanted, by a child unless it is a head. True for a hint that is here
    /// already: it is to be examined now.
    ///
    /// # Errors
    /// [`Error::JoinFull`].
    pub(super) fn want(&mut self, cid: LogCid, child: Option<LogCid>) -> Result<bool, Error> {
        let named = child.is_some();
        let child = child.and_then(|cid| self.handle(&cid));
        let full = self.wanted >= self.entries_max;
        if let Some(slot) = self.by_cid.get_mut(&cid) {
            if full && !slot.wanted {
                return Err(Error::JoinFull);
            }
            slot.children.extend(child);
            slot.named |= named;
            slot.head |= !named;
            if slot.wanted {
                return Ok(false);
            }
            slot.wanted = true;
            self.wanted += 1;
            if let Stage::Queued = slot.stage {
                self.queue.push_back(Handle { cid, born: slot.born });
            }
            return Ok(matches!(slot.stage, Stage::Unread(_)));
        }
        if full {
            return Err(Error::JoinFull);
        }
        let handle = self.insert(cid, child);
        if let Some(slot) = self.by_cid.get_mut(&cid) {
            (slot.wanted, slot.named, slot.head) = (true, named, !named);
        }
        self.wanted += 1;
        self.queue.push_back(handle);
        Ok(false)
    }

    /// Asks for an entry that is not tracked and not needed yet, if there is room for it.
    pub(super) fn hint(&mut self, cid: LogCid) {
        if self.by_cid.len() - self.wanted < self.hints_max {
            let handle = self.insert(cid, None);
            self.hint_queue.push_back(handle);
        }
    }

    fn insert(&mut self, cid: LogCid, child: Option<Handle>) -> Handle {
        self.born += 1;
        let slot = Slot {
            born: self.born,
            wanted: false,
            head: false,
            named: false,
            followed: false,
            fault: None,
            passing: None,
            pending: 0,
            newest_parent: 0,
            below: Vec::new(),
            children: child.into_iter().collect(),
            stage: Stage::Queued,
        };
        self.by_cid.insert(cid, slot);
        Handle { cid, born: self.born }
    }

    /// Takes an entry out, with who waits for it.
    pub(super) fn remove(&mut self, cid: &LogCid) -> Option<Removed> {
        let stage = self.set(cid, Stage::Queued)?;
        let slot = self.by_cid.remove(cid)?;
        self.wanted -= usize::from(slot.wanted);
        if let Some(bytes) = slot.passing {
            self.passing -= 1;
            self.passing_bytes -= bytes;
        }
        let Slot { wanted, below, children, .. } = slot;
        Some(Removed { wanted, stage, below, children })
    }

    /// Moves an entry to another stage, keeping the accounts, and gives the one
    /// it was in.
    pub(super) fn set(&mut self, cid: &LogCid, stage: Stage) -> Option<Stage> {
        let slot = self.by_cid.get_mut(cid)?;
        let before = std::mem::replace(&mut slot.stage, stage);
        if let Some((time, bytes)) = before.held() {
            self.held.remove(&(time, *cid));
            self.held_bytes -= bytes;
        }
        if let Some((time, bytes)) = slot.stage.held() {
            self.held.insert((time, *cid));
            self.held_bytes += bytes;
        }
        self.asked -= usize::from(matches!(before, Stage::Asked));
        self.asked += usize::from(matches!(slot.stage, Stage::Asked));
        Some(before)
    }

    /// Asks again for a dropped entry without pending parents, and for the dropped
    /// entries above it, as many as may be fetched and held at once.
    pub(super) fn recall(&mut self, cid: LogCid) {
        let (mut line, mut bytes_left) = (VecDeque::from([cid]), self.bytes_max / 2);
        let mut fetches_left = self.fetches_max;
        while let Some(cid) = line.pop_front() {
            let Some(slot) = self.by_cid.get(&cid) else { continue };
            let Stage::Dropped { bytes, .. } = slot.stage else { continue };
            line.extend(slot.children.iter().map(|child| child.cid).take(fetches_left));
            self.queue.push_back(Handle { cid, born: slot.born });
            self.set(&cid, Stage::Queued);
            bytes_left = bytes_left.saturating_sub(bytes);
            fetches_left -= 1;
            if fetches_left == 0 || bytes_left == 0 {
                break;
            }
        }
    }

    /// Drops the newest blocks until the rest is within bounds. Wanted entries that
    /// are not verified yet are given up.
    pub(super) fn shrink(&mut self, given_up: &mut Vec<LogCid>) {
        let mut bytes = self.held_bytes;
        let mut let_go = Vec::new();
        for (time, cid) in self.held.iter().rev() {
            if bytes <= self.bytes_max {
                break;
            }
            let Some((_, held)) = self.by_cid.get(cid).and_then(|slot| slot.stage.held()) else {
                continue;
            };
            bytes -= held;
            let_go.push((*cid, *time, held));
        }
        for (cid, time, bytes) in let_go {
            match self.by_cid.get(&cid).map(|slot| &slot.stage) {
                Some(Stage::Waiting(_) | Stage::Faulty(_)) => {
                    self.set(&cid, Stage::Dropped { time, bytes });
                }
                Some(_) if self.is_wanted(&cid) => given_up.push(cid),
                _ => {
                    self.remove(&cid);
                }
            }
        }
    }

    /// Asks for as much as may be asked for, wanted entries before hints.
    pub(super) fn ask(&mut self, effects: &mut Vec<JoinEffect>) {
        if self.wanted == 0 {
            // No entry is left that could name the hints.
            self.by_cid.clear();
            self.queue.clear();
            self.hint_queue.clear();
            self.held.clear();
            (self.held_bytes, self.asked) = (0, 0);
            (self.passing, self.passing_bytes) = (0, 0);
        }
        while self.asked < self.fetches_max {
            let Some(handle) = self.queue.pop_front().or_else(|| self.hint_queue.pop_front())
            else {
                break;
            };
            if is_queued(&self.by_cid, &handle) {
                self.set(&handle.cid, Stage::Asked);
                effects.push(JoinEffect::Fetch { cid: handle.cid });
            }
        }
        // Slots that were refused or announced before their turn are still in the queues.
        for queue in [&mut self.queue, &mut self.hint_queue] {
            if queue.len() > 4 * self.by_cid.len() {
                queue.retain(|handle| is_queued(&self.by_cid, handle));
            }
        }
    }
}

fn is_queued(by_cid: &HashMap<LogCid, Slot>, handle: &Handle) -> bool {
    by_cid
        .get(&handle.cid)
        .is_some_and(|slot| slot.born == handle.born && matches!(slot.stage, Stage::Queued))
}

impl Slot {
    /// Whether its links are followed only to pass over it.
    pub(super) fn is_passing(&self) -> bool {
        self.passing.is_some()
    }
}

impl Stage {
    /// Bytes of the entry that are held.
    pub(super) fn bytes(&self) -> usize {
        self.held().map_or(0, |(_, bytes)| bytes)
    }

    /// Clock time and bytes of the entry, if its block is held.
    fn held(&self) -> Option<(u64, usize)> {
        match self {
            Stage::Unread(entry) | Stage::Unproven(entry) => {
                Some((entry.clock().time, entry.block().len()))
            }
            Stage::Proven(proven) | Stage::Waiting(proven) => {
                let entry = proven.entry();
                Some((entry.clock().time, entry.block().len()))
            }
            Stage::Faulty(faulty) => Some((faulty.0.time, faulty.1.len())),
            Stage::Queued | Stage::Asked | Stage::Dropped { .. } => None,
        }
    }
}
