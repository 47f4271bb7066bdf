//! What a join does with one input: a list of tasks worked off until it is
//! empty, each of which may add others. This takes the place of recursion.

use std::collections::HashSet;
use std::sync::Arc;

use super::slots::Handle;
use super::{Join, Replica, Stage, Step, Writer};
use crate::entry::check_clock;
use crate::{Cid, Entry, Error, Identity, Kind};

/// One thing to do.
#[derive(Debug)]
pub(super) enum Task<'a> {
    /// The block of an entry has come.
    Read(Cid, &'a [u8]),
    /// An entry is here and wanted.
    Examine(Cid),
    /// A parent of this entry is settled, with this clock time.
    Parent(Handle, u64),
    /// All parents of an entry are settled.
    Complete(Cid),
    /// An entry is stored.
    Settle(Cid, u64),
    /// An entry is refused.
    Reject(Cid, Error),
}

/// The work on one input.
pub(super) struct Run<'a> {
    pub(super) replica: &'a dyn Replica,
    pub(super) tasks: Vec<Task<'a>>,
    pub(super) rejects: Vec<(Cid, Error)>,
    ready: Vec<Entry>,
    identities: Vec<Arc<Identity>>,
    fetches: Vec<Step>,
}

impl<'a> Run<'a> {
    pub(super) fn new(replica: &'a dyn Replica) -> Run<'a> {
        let (tasks, rejects, ready, fetches) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Run { replica, tasks, rejects, ready, identities: Vec::new(), fetches }
    }
}

impl Join {
    /// Works off all tasks and says what the caller is to do.
    pub(super) fn finish(&mut self, mut run: Run<'_>) -> Vec<Step> {
        self.work(&mut run);
        let mut given_up = Vec::new();
        self.slots.shrink(&mut given_up);
        run.tasks.extend(given_up.into_iter().map(|cid| Task::Reject(cid, Error::JoinFull)));
        self.work(&mut run);

        let mut steps = Vec::new();
        if !run.ready.is_empty() {
            steps.push(Step::Ready { entries: run.ready, identities: run.identities });
        }
        steps.extend(run.rejects.into_iter().map(|(cid, why)| Step::Reject { cid, why }));
        steps.append(&mut run.fetches);
        self.slots.ask(&mut steps);
        steps
    }

    fn work(&mut self, run: &mut Run<'_>) {
        while let Some(task) = run.tasks.pop() {
            match task {
                Task::Read(cid, block) => self.read(run, cid, block),
                Task::Examine(cid) => self.examine(run, cid),
                Task::Parent(child, time) => self.parent(run, child, time),
                Task::Complete(cid) => self.complete(run, cid),
                Task::Settle(cid, time) => self.settle(run, cid, time),
                Task::Reject(cid, why) => self.reject(run, cid, why),
            }
        }
    }

    fn read(&mut self, run: &mut Run<'_>, cid: Cid, block: &[u8]) {
        if let Some(time) = self.time_of(run, &cid) {
            // It was stored in the meantime.
            return run.tasks.push(Task::Settle(cid, time));
        }
        let entry = Entry::decode(cid, block).and_then(|entry| {
            if *entry.log() == self.log { Ok(entry) } else { Err(Error::WrongLog) }
        });
        match entry {
            Ok(entry) => {
                self.slots.set(&cid, Stage::Unread(Box::new(entry)));
                if self.slots.is_wanted(&cid) {
                    run.tasks.push(Task::Examine(cid));
                }
            }
            Err(why) => run.tasks.push(Task::Reject(cid, why)),
        }
    }

    /// Verifies an entry, or lets it wait for its writer's identity.
    fn examine(&mut self, run: &mut Run<'_>, cid: Cid) {
        // It may have been refused, or let go, since the task was set.
        let Some(slot) = self.slots.get_mut(&cid) else { return };
        let followed = slot.followed;
        let (Stage::Unread(entry) | Stage::Unproven(entry)) = &slot.stage else { return };
        let writer = entry.identity();
        let identity = match self.identity(run, writer, cid) {
            Ok(Some(identity)) => identity,
            Ok(None) => {
                if let Some(Stage::Unread(entry) | Stage::Unproven(entry)) =
                    self.slots.set(&cid, Stage::Queued)
                {
                    self.slots.set(&cid, Stage::Unproven(entry));
                }
                return;
            }
            Err(why) => return run.tasks.push(Task::Reject(cid, why)),
        };
        let Some(Stage::Unread(entry) | Stage::Unproven(entry)) =
            self.slots.set(&cid, Stage::Queued)
        else {
            return;
        };
        // An entry that was let go and fetched again has been verified before.
        let verified =
            if followed { Ok(()) } else { entry.verify(&self.log, &identity, &self.access) };
        let (next, refs) = (entry.next().to_vec(), entry.refs().to_vec());
        self.slots.set(&cid, Stage::Waiting(entry, identity));
        match verified {
            Err(why) => run.tasks.push(Task::Reject(cid, why)),
            Ok(()) if followed => run.tasks.push(Task::Complete(cid)),
            Ok(()) => self.follow(run, cid, &next, &refs),
        }
    }

    /// The identity of an entry's writer; if it is not here it is asked for.
    fn identity(
        &mut self,
        run: &mut Run<'_>,
        writer: Cid,
        entry: Cid,
    ) -> Result<Option<Arc<Identity>>, Error> {
        if let Some(identity) = run.replica.identity(&writer) {
            if let Some(Writer::Asked(entries)) = self.writers.remove(&writer) {
                // It was stored from elsewhere in the meantime.
                run.tasks.extend(entries.into_iter().map(Task::Examine));
            }
            return Ok(Some(identity));
        }
        match self.writers.get_mut(&writer) {
            Some(Writer::Held(identity)) => return Ok(Some(Arc::clone(identity))),
            Some(Writer::Asked(entries)) => {
                entries.insert(entry);
                return Ok(None);
            }
            None => {}
        }
        if self.writers.len() >= self.limits.identities_max {
            self.writers.retain(|_, writer| matches!(writer, Writer::Asked(_)));
        }
        if self.writers.len() >= self.limits.identities_max {
            return Err(Error::JoinFull);
        }
        self.writers.insert(writer, Writer::Asked(HashSet::from([entry])));
        run.fetches.push(Step::Fetch { cid: writer });
        Ok(None)
    }

    /// Asks for the parents of a verified entry, and for the hints it gives.
    fn follow(&mut self, run: &mut Run<'_>, cid: Cid, next: &[Cid], refs: &[Cid]) {
        let (mut unsettled, mut newest_parent) = (0, 0);
        let mut refused = None;
        for parent in next {
            // What is tracked is not stored, which spares the question.
            let settled =
                if self.slots.contains(parent) { None } else { self.time_of(run, parent) };
            if let Some(time) = settled {
                newest_parent = newest_parent.max(time);
            } else if let Some(why) = self.refused.get(parent) {
                refused = Some(inherited(parent, why));
            } else {
                // The parents beside a refused one are honest until proven otherwise.
                match self.slots.want(*parent, Some(cid), &mut run.tasks) {
                    Ok(()) => unsettled += 1,
                    Err(why) => refused = Some(why),
                }
            }
        }
        // An entry whose parents are here has nothing behind it to be fetched.
        for hint in refs.iter().filter(|_| unsettled > 0) {
            if !self.slots.contains(hint)
                && self.time_of(run, hint).is_none()
                && self.refused.get(hint).is_none()
            {
                self.slots.hint(*hint);
            }
        }
        if let Some(slot) = self.slots.get_mut(&cid) {
            (slot.followed, slot.unsettled, slot.newest_parent) = (true, unsettled, newest_parent);
        }
        run.tasks.push(match refused {
            Some(why) => Task::Reject(cid, why),
            None => Task::Complete(cid),
        });
    }

    fn parent(&mut self, run: &mut Run<'_>, child: Handle, time: u64) {
        let Some((cid, slot)) = self.slots.child_mut(child) else { return };
        slot.unsettled -= 1;
        slot.newest_parent = slot.newest_parent.max(time);
        run.tasks.push(Task::Complete(cid));
    }

    /// An entry whose parents are all settled is ready, or must be fetched again.
    fn complete(&mut self, run: &mut Run<'_>, cid: Cid) {
        let Some(slot) = self.slots.get_mut(&cid) else { return };
        if slot.unsettled > 0 {
            return;
        }
        let newest_parent = slot.newest_parent;
        let time = match &slot.stage {
            Stage::Waiting(entry, _) => entry.clock().time,
            Stage::Dropped { time, .. } => *time,
            _ => return,
        };
        if let Err(why) = check_clock(time, newest_parent) {
            return run.tasks.push(Task::Reject(cid, why));
        }
        if let Stage::Dropped { .. } = slot.stage {
            return self.slots.recall(cid);
        }
        let Some((Stage::Waiting(entry, identity), children)) = self.slots.remove(&cid) else {
            return;
        };
        let fresh = run.replica.identity(&identity.cid).is_none();
        if fresh && !run.identities.contains(&identity) {
            run.identities.push(identity);
        }
        run.ready.push(*entry);
        self.settled.insert(cid, time);
        run.tasks.extend(children.into_iter().map(|child| Task::Parent(child, time)));
    }

    fn settle(&mut self, run: &mut Run<'_>, cid: Cid, time: u64) {
        self.settled.insert(cid, time);
        if let Some((_, children)) = self.slots.remove(&cid) {
            run.tasks.extend(children.into_iter().map(|child| Task::Parent(child, time)));
        }
    }

    /// Refuses an entry and all that wait for it. A hint is just forgotten.
    fn reject(&mut self, run: &mut Run<'_>, cid: Cid, why: Error) {
        let wanted = self.slots.is_wanted(&cid);
        let Some((_, children)) = self.slots.remove(&cid) else { return };
        for child in children {
            if let Some((child, _)) = self.slots.child_mut(child) {
                run.tasks.push(Task::Reject(child, inherited(&cid, &why)));
            }
        }
        if wanted {
            if why.kind() != Kind::Unavailable {
                self.refused.insert(cid, why.clone());
            }
            run.rejects.push((cid, why));
        }
    }
}

/// Why an entry is refused whose parent was refused for `why`.
fn inherited(parent: &Cid, why: &Error) -> Error {
    match why {
        Error::AncestorRefused(_) => why.clone(),
        why if why.kind() == Kind::Unavailable => why.clone(),
        _ => Error::AncestorRefused(*parent),
    }
}
