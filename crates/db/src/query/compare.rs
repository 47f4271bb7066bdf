//! Equality and order of JSON values, by value.
//!
//! Numbers compare as the numbers they are: `1` equals `1.0`, and integers beyond 2^53 do not blur
//! into their neighbours. Strings order by their bytes. Values of different classes are neither
//! equal nor ordered.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// Whether two values have the same content. The recursion is bounded by the shallower of the two.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

/// The order of two numbers, two strings or two nulls; `None` for any other pair.
pub(super) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        (Value::String(a), Value::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        _ => None,
    }
}

/// The integer that a number is by value, whichever way it was written.
pub(super) fn whole(number: &Number) -> Option<i128> {
    integer(number).or_else(|| {
        let float = number.as_f64()?;
        (float.fract() == 0.0 && float.abs() < FLOAT_WHOLE_LIMIT).then_some(float as i128)
    })
}

/// A number without its fraction; `None` where that is beyond 2^126.
pub(super) fn truncated(number: &Number) -> Option<i128> {
    integer(number).or_else(|| {
        let float = number.as_f64()?;
        (float.abs() < FLOAT_WHOLE_LIMIT).then_some(float as i128)
    })
}

/// 2^126: below it a whole float converts to `i128` and back unchanged.
const FLOAT_WHOLE_LIMIT: f64 = 85_070_591_730_234_615_865_843_651_857_942_052_864.0;

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// The order of two numbers, exact whatever their forms.
pub(super) fn compare_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => Some(compare_mixed(a, b.as_f64()?)),
        (None, Some(b)) => Some(compare_mixed(b, a.as_f64()?).reverse()),
        (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// The exact order of an integer of at most 65 bits and a finite float: neither is rounded to the
/// other's form.
fn compare_mixed(integer: i128, float: f64) -> Ordering {
    if float >= FLOAT_WHOLE_LIMIT {
        return Ordering::Less;
    }
    if float <= -FLOAT_WHOLE_LIMIT {
        return Ordering::Greater;
    }
    let floor = float.floor();
    // Equal to the floor with a fraction left over means just below the float.
    integer.cmp(&(floor as i128)).then(if float > floor { Ordering::Less } else { Ordering::Equal })
}
