//! Tests of the criteria language: what it means, what it refuses, and that its SQL never says
//! less.

mod options;
mod prefilter;
mod refusals;
mod semantics;

use serde_json::Value;

use super::Criteria;

fn criteria(value: Value) -> Criteria {
    Criteria::parse(&value).unwrap_or_else(|error| panic!("{error}: {value:.200}"))
}
