//! Every bound on who may connect, and on what is remembered of peers.

use std::time::Duration;

use crate::limits::PENDING_INCOMING_CONNECTIONS_MAX;

/// Connections that are being accepted beyond which a network may have no more than
/// [`PENDING_CONNECTIONS_PER_NETWORK_MAX`] of them.
pub(crate) const SHARED_PENDING_CONNECTIONS_MAX: usize =
    PENDING_INCOMING_CONNECTIONS_MAX as usize / 2;

/// Connections of one network that are being accepted while many are.
pub(crate) const PENDING_CONNECTIONS_PER_NETWORK_MAX: usize =
    PENDING_INCOMING_CONNECTIONS_MAX as usize / 8;

/// Connections that others opened. Beyond it the least useful one makes room.
pub(crate) const INCOMING_CONNECTIONS_MAX: usize = 192;

/// Connections that peers opened of whom nothing useful ever came. The rest is for those who are known.
pub(crate) const INCOMING_STRANGERS_MAX: usize = 160;

/// Peers that are remembered as useful.
pub(crate) const PROVEN_PEERS_MAX: usize = 512;

/// Time in which half of what a peer has cost is forgotten.
pub(crate) const CHARGES_HALF_LIFE: Duration = Duration::from_secs(10);

/// Bytes sent to a peer that are charged to it as a millisecond of work.
pub(crate) const SENT_BYTES_PER_MS: f64 = 128.0 * 1024.0;

/// Peers and networks whose costs are remembered.
pub(crate) const ACCOUNTS_MAX: usize = 4_096;

/// Peers whose offences are remembered.
pub(crate) const SCORED_PEERS_MAX: usize = 4_096;

/// Offence points after which a peer is banned.
pub(crate) const BAN_POINTS: f64 = 100.0;

/// Offence points that a ban takes in any case, however often the peer or its network was banned.
pub(crate) const REPEATED_BAN_POINTS: f64 = 20.0;

/// How long the first ban lasts. Each one doubles the next.
pub(crate) const BAN_FIRST: Duration = Duration::from_secs(120);

/// How long a ban lasts at the most.
pub(crate) const BAN_LONGEST: Duration = Duration::from_secs(4 * 60 * 60);

/// Time in which a ban counts half.
pub(crate) const BANS_HALF_LIFE: Duration = Duration::from_secs(60 * 60);

/// Time in which offence points halve.
pub(crate) const POINTS_HALF_LIFE: Duration = Duration::from_secs(120);

/// Connections that one address may open a second, on average.
pub(crate) const CONNECTIONS_PER_ADDRESS_PER_SECOND_MAX: f64 = 10.0;

/// Connections that one address may open at once: as many nodes as run on one machine.
pub(crate) const CONNECTIONS_PER_ADDRESS_BURST_MAX: f64 = 64.0;

/// Addresses whose connections are counted.
pub(crate) const ADDRESSES_COUNTED_MAX: usize = 1_024;

/// Peers that are kept out at one time.
pub(crate) const KEPT_OUT_PEERS_MAX: usize = 4_096;

/// Bytes of the text in a multiaddr or bootstrap entry.
pub(crate) const ADDRESS_TEXT_BYTES_MAX: usize = 1_024;

/// Addresses of one name that are dialled.
pub(crate) const ADDRESSES_PER_NAME_MAX: usize = 16;

/// Until a name is resolved.
pub(crate) const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// First wait before peers are looked up.
pub(crate) const LOOKUP_FIRST: Duration = Duration::from_secs(5);

/// Longest wait before peers are looked up again.
pub(crate) const LOOKUP_LONGEST: Duration = Duration::from_secs(5 * 60);
