//! Commands of the interface that this version does not carry out, and says so.

use super::brief;
use crate::http::error::ApiError;

/// The lines in `help`.
pub(super) const HELP_BENCHMARK: &str =
    "benchmark: this node's benchmark data (not in this version)";

/// What all of them answer.
pub(super) fn refusal(cmd: &str) -> ApiError {
    ApiError::not_built(format!(
        "The command '{}' is not in this version. Use help for the list of commands.",
        brief(cmd)
    ))
}
