//! `help`: the commands, one line each.

use axum::response::Response;

use super::COMMANDS;
use crate::http::answer;

/// The line in `help`.
pub(super) const HELP: &str = "help: this list";

/// All commands in their order.
pub(super) fn run() -> Response {
    answer::data(&COMMANDS.map(|(_, _, line)| line))
}
