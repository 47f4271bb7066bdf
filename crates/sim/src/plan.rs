//! What a run will be like: everything that is decided before it begins.

use crate::context::NodeId;
use crate::hostile::{TRICKS, Trick};
use crate::random::Random;

/// When faults end: what follows is the time to get level.
pub(crate) const FAULTS_MS: u64 = 90_000;
/// When, after the faults, everybody who may write writes once more.
pub(crate) const CLOSING_MS: u64 = 20_000;

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    Native,
    Plain,
    Hostile(Vec<Trick>),
}

/// Something set for a certain time.
#[derive(Debug, Clone)]
pub(crate) enum Planned {
    /// A node writes, with the key of that writer or of the guest.
    Write {
        node: NodeId,
        guest: bool,
    },
    /// A node loses everything that is not on disk, now or in the middle of what it does.
    Crash {
        node: NodeId,
        torn: bool,
        down_ms: u64,
    },
    /// The network falls into two parts.
    Split {
        part: Vec<bool>,
        lasts_ms: u64,
    },
    /// One connection breaks.
    Break {
        a: NodeId,
        b: NodeId,
        lasts_ms: u64,
    },
    /// The guest is let in, or no longer.
    Grant,
    Revoke {
        by: NodeId,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) roles: Vec<Role>,
    /// Nodes that write with the key of another one.
    pub(crate) keys: Vec<usize>,
    pub(crate) links: Vec<(NodeId, NodeId)>,
    pub(crate) loss_permille: u64,
    pub(crate) repeat_permille: u64,
    pub(crate) slow_permille: u64,
    pub(crate) store_fails_permille: u64,
    pub(crate) access_changes: bool,
    /// Hostile nodes go on when the faults end.
    pub(crate) hostile_goes_on: bool,
    pub(crate) events: Vec<(u64, Planned)>,
}

impl Plan {
    pub(crate) fn of(random: &mut Random) -> Plan {
        let natives = random.within(2..6) as usize;
        let plains = if random.permille(400) { random.within(1..3) as usize } else { 0 };
        let hostiles = if random.permille(600) { random.within(1..3) as usize } else { 0 };
        let mut roles = vec![Role::Native; natives];
        roles.extend(vec![Role::Plain; plains]);
        roles.extend((0..hostiles).map(|_| Role::Hostile(tricks(random))));
        roles.truncate(8);

        let sometimes = |random: &mut Random, most| match random.permille(500) {
            true => random.within(0..most),
            false => 0,
        };
        let mut keys: Vec<usize> = (0..natives).collect();
        if random.permille(200) {
            keys[1] = 0;
        }
        let mut plan = Plan {
            links: links(random, &roles),
            keys,
            loss_permille: sometimes(random, 150),
            repeat_permille: sometimes(random, 100),
            slow_permille: sometimes(random, 200),
            store_fails_permille: sometimes(random, 150),
            access_changes: random.permille(400),
            hostile_goes_on: random.permille(400),
            events: Vec::new(),
            roles,
        };
        plan.set_writes(random, natives);
        plan.set_faults(random, natives);
        if plan.access_changes {
            plan.set_access(random, natives);
        }
        plan
    }

    fn set_writes(&mut self, random: &mut Random, natives: usize) {
        let mut writes = random.within(5..40);
        while writes > 0 {
            let at_ms = random.within(1_000..FAULTS_MS);
            let node = random.below(natives);
            // A burst, now and then, by one node or by several at once.
            let burst = if random.permille(250) { random.within(2..8).min(writes) } else { 1 };
            let together = random.permille(500);
            for n in 0..burst {
                let node = if together { (node + n as usize) % natives } else { node };
                let guest = self.access_changes && random.permille(250);
                self.events.push((at_ms + 3 * n, Planned::Write { node, guest }));
            }
            writes -= burst;
        }
    }

    fn set_faults(&mut self, random: &mut Random, natives: usize) {
        let nodes = self.roles.len();
        for _ in 0..if random.permille(500) { random.within(1..5) } else { 0 } {
            let node = random.below(natives);
            let (torn, down_ms) = (random.permille(500), random.within(100..15_000));
            let at_ms = random.within(500..FAULTS_MS);
            self.events.push((at_ms, Planned::Crash { node, torn, down_ms }));
        }
        for _ in 0..if random.permille(500) { random.within(1..4) } else { 0 } {
            let part = (0..nodes).map(|_| random.permille(500)).collect();
            let lasts_ms = random.within(1_000..60_000);
            self.events.push((random.within(0..FAULTS_MS), Planned::Split { part, lasts_ms }));
        }
        for _ in 0..if random.permille(500) { random.within(1..8) } else { 0 } {
            let (a, b) = *random.pick(&self.links);
            let lasts_ms = random.within(10..20_000);
            self.events.push((random.within(0..FAULTS_MS), Planned::Break { a, b, lasts_ms }));
        }
    }

    fn set_access(&mut self, random: &mut Random, natives: usize) {
        let granted_ms = random.within(0..FAULTS_MS / 2);
        self.events.push((granted_ms, Planned::Grant));
        if random.permille(700) {
            let revoked_ms = random.within(granted_ms..FAULTS_MS);
            self.events.push((revoked_ms, Planned::Revoke { by: random.below(natives) }));
            if random.permille(200) {
                self.events.push((random.within(revoked_ms..FAULTS_MS), Planned::Grant));
            }
        }
    }
}

fn tricks(random: &mut Random) -> Vec<Trick> {
    let mut tricks = TRICKS.to_vec();
    random.shuffle(&mut tricks);
    tricks.truncate(random.within(1..5) as usize);
    tricks
}

/// Who is connected with whom: the natives hang together, every plain node knows a
/// native one, hostile nodes know anybody. Nobody depends on a hostile node.
fn links(random: &mut Random, roles: &[Role]) -> Vec<(NodeId, NodeId)> {
    let natives = roles.iter().filter(|role| **role == Role::Native).count();
    let mut links = Vec::new();
    for b in 1..roles.len() {
        let honest = roles[..b].iter().filter(|role| !matches!(role, Role::Hostile(_))).count();
        let first = match roles[b] {
            Role::Native => random.below(b),
            Role::Plain => random.below(natives),
            Role::Hostile(_) => random.below(honest),
        };
        links.push((first, b));
        for a in 0..b {
            if a != first && random.permille(300) {
                links.push((a, b));
            }
        }
    }
    links
}
