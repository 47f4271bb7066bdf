//! Entries that break a rule, and entries that break no rule and are hard to handle all the same.

use std::sync::Arc;

use optimusdb_dag::limits::{CLOCK_JUMP_TICKS_MAX, NEXT_LINKS_MAX};
use optimusdb_dag::{Entry, IdentityKeys, Ipld, Links, LogCid, Operation};

use crate::cast::{cast, log};
use crate::random::Random;

/// A few keys, so that writers meet.
const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// A put, or now and then a deletion.
pub(crate) fn payload(random: &mut Random) -> Ipld {
    let key = (*random.pick(&KEYS)).to_owned();
    let operation = if random.permille(200) {
        Operation::Del { key }
    } else {
        Operation::Put { key, value: Ipld::Integer(i128::from(random.within(0..1_000))) }
    };
    operation.into_payload(None)
}

/// An entry with a good signature, wherever it is linked.
pub(crate) fn signed(
    random: &mut Random,
    keys: &IdentityKeys,
    next: Vec<LogCid>,
    time: u64,
) -> Entry {
    let links = Links { next, refs: Vec::new(), time };
    Entry::sign(keys, log(), links, payload(random)).expect("invariant: it can be written")
}

/// A block that entries name as their identity although it is no identity.
pub(crate) const NO_IDENTITY: &[u8] = b"no identity";

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wrong {
    /// The signature is of another message.
    Signature,
    /// The identity is somebody else's, and the key is not.
    Binding,
    /// The block that it names as its identity is no identity.
    Identity,
    /// Its writer may not write.
    Writer,
    /// Its clock leaps.
    Leap,
    /// Its clock does not go on.
    Standstill,
    /// Some of its parents exist nowhere.
    Orphan,
    /// Many parents, now and then as many as may be, none of which exists.
    FanOut,
    /// It is no entry.
    Garbage,
}

const WRONGS: [Wrong; 9] = [
    Wrong::Signature,
    Wrong::Binding,
    Wrong::Identity,
    Wrong::Writer,
    Wrong::Leap,
    Wrong::Standstill,
    Wrong::Orphan,
    Wrong::FanOut,
    Wrong::Garbage,
];

/// Something wrong, at random.
pub(crate) fn any_wrong(random: &mut Random) -> Wrong {
    *random.pick(&WRONGS)
}

impl Wrong {
    /// Whether an entry above it passes over it, instead of being refused with it.
    pub(crate) fn is_passed_over(self) -> bool {
        matches!(self, Wrong::Signature | Wrong::Binding | Wrong::Identity | Wrong::Writer)
    }
}

/// The block of an entry above `parent` that is wrong in this way.
pub(crate) fn wrong(random: &mut Random, what: Wrong, parent: Option<&Entry>) -> Arc<[u8]> {
    let cast = cast();
    let (parents, time) = match parent {
        Some(parent) => (vec![parent.cid()], parent.clock().time + 1),
        None => (Vec::new(), 1),
    };
    let nowhere = |random: &mut Random| LogCid::of(&random.bytes::<16>());
    match what {
        Wrong::Writer => signed(random, &cast.stranger, parents, time).block_shared(),
        Wrong::Leap => {
            let time = time + CLOCK_JUMP_TICKS_MAX + random.within(1..1 << 40);
            signed(random, &cast.insider, parents, time).block_shared()
        }
        Wrong::Standstill if time > 1 => {
            signed(random, &cast.insider, parents, time - 1).block_shared()
        }
        Wrong::Orphan | Wrong::Standstill => {
            let next = [parents, vec![nowhere(random)]].concat();
            signed(random, &cast.insider, next, time + 1).block_shared()
        }
        Wrong::FanOut => {
            let parents = if random.permille(30) { NEXT_LINKS_MAX } else { 40 };
            let next = (0..parents).map(|_| nowhere(random)).collect();
            signed(random, &cast.insider, next, time + 1).block_shared()
        }
        Wrong::Signature => {
            let mut stored = signed(random, &cast.writers[0], parents, time).to_stored();
            stored.time += 1;
            stored.block().into()
        }
        Wrong::Binding => {
            let mut stored = signed(random, &cast.stranger, parents, time).to_stored();
            stored.identity = cast.writers[0].identity().cid;
            stored.block().into()
        }
        Wrong::Identity => {
            let mut stored = signed(random, &cast.insider, parents, time).to_stored();
            stored.identity = LogCid::of(NO_IDENTITY);
            stored.block().into()
        }
        Wrong::Garbage => random.bytes::<200>().as_slice().into(),
    }
}
