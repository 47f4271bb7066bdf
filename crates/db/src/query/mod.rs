//! The criteria language and the options of reads.
//!
//! Criteria are parsed once into a tree of paths, values and compiled patterns
//! ([`Criteria::parse`]), and that tree is asked of each document ([`Criteria::matches`]). What
//! matches is defined by `matches` alone. The filter made from a criteria
//! ([`Criteria::prefilter`]) only spares reading documents that cannot match: it may let too many
//! through, never too few.
//!
//! Pure: no store, no clock, no SQLite. Everything that arrives here comes from outside, so every
//! depth, count and size is bounded by a constant of [`crate::limits`], and a refusal is an
//! [`Error::Invalid`](crate::Error::Invalid).

mod compare;
mod criteria;
mod matches;
mod operators;
mod options;
mod parse;
mod path;
mod pattern;
mod prefilter;
mod project;
mod refusals;
mod sort;

pub use criteria::Criteria;
pub use options::{Consistency, Query, SortOrder, Strategy};
pub use project::Projection;

#[cfg(test)]
mod tests;
