//! The prefilter: criteria as a filter of the store's, so that fewer documents are read.
//!
//! What is made here holds for every document for which [`super::matches`] does. How SQLite is asked,
//! and what it cannot be told, is the filter's business. Elements of arrays are left to it, too: it
//! lets through whatever has an array at the path or on the way.

use optimusdb_storage::{Field, Filter, JsonType, Predicate};
use serde_json::Value;

use super::compare::whole;
use super::operators::{Expr, Range, Test, ValueSet};

/// The filter for the branches of an OR; `None` if it cannot narrow anything.
pub(super) fn prefilter(branches: &[Expr]) -> Option<Filter> {
    Filter::any(branches.iter().map(filter))
}

/// The recursion is as deep as the expression, which the parser bounds.
fn filter(expr: &Expr) -> Option<Filter> {
    match expr {
        Expr::All(parts) => Filter::all(parts.iter().map(filter)),
        Expr::Any(parts) => Filter::any(parts.iter().map(filter)),
        // The negation of a superset would be a subset.
        Expr::Not(_) => None,
        Expr::Field(path, tests) => {
            let field = Field::new(path.text())?;
            Filter::all(tests.iter().map(|test| Filter::field(field.clone(), &predicates(test)?)))
        }
    }
}

/// What a value other than an array has to fulfil one of; with none, none passes the test. `None`
/// for a test that says nothing of values.
fn predicates(test: &Test) -> Option<Vec<Predicate<'_>>> {
    Some(match test {
        Test::Equal(value) => vec![equal(value)?],
        Test::OneOf(values) => one_of(values)?,
        Test::Range(range) => within(range)?,
        Test::Pattern(_) => vec![Predicate::Is(JsonType::Text)],
        Test::Exists(true) => vec![Predicate::Exists],
        Test::Contains(Value::String(_)) => vec![Predicate::Is(JsonType::Text)],
        Test::Mod { .. } => vec![Predicate::Is(JsonType::Number)],
        Test::Size(_) | Test::Element(_) | Test::Contains(_) => vec![],
        Test::Exists(false) | Test::Type(_) | Test::Not(_) => return None,
    })
}

fn equal(value: &Value) -> Option<Predicate<'_>> {
    Some(match value {
        // Null passes where there is nothing, and SQLite cannot be trusted on what is not there: a
        // key that goes on after a NUL is to it the key before the NUL.
        Value::Null => return None,
        Value::Bool(true) => Predicate::Is(JsonType::True),
        Value::Bool(false) => Predicate::Is(JsonType::False),
        Value::Number(number) => match whole(number) {
            Some(whole) => Predicate::Integers(vec![whole]),
            None => Predicate::NumberRange(number.as_f64()?, number.as_f64()?),
        },
        Value::String(text) => Predicate::Texts(vec![text]),
        Value::Array(_) => Predicate::Is(JsonType::Array),
        Value::Object(_) => Predicate::Is(JsonType::Object),
    })
}

fn one_of(values: &ValueSet) -> Option<Vec<Predicate<'_>>> {
    let mut predicates = vec![
        Predicate::Texts(values.texts.iter().map(String::as_str).collect()),
        Predicate::Integers(values.whole.iter().copied().collect()),
    ];
    let mut decimals: Option<(f64, f64)> = None;
    for value in &values.others {
        if let Value::Number(number) = value {
            let x = number.as_f64()?;
            decimals = Some(decimals.map_or((x, x), |(low, high)| (low.min(x), high.max(x))));
        } else {
            let predicate = equal(value)?;
            if !predicates.contains(&predicate) {
                predicates.push(predicate);
            }
        }
    }
    predicates.extend(decimals.map(|(low, high)| Predicate::NumberRange(low, high)));
    Some(predicates)
}

fn within(range: &Range) -> Option<Vec<Predicate<'_>>> {
    let [low, high] =
        [&range.low, &range.high].map(|bound| bound.as_ref().map(|bound| &bound.value));
    Some(vec![match (low, high) {
        (Some(Value::Number(low)), None) => Predicate::NumberRange(low.as_f64()?, f64::INFINITY),
        (None, Some(Value::Number(high))) => {
            Predicate::NumberRange(f64::NEG_INFINITY, high.as_f64()?)
        }
        (Some(Value::Number(low)), Some(Value::Number(high))) => {
            Predicate::NumberRange(low.as_f64()?, high.as_f64()?)
        }
        (Some(Value::String(low)), None) => Predicate::TextRange(low, None),
        (None, Some(Value::String(high))) => Predicate::TextRange("", Some(high)),
        (Some(Value::String(low)), Some(Value::String(high))) => {
            Predicate::TextRange(low, Some(high))
        }
        // Null, and what is not there, lie within bounds that are null.
        (Some(Value::Null), _) | (_, Some(Value::Null)) => return None,
        // Bounds of other classes, or of two, contain nothing.
        _ => return Some(vec![]),
    }])
}
