//! Canonical DAG-CBOR: a writer of pieces and a strict reader.
//!
//! The rules: definite lengths, shortest heads, map keys of text in ascending
//! order by length and then bytes, floats only of 64 bits, finite, and not
//! integral within 2^53 - 1, tag 42 only. Depth and number of values are bounded.

mod read;
mod write;

pub(crate) use read::{Make, Reader, Scalar};
pub(crate) use write::{put_cid_text, put_head, put_text, put_value};

use crate::Error;
use crate::limits::VALUE_DEPTH_MAX;

pub(crate) const UINT: u8 = 0;
pub(crate) const NEGATIVE: u8 = 1;
pub(crate) const BYTES: u8 = 2;
pub(crate) const TEXT: u8 = 3;
pub(crate) const LIST: u8 = 4;
pub(crate) const MAP: u8 = 5;
pub(crate) const TAG: u8 = 6;
const SIMPLE: u8 = 7;
const TAG_LINK: u64 = 42;
/// 2^53 - 1: up to here JavaScript writes whole numbers as integers.
const SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// Whether JavaScript would write this float as an integer.
pub(crate) fn is_integral(float: f64) -> bool {
    float.fract() == 0.0 && float.abs() <= SAFE_INTEGER
}

/// A map key that JavaScript objects cannot hold.
pub(crate) const PROTO: &str = "__proto__";

/// One level further down.
fn deeper(depth: usize) -> Result<usize, Error> {
    if depth < VALUE_DEPTH_MAX { Ok(depth + 1) } else { Err(Error::TooDeep) }
}
