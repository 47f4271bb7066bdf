//! Who writes: keys that are the same in every run, since making them is slow,
//! and what each may do.

use std::sync::OnceLock;

use ipld_core::ipld::Ipld;
use optimusdb_dag::{
    Access, AccessController, Address, Capabilities, Capability, IdentityKeys, LogCid, OrderKey,
};

/// Nodes that may write, at most.
pub(crate) const WRITERS: usize = 8;

/// The identities of all runs.
pub(crate) struct Cast {
    /// One per node; may always write.
    pub(crate) writers: Vec<IdentityKeys>,
    /// May write for a while, where access can change.
    pub(crate) guest: IdentityKeys,
    /// May write, and does so against the rules.
    pub(crate) insider: IdentityKeys,
    /// May never write.
    pub(crate) stranger: IdentityKeys,
}

/// The identities of all runs.
pub(crate) fn cast() -> &'static Cast {
    static CAST: OnceLock<Cast> = OnceLock::new();
    CAST.get_or_init(|| Cast {
        writers: (0..WRITERS).map(|n| keys(n as u8 + 1)).collect(),
        guest: keys(50),
        insider: keys(60),
        stranger: keys(70),
    })
}

fn keys(n: u8) -> IdentityKeys {
    IdentityKeys::from_bytes(&[n; 32], &[n + 100; 32]).expect("invariant: small numbers are keys")
}

/// The log of all runs.
pub(crate) fn log() -> Address {
    Address::of_manifest(LogCid::of(b"the store of a simulation"))
}

/// Who may write, as it changes: one state after the other.
#[derive(Debug)]
pub(crate) enum AccessHistory {
    Fixed,
    Mutable(Vec<Capabilities>),
}

impl AccessHistory {
    pub(crate) fn fixed() -> AccessHistory {
        AccessHistory::Fixed
    }

    pub(crate) fn mutable() -> AccessHistory {
        AccessHistory::Mutable(vec![Capabilities::new(owners())])
    }

    /// How many states there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            AccessHistory::Fixed => 1,
            AccessHistory::Mutable(states) => states.len(),
        }
    }

    pub(crate) fn state(&self, state: usize) -> Access {
        match self {
            AccessHistory::Fixed => Access::fixed(owners()),
            AccessHistory::Mutable(states) => Access::mutable(states[state].clone()),
        }
    }

    /// The guest may write from the next state on.
    pub(crate) fn grant(&mut self) {
        let guest = guest_id();
        self.next(|newest| {
            let grant = newest.grant(Capability::Write, &guest);
            grant.expect("invariant: a short list of ids").into_payload(None)
        });
    }

    /// The guest may no longer write from the next state on. What these heads
    /// reach stays.
    pub(crate) fn revoke(&mut self, heads: &[LogCid]) {
        let guest = guest_id();
        self.next(|newest| newest.revoke(Capability::Write, &guest, heads, None));
    }

    fn next(&mut self, payload: impl FnOnce(&Capabilities) -> Ipld) {
        let AccessHistory::Mutable(states) = self else { return };
        let Some(newest) = states.last() else { return };
        let payload = payload(newest);
        let time = states.len() as u64;
        let order = OrderKey { time, id: "admin".into(), cid: LogCid::of(&time.to_be_bytes()) };
        let mut next = newest.clone();
        next.add(&order, &payload);
        states.push(next);
    }
}

fn guest_id() -> String {
    cast().guest.identity().id.clone()
}

fn owners() -> AccessController {
    let cast = cast();
    let owners = cast.writers.iter().chain([&cast.insider]);
    AccessController::ipfs(owners.map(|keys| keys.identity().id.clone()).collect())
}
