//! How much a join may keep.

use crate::limits::{
    JOIN_BYTES_MAX, JOIN_DEFERRED_BYTES_MAX, JOIN_DEFERRED_ENTRIES_MAX, JOIN_ENTRIES_MAX,
    JOIN_FETCHES_MAX, JOIN_HANDED_OVER_ENTRIES_MAX, JOIN_HINTS_MAX, JOIN_IDENTITIES_MAX,
    JOIN_PASSED_BYTES_MAX, JOIN_PASSED_ENTRIES_MAX, JOIN_REFUSED_ENTRIES_MAX,
};

/// How much one join may keep. The defaults are those of [`crate::limits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinLimits {
    /// Entries that wait.
    pub entries_max: usize,
    /// Bytes of the blocks of entries that wait.
    pub bytes_max: usize,
    /// Entries asked for at a time.
    pub fetches_max: usize,
    /// Hinted entries.
    pub hints_max: usize,
    /// Entries remembered as handed over.
    pub handed_over_max: usize,
    /// Entries remembered as refused.
    pub refused_max: usize,
    /// Identities, awaited or here.
    pub identities_max: usize,
    /// Entries that were put off.
    pub deferred_max: usize,
    /// Bytes of the blocks of entries that were put off.
    pub deferred_bytes_max: usize,
    /// Entries that are passed over, from when one is found until it is handed over.
    pub passed_max: usize,
    /// Bytes of the blocks of entries that are passed over.
    pub passed_bytes_max: usize,
}

impl Default for JoinLimits {
    fn default() -> JoinLimits {
        JoinLimits {
            entries_max: JOIN_ENTRIES_MAX,
            bytes_max: JOIN_BYTES_MAX,
            fetches_max: JOIN_FETCHES_MAX,
            hints_max: JOIN_HINTS_MAX,
            handed_over_max: JOIN_HANDED_OVER_ENTRIES_MAX,
            refused_max: JOIN_REFUSED_ENTRIES_MAX,
            identities_max: JOIN_IDENTITIES_MAX,
            deferred_max: JOIN_DEFERRED_ENTRIES_MAX,
            deferred_bytes_max: JOIN_DEFERRED_BYTES_MAX,
            passed_max: JOIN_PASSED_ENTRIES_MAX,
            passed_bytes_max: JOIN_PASSED_BYTES_MAX,
        }
    }
}
