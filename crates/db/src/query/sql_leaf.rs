//! One test as SQL clauses on a value, before anyone says where the value is.

use optimusdb_storage::Param;
use serde_json::{Number, Value};

use super::compare::whole;
use super::operators::{Bound, Range, Test, Values};

/// Clauses joined by OR; with none, no value other than an array can pass the test.
pub(super) struct Leaf {
    clauses: Vec<Clause>,
}

struct Clause {
    on: On,
    /// What follows the operand.
    rest: &'static str,
    params: Vec<Param>,
}

#[derive(Clone, Copy, PartialEq)]
enum On {
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

impl Leaf {
    /// `None` for a test that SQL cannot bound.
    pub(super) fn of(test: &Test) -> Option<Leaf> {
        let clauses = match test {
            Test::Equal(value) => vec![equal(value)?],
            Test::OneOf(values) => one_of(values)?,
            Test::Range(range) => within(range)?,
            Test::Pattern(_) => vec![Clause::on_type(" = 'text'")],
            Test::Exists(true) => vec![Clause::on_type(" IS NOT NULL")],
            Test::Contains(Value::String(_)) => vec![Clause::on_type(" = 'text'")],
            Test::Mod { .. } => vec![Clause::on_type(" IN ('integer', 'real')")],
            Test::Size(_) | Test::Element(_) | Test::Contains(_) => vec![],
            Test::Exists(false) | Test::Type(_) | Test::Not(_) => return None,
        };
        Some(Leaf { clauses })
    }

    /// Number of clauses.
    pub(super) fn len(&self) -> usize {
        self.clauses.len()
    }

    /// Adds the clauses for a value and its type, both given as SQL.
    pub(super) fn render(
        &self,
        value: &str,
        kind: &str,
        sql: &mut Vec<String>,
        params: &mut Vec<Param>,
    ) {
        for clause in &self.clauses {
            let operand = if clause.on == On::Value { value } else { kind };
            sql.push(format!("{operand}{}", clause.rest));
            params.extend(clause.params.iter().cloned());
        }
    }
}

impl Clause {
    fn on_value(rest: &'static str, params: Vec<Param>) -> Clause {
        Clause { on: On::Value, rest, params }
    }

    fn on_type(rest: &'static str) -> Clause {
        Clause { on: On::Type, rest, params: vec![] }
    }
}

fn equal(value: &Value) -> Option<Clause> {
    Some(match value {
        // Null passes where there is nothing, and SQLite cannot be trusted on what is not there: a
        // key that goes on after a NUL is to it the key before the NUL.
        Value::Null => return None,
        Value::Bool(true) => Clause::on_type(" = 'true'"),
        Value::Bool(false) => Clause::on_type(" = 'false'"),
        Value::Number(number) => match exact(number) {
            Some(whole) => Clause::on_value(" = ?", vec![Param::Integer(whole)]),
            None => between_numbers(number.as_f64()?, number.as_f64()?),
        },
        Value::String(text) => Clause::on_value(" = ?", vec![Param::Text(clean(text)?)]),
        Value::Array(_) => Clause::on_type(" = 'array'"),
        Value::Object(_) => Clause::on_type(" = 'object'"),
    })
}

fn one_of(values: &Values) -> Option<Vec<Clause>> {
    const IN: &str = " IN (SELECT value FROM json_each(?))";
    let mut clauses = Vec::new();
    if !values.texts.is_empty() {
        values.texts.iter().try_for_each(|text| clean(text).map(drop))?;
        let list = serde_json::to_string(&values.texts).ok()?;
        clauses.push(Clause::on_value(IN, vec![Param::Text(list)]));
    }
    let mut small: Vec<i64> = Vec::new();
    let mut rough: Vec<f64> = Vec::new();
    for whole in &values.whole {
        match i64::try_from(*whole) {
            Ok(whole) if u128::from(whole.unsigned_abs()) <= EXACT_MAX => small.push(whole),
            _ => rough.push(*whole as f64),
        }
    }
    if !small.is_empty() {
        let list = serde_json::to_string(&small).ok()?;
        clauses.push(Clause::on_value(IN, vec![Param::Text(list)]));
    }
    for value in &values.others {
        match value {
            Value::Number(number) => rough.push(number.as_f64()?),
            other => {
                let clause = equal(other)?;
                if !clauses.iter().any(|known| known.rest == clause.rest) {
                    clauses.push(clause);
                }
            }
        }
    }
    if let Some(low) = rough.iter().copied().reduce(f64::min) {
        clauses.push(between_numbers(low, rough.iter().copied().fold(low, f64::max)));
    }
    Some(clauses)
}

/// In SQLite's order numbers come before texts, so that one end left open needs a limit where the
/// other class begins.
fn within(range: &Range) -> Option<Vec<Clause>> {
    let value = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.value.clone());
    let clause = match (value(&range.low), value(&range.high)) {
        (Some(Value::Number(low)), None) => between_numbers(low.as_f64()?, f64::INFINITY),
        (None, Some(Value::Number(high))) => between_numbers(f64::NEG_INFINITY, high.as_f64()?),
        (Some(Value::Number(low)), Some(Value::Number(high))) => {
            between_numbers(low.as_f64()?, high.as_f64()?)
        }
        (Some(Value::String(low)), None) => {
            Clause::on_value(" >= ?", vec![Param::Text(clean(&low)?)])
        }
        (None, Some(Value::String(high))) => between_texts(String::new(), clean(&high)?),
        (Some(Value::String(low)), Some(Value::String(high))) => {
            between_texts(clean(&low)?, clean(&high)?)
        }
        // Null, and what is not there, lie within bounds that are null.
        (Some(Value::Null), _) | (_, Some(Value::Null)) => return None,
        // Bounds of other classes, or of two, contain nothing.
        _ => return Some(vec![]),
    };
    Some(vec![clause])
}

fn between_numbers(low: f64, high: f64) -> Clause {
    let low = low - (low.abs() * SLACK + SLACK_NEAR_ZERO);
    let high = high + (high.abs() * SLACK + SLACK_NEAR_ZERO);
    Clause::on_value(" BETWEEN ? AND ?", vec![Param::Real(low), Param::Real(high)])
}

fn between_texts(low: String, high: String) -> Clause {
    Clause::on_value(" BETWEEN ? AND ?", vec![Param::Text(low), Param::Text(high)])
}

fn exact(number: &Number) -> Option<i64> {
    let whole = whole(number).filter(|whole| whole.unsigned_abs() <= EXACT_MAX)?;
    i64::try_from(whole).ok()
}

/// Text that SQLite compares as we do: its functions take NUL for the end in places.
fn clean(text: &str) -> Option<String> {
    (!text.contains('\0')).then(|| text.to_owned())
}
