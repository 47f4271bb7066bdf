//! What happens when. Of two things at the same time the one set first comes first.

use std::collections::BTreeMap;

#[derive(Debug)]
pub(crate) struct Timeline<E> {
    events: BTreeMap<(u64, u64), E>,
    set: u64,
    now_ms: u64,
}

impl<E> Timeline<E> {
    pub(crate) fn new() -> Timeline<E> {
        Timeline { events: BTreeMap::new(), set: 0, now_ms: 0 }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Sets an event; one in the past happens now.
    pub(crate) fn at(&mut self, at_ms: u64, event: E) {
        self.set += 1;
        self.events.insert((at_ms.max(self.now_ms), self.set), event);
    }

    pub(crate) fn after(&mut self, wait_ms: u64, event: E) {
        self.at(self.now_ms + wait_ms, event);
    }

    /// The next event, if it happens by then; the time moves on to it.
    pub(crate) fn next(&mut self, until_ms: u64) -> Option<E> {
        let (at_ms, _) = *self.events.first_key_value()?.0;
        if at_ms > until_ms {
            self.now_ms = self.now_ms.max(until_ms);
            return None;
        }
        self.now_ms = at_ms;
        self.events.pop_first().map(|(_, event)| event)
    }
}
