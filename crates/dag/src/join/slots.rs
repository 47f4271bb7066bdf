//! The entries a join keeps track of, what is asked for, and how many bytes are
//! held. Decides nothing about the entries themselves.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::work::Task;
use super::{Limits, Step};
use crate::{Cid, Entry, Error, Identity};

/// An entry that is not settled.
#[derive(Debug)]
pub(super) struct Slot {
    /// Tells this slot from an earlier one of the same entry.
    born: u64,
    /// It is a head, or an entry names it as a parent; otherwise it is a hint.
    wanted: bool,
    /// It is verified and its parents are asked for.
    pub(super) followed: bool,
    /// Parents that are not settled.
    pub(super) unsettled: usize,
    /// The greatest clock time of its settled parents.
    pub(super) newest_parent: u64,
    /// Entries that wait for it.
    children: Vec<Handle>,
    pub(super) stage: Stage,
}

/// Names a slot, and not a later one of the same entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handle {
    cid: Cid,
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
    /// Verified; waits for its parents.
    Waiting(Box<Entry>, Arc<Identity>),
    /// Verified and let go to save space.
    Dropped { time: u64, bytes: usize },
}

#[derive(Debug)]
pub(super) struct Slots {
    by_cid: HashMap<Cid, Slot>,
    born: u64,
    wanted: usize,
    asked: usize,
    /// Slots to be asked for, and some that no longer are.
    queue: VecDeque<Handle>,
    hint_queue: VecDeque<Handle>,
    /// Clock time and address of every entry whose block is held.
    held: BTreeSet<(u64, Cid)>,
    held_bytes: usize,
    entries_max: usize,
    bytes_max: usize,
    fetches_max: usize,
    hints_max: usize,
}

impl Slots {
    pub(super) fn new(limits: &Limits) -> Slots {
        Slots {
            by_cid: HashMap::new(),
            born: 0,
            wanted: 0,
            asked: 0,
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

    pub(super) fn get_mut(&mut self, cid: &Cid) -> Option<&mut Slot> {
        self.by_cid.get_mut(cid)
    }

    /// The slot of a child, if it is still the one that began to wait.
    pub(super) fn child_mut(&mut self, child: Handle) -> Option<(Cid, &mut Slot)> {
        let slot = self.by_cid.get_mut(&child.cid)?;
        (slot.born == child.born).then_some((child.cid, slot))
    }

    pub(super) fn contains(&self, cid: &Cid) -> bool {
        self.by_cid.contains_key(cid)
    }

    pub(super) fn is_wanted(&self, cid: &Cid) -> bool {
        self.by_cid.get(cid).is_some_and(|slot| slot.wanted)
    }

    /// Whether the block of this entry is still to come.
    pub(super) fn awaits(&self, cid: &Cid) -> bool {
        self.by_cid.get(cid).is_some_and(|slot| matches!(slot.stage, Stage::Queued | Stage::Asked))
    }

    /// Makes an entry wanted, by a child unless it is a head. A hint that is
    /// here already is handed on to be examined.
    pub(super) fn want(
        &mut self,
        cid: Cid,
        child: Option<Cid>,
        tasks: &mut Vec<Task<'_>>,
    ) -> Result<(), Error> {
        let child =
            child.and_then(|cid| self.by_cid.get(&cid).map(|slot| Handle { cid, born: slot.born }));
        let full = self.wanted >= self.entries_max;
        if let Some(slot) = self.by_cid.get_mut(&cid) {
            if full && !slot.wanted {
                return Err(Error::JoinFull);
            }
            slot.children.extend(child);
            if !slot.wanted {
                slot.wanted = true;
                self.wanted += 1;
                match slot.stage {
                    Stage::Queued => self.queue.push_back(Handle { cid, born: slot.born }),
                    Stage::Unread(_) => tasks.push(Task::Examine(cid)),
                    _ => {}
                }
            }
            return Ok(());
        }
        if full {
            return Err(Error::JoinFull);
        }
        let handle = self.insert(cid, true, child);
        self.wanted += 1;
        self.queue.push_back(handle);
        Ok(())
    }

    /// Asks for an entry that is not tracked and not needed yet, if there is room for it.
    pub(super) fn hint(&mut self, cid: Cid) {
        if self.by_cid.len() - self.wanted < self.hints_max {
            let handle = self.insert(cid, false, None);
            self.hint_queue.push_back(handle);
        }
    }

    fn insert(&mut self, cid: Cid, wanted: bool, child: Option<Handle>) -> Handle {
        self.born += 1;
        let slot = Slot {
            born: self.born,
            wanted,
            followed: false,
            unsettled: 0,
            newest_parent: 0,
            children: child.into_iter().collect(),
            stage: Stage::Queued,
        };
        self.by_cid.insert(cid, slot);
        Handle { cid, born: self.born }
    }

    /// Takes an entry out, with who waits for it.
    pub(super) fn remove(&mut self, cid: &Cid) -> Option<(Stage, Vec<Handle>)> {
        let stage = self.set(cid, Stage::Queued)?;
        let slot = self.by_cid.remove(cid)?;
        self.wanted -= usize::from(slot.wanted);
        Some((stage, slot.children))
    }

    /// Moves an entry to another stage, keeping the accounts, and gives the one
    /// it was in.
    pub(super) fn set(&mut self, cid: &Cid, stage: Stage) -> Option<Stage> {
        let slot = self.by_cid.get_mut(cid)?;
        let before = std::mem::replace(&mut slot.stage, stage);
        if let Some(entry) = before.entry() {
            self.held.remove(&(entry.clock().time, *cid));
            self.held_bytes -= entry.block().len();
        }
        if let Some(entry) = slot.stage.entry() {
            self.held.insert((entry.clock().time, *cid));
            self.held_bytes += entry.block().len();
        }
        self.asked -= usize::from(matches!(before, Stage::Asked));
        self.asked += usize::from(matches!(slot.stage, Stage::Asked));
        Some(before)
    }

    /// Asks again for a verified entry whose turn has come, and for those behind
    /// it that will follow, as many as may be fetched and held at once.
    pub(super) fn recall(&mut self, cid: Cid) {
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

    /// Lets go of the newest blocks until the rest is within bounds. Entries that
    /// are not verified are given up.
    pub(super) fn shrink(&mut self, given_up: &mut Vec<Cid>) {
        let mut bytes = self.held_bytes;
        let mut let_go = Vec::new();
        for (time, cid) in self.held.iter().rev() {
            if bytes <= self.bytes_max {
                break;
            }
            let Some(entry) = self.by_cid.get(cid).and_then(|slot| slot.stage.entry()) else {
                continue;
            };
            bytes -= entry.block().len();
            let_go.push((*cid, *time, entry.block().len()));
        }
        for (cid, time, bytes) in let_go {
            match self.by_cid.get(&cid).map(|slot| &slot.stage) {
                Some(Stage::Waiting(..)) => {
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
    pub(super) fn ask(&mut self, steps: &mut Vec<Step>) {
        if self.wanted == 0 {
            // Nobody will name the hints that are left.
            self.by_cid.clear();
            self.queue.clear();
            self.hint_queue.clear();
            self.held.clear();
            (self.held_bytes, self.asked) = (0, 0);
        }
        while self.asked < self.fetches_max {
            let Some(handle) = self.queue.pop_front().or_else(|| self.hint_queue.pop_front())
            else {
                break;
            };
            if is_queued(&self.by_cid, &handle) {
                self.set(&handle.cid, Stage::Asked);
                steps.push(Step::Fetch { cid: handle.cid });
            }
        }
        // What was refused or announced before its turn is still in the queues.
        for queue in [&mut self.queue, &mut self.hint_queue] {
            if queue.len() > 4 * self.by_cid.len() {
                queue.retain(|handle| is_queued(&self.by_cid, handle));
            }
        }
    }
}

fn is_queued(by_cid: &HashMap<Cid, Slot>, handle: &Handle) -> bool {
    by_cid
        .get(&handle.cid)
        .is_some_and(|slot| slot.born == handle.born && matches!(slot.stage, Stage::Queued))
}

impl Stage {
    /// The entry, if its block is held.
    pub(super) fn entry(&self) -> Option<&Entry> {
        match self {
            Stage::Unread(entry) | Stage::Unproven(entry) | Stage::Waiting(entry, _) => Some(entry),
            Stage::Queued | Stage::Asked | Stage::Dropped { .. } => None,
        }
    }
}
