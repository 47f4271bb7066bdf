//! A predicate as SQL clauses on a value, before anyone says where the value is.

use super::{JsonType, Predicate};
use rusqlite::types::Value;

/// What is asked of one operand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clause {
    pub(super) on: Operand,
    /// What follows the operand.
    pub(super) rest: &'static str,
    pub(super) params: Vec<Value>,
}

/// What a clause begins with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Operand {
    /// The SQL value: NULL for null and for nothing there.
    Value,
    /// The name of its JSON type: NULL for nothing there.
    Type,
}

/// 2^53: up to it SQLite reads any spelling of a whole number as that number.
const EXACT_MAX: u128 = 1 << 53;
/// How far SQLite's reading of a decimal can lie from ours, relative and, near zero, absolute.
/// Generous by three digits.
const SLACK: f64 = 1e-12;
const SLACK_NEAR_ZERO: f64 = 1e-300;

const EQUALS: &str = " = ?";
const BETWEEN: &str = " BETWEEN ? AND ?";
const IN_LIST: &str = " IN (SELECT value FROM json_each(?))";

impl Clause {
    /// Adds what holds wherever the predicate does; nothing if it holds nowhere. `None` if SQLite
    /// cannot be told.
    pub(super) fn add(predicate: &Predicate<'_>, clauses: &mut Vec<Clause>) -> Option<()> {
        match predicate {
            Predicate::Exists => clauses.push(Clause::on_type(" IS NOT NULL")),
            Predicate::Is(kind) => clauses.push(Clause::on_type(named(*kind))),
            Predicate::Texts(texts) => match texts.as_slice() {
                [] => {}
                [one] => clauses.push(Clause::on_value(EQUALS, vec![text(one)?])),
                many => {
                    many.iter().try_for_each(|one| clean(one).map(drop))?;
                    clauses.push(one_of(many)?);
                }
            },
            Predicate::Integers(integers) => add_integers(integers, clauses)?,
            Predicate::TextRange(low, None) => {
                clauses.push(Clause::on_value(" >= ?", vec![text(low)?]));
            }
            Predicate::TextRange(low, Some(high)) => {
                clauses.push(Clause::on_value(BETWEEN, vec![text(low)?, text(high)?]));
            }
            Predicate::NumberRange(low, high) => clauses.push(between(*low, *high)),
        }
        Some(())
    }

    fn on_value(rest: &'static str, params: Vec<Value>) -> Clause {
        Clause { on: Operand::Value, rest, params }
    }

    fn on_type(rest: &'static str) -> Clause {
        Clause { on: Operand::Type, rest, params: vec![] }
    }
}

/// As `json_type` names them.
fn named(kind: JsonType) -> &'static str {
    match kind {
        JsonType::True => " = 'true'",
        JsonType::False => " = 'false'",
        JsonType::Number => " IN ('integer', 'real')",
        JsonType::Text => " = 'text'",
        JsonType::Array => " = 'array'",
        JsonType::Object => " = 'object'",
    }
}

fn add_integers(integers: &[i128], clauses: &mut Vec<Clause>) -> Option<()> {
    let is_exact = |integer: &&i128| integer.unsigned_abs() <= EXACT_MAX;
    let exact: Vec<i64> =
        integers.iter().filter(is_exact).filter_map(|integer| (*integer).try_into().ok()).collect();
    match exact.as_slice() {
        [] => {}
        [one] => clauses.push(Clause::on_value(EQUALS, vec![Value::Integer(*one)])),
        many => clauses.push(one_of(many)?),
    }
    let rough = integers.iter().filter(|integer| !is_exact(integer)).map(|integer| *integer as f64);
    if let Some((low, high)) =
        rough.map(|x| (x, x)).reduce(|(low, high), (x, _)| (low.min(x), high.max(x)))
    {
        clauses.push(between(low, high));
    }
    Some(())
}

fn one_of<T: serde::Serialize>(values: &[T]) -> Option<Clause> {
    let list = serde_json::to_string(values).ok()?;
    Some(Clause::on_value(IN_LIST, vec![Value::Text(list)]))
}

fn between(low: f64, high: f64) -> Clause {
    let low = low - (low.abs() * SLACK + SLACK_NEAR_ZERO);
    let high = high + (high.abs() * SLACK + SLACK_NEAR_ZERO);
    Clause::on_value(BETWEEN, vec![Value::Real(low), Value::Real(high)])
}

/// Text that SQLite compares as we do: its functions take NUL for the end in places.
fn clean(text: &str) -> Option<&str> {
    (!text.contains('\0')).then_some(text)
}

fn text(text: &str) -> Option<Value> {
    clean(text).map(|text| Value::Text(text.to_owned()))
}
