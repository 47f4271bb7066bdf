//! What the program says of its work: to standard error for people, and into the node's journal for
//! `/log`.
//!
//! It starts before the node opens, so that opening is logged too; the records wait in the node's
//! bounded channel until then. Metrics are not here: the node registers its own, `http/` serves
//! them.

use std::io::IsTerminal;

use optimusdb_db::JournalReceiver;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt};

mod filter;
mod journal;
mod line;

pub(crate) use filter::LogFilter;

/// Starts logging for the whole process; `readable` is for a person at a terminal: colours there,
/// and the place in the source. Returns the end from which the node takes the records to keep.
pub(crate) fn start(filter: &LogFilter, readable: bool) -> JournalReceiver {
    let (sender, receiver) = optimusdb_db::journal_channel();
    // A reader of standard error who went away must not end the node: without
    // `log_internal_errors(false)` a failed write is reported with `eprintln!`, which panics.
    let stderr = fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    let stderr = if readable {
        let colours = std::io::stderr().is_terminal();
        stderr.with_ansi(colours).with_file(true).with_line_number(true).boxed()
    } else {
        stderr.with_ansi(false).event_format(line::OneLine).boxed()
    };
    let kept = journal::Keep(sender).with_filter(journal::worth_keeping());
    let subscriber =
        Registry::default().with(stderr.with_filter(filter.to_env_filter())).with(kept);
    tracing::subscriber::set_global_default(subscriber).expect("invariant: telemetry starts once");
    receiver
}
