//! Meeting the own peer id on the network: this node itself, or a copy of it?
//!
//! A node that reaches itself, through a name, a balancer or its own address, is at both ends of
//! the connection, and sees both fail within a moment. A node whose key runs elsewhere sees only one
//! end, for the other is at its copy. The accepting end does not always learn who dialled, because the
//! dialling end hangs up at once; so any incoming connection that fails may be that end.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::limits::{COPIED_REPORT_INTERVAL, OWN_ENCOUNTER_TIMEOUT};

/// Encounters that are remembered.
const ENCOUNTERS_MAX: usize = 64;

/// How far apart the two ends of one connection fail, at most.
const APART: Duration = Duration::from_secs(2);

/// What was seen lately of connections to the own peer id.
#[derive(Debug, Default)]
pub(crate) struct Encounters {
    /// Connections that this node opened and that led to its own id.
    dialled: VecDeque<(Instant, String)>,
    /// Connections that came from the own id.
    accepted: VecDeque<(Instant, String)>,
    /// Incoming connections that failed before it was known who opened them.
    failed: VecDeque<Instant>,
    reported: Option<Instant>,
}

impl Encounters {
    /// A connection that this node opened led to its own id.
    pub(crate) fn dialled(&mut self, now: Instant, address: String) {
        push(&mut self.dialled, (now, address));
    }

    /// A connection that somebody opened to this node came from its own id.
    pub(crate) fn accepted(&mut self, now: Instant, address: String) {
        push(&mut self.accepted, (now, address));
    }

    /// A connection failed before it was known who is at its other end.
    pub(crate) fn failed(&mut self, now: Instant) {
        push(&mut self.failed, now);
    }

    /// How the copy showed, if there is one and it was not reported lately.
    pub(crate) fn copied(&mut self, now: Instant) -> Option<String> {
        let old = |at: &Instant| now.saturating_duration_since(*at) >= OWN_ENCOUNTER_TIMEOUT;
        let near = |a: &Instant, b: &Instant| {
            a.saturating_duration_since(*b).max(b.saturating_duration_since(*a)) <= APART
        };
        let dialled_alone = self.dialled.iter().filter(|(at, _)| old(at)).find(|(at, _)| {
            !self.accepted.iter().any(|(other, _)| near(at, other))
                && !self.failed.iter().any(|other| near(at, other))
        });
        let accepted_alone = self
            .accepted
            .iter()
            .filter(|(at, _)| old(at))
            .find(|(at, _)| !self.dialled.iter().any(|(other, _)| near(at, other)));
        let why = match (dialled_alone, accepted_alone) {
            (Some((_, address)), _) => Some(format!("{address} answers with this node's peer id")),
            (None, Some((_, address))) => {
                Some(format!("{address} connects with this node's peer id"))
            }
            (None, None) => None,
        };
        // They are kept a little longer, because they may be the other ends of newer ones.
        let over = |at: &Instant| now.saturating_duration_since(*at) >= OWN_ENCOUNTER_TIMEOUT * 2;
        self.dialled.retain(|(at, _)| !over(at));
        self.accepted.retain(|(at, _)| !over(at));
        self.failed.retain(|at| !over(at));
        let lately = self
            .reported
            .is_some_and(|at| now.saturating_duration_since(at) < COPIED_REPORT_INTERVAL);
        let why = why.filter(|_| !lately)?;
        self.reported = Some(now);
        Some(why)
    }
}

fn push<T>(queue: &mut VecDeque<T>, one: T) {
    if queue.len() >= ENCOUNTERS_MAX {
        queue.pop_front();
    }
    queue.push_back(one);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(300);

    #[test]
    fn both_ends_here_are_this_node_itself() {
        let start = Instant::now();
        let later = start + OWN_ENCOUNTER_TIMEOUT + SOON;
        let mut encounters = Encounters::default();
        encounters.dialled(start, "a".into());
        encounters.accepted(start + SOON, "b".into());
        assert_eq!(encounters.copied(start + SOON), None);
        assert_eq!(encounters.copied(later), None);
        // The accepting end did not learn who it was.
        let mut encounters = Encounters::default();
        encounters.failed(start);
        encounters.dialled(start + SOON, "a".into());
        assert_eq!(encounters.copied(later), None);
    }

    #[test]
    fn one_end_alone_is_a_copy_and_is_told_once_in_a_while() {
        let start = Instant::now();
        let later = start + OWN_ENCOUNTER_TIMEOUT;
        let mut encounters = Encounters::default();
        encounters.dialled(start, "a".into());
        assert_eq!(encounters.copied(start), None);
        assert!(encounters.copied(later).unwrap().starts_with("a answers"));
        encounters.accepted(later, "b".into());
        assert_eq!(encounters.copied(later + OWN_ENCOUNTER_TIMEOUT), None);
        let much_later = later + COPIED_REPORT_INTERVAL;
        encounters.accepted(much_later, "b".into());
        let why = encounters.copied(much_later + OWN_ENCOUNTER_TIMEOUT).unwrap();
        assert!(why.starts_with("b connects"), "{why}");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let now = Instant::now();
        let mut encounters = Encounters::default();
        for _ in 0..1_000 {
            encounters.failed(now);
            encounters.dialled(now, "a".into());
        }
        assert_eq!(encounters.failed.len() + encounters.dialled.len(), 2 * ENCOUNTERS_MAX);
    }
}
