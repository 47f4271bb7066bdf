//! Asking a criteria of a document. Nothing here allocates.

use std::cmp::Ordering;

use serde_json::Value;

use super::compare::{compare, equal, truncated, whole};
use super::operators::{Bound, Element, Expr, Range, Test, ValueSet};
use super::path::Path;

/// Whether the condition holds for a document. The recursion is as deep as the expression, which
/// the parser bounds.
pub(super) fn holds(expr: &Expr, document: &Value) -> bool {
    match expr {
        Expr::All(parts) => parts.iter().all(|part| holds(part, document)),
        Expr::Any(parts) => parts.iter().any(|part| holds(part, document)),
        Expr::Not(part) => !holds(part, document),
        Expr::Field(path, tests) => {
            let target = MatchTarget::Path(path, document);
            tests.iter().all(|test| passes(test, target))
        }
    }
}

/// What a test looks at: whatever a path reaches, or one element of an array.
#[derive(Clone, Copy)]
enum MatchTarget<'a> {
    Path(&'a Path, &'a Value),
    Value(&'a Value),
}

impl MatchTarget<'_> {
    /// Offers each value, and `None` for each place where the path ends in nothing.
    fn any(self, mut accept: impl FnMut(Option<&Value>) -> bool) -> bool {
        match self {
            MatchTarget::Path(path, document) => path.any(document, &mut accept),
            MatchTarget::Value(value) => accept(Some(value)),
        }
    }

    fn any_value(self, accept: impl Fn(&Value) -> bool) -> bool {
        self.any(|value| value.is_some_and(&accept))
    }

    /// The same with the elements of arrays offered too.
    fn any_or_element(self, accept: impl Fn(&Value) -> bool) -> bool {
        self.any_value(|value| {
            accept(value) || value.as_array().is_some_and(|items| items.iter().any(&accept))
        })
    }

    /// The same, with null for what is not there.
    fn any_or_null(self, accept: impl Fn(&Value) -> bool) -> bool {
        self.any(|value| {
            let value = value.unwrap_or(&Value::Null);
            accept(value) || value.as_array().is_some_and(|items| items.iter().any(&accept))
        })
    }
}

fn passes(test: &Test, target: MatchTarget<'_>) -> bool {
    match test {
        Test::Equal(wanted) => target.any_or_null(|value| equal(value, wanted)),
        Test::OneOf(values) => target.any_or_null(|value| contains(values, value)),
        Test::Range(range) => target.any_or_null(|value| within(range, value)),
        Test::Pattern(regex) => {
            target.any_or_element(|value| value.as_str().is_some_and(|text| regex.is_match(text)))
        }
        Test::Exists(wanted) => target.any_value(|_| true) == *wanted,
        Test::Size(size) => target
            .any_value(|value| value.as_array().is_some_and(|items| items.len() as u64 == *size)),
        Test::Contains(wanted) => target.any_value(|value| match (value, wanted) {
            (Value::Array(items), wanted) => items.iter().any(|item| equal(item, wanted)),
            (Value::String(text), Value::String(wanted)) => text.contains(wanted.as_str()),
            _ => false,
        }),
        Test::Mod { divisor, remainder } => target.any_or_element(|value| {
            value.as_number().and_then(truncated).is_some_and(|n| n % divisor == *remainder)
        }),
        Test::Type(types) => {
            target.any_or_element(|value| types.iter().any(|kind| kind.holds(value)))
        }
        Test::Element(element) => target.any_value(|value| {
            value.as_array().is_some_and(|items| items.iter().any(|item| fits(element, item)))
        }),
        Test::Not(tests) => !tests.iter().all(|test| passes(test, target)),
    }
}

fn fits(element: &Element, item: &Value) -> bool {
    match element {
        Element::Document(expr) => (item.is_object() || item.is_array()) && holds(expr, item),
        Element::Value(tests) => tests.iter().all(|test| passes(test, MatchTarget::Value(item))),
    }
}

fn contains(values: &ValueSet, value: &Value) -> bool {
    match value {
        Value::String(text) => values.texts.contains(text),
        Value::Number(number) => match whole(number) {
            Some(whole) => values.whole.contains(&whole),
            None => values.others.iter().any(|other| equal(value, other)),
        },
        _ => values.others.iter().any(|other| equal(value, other)),
    }
}

fn within(range: &Range, value: &Value) -> bool {
    let on_side = |bound: &Option<Bound>, side: Ordering| {
        bound.as_ref().is_none_or(|bound| match compare(value, &bound.value) {
            Some(Ordering::Equal) => bound.inclusive,
            Some(ordering) => ordering == side,
            None => false,
        })
    };
    on_side(&range.low, Ordering::Greater) && on_side(&range.high, Ordering::Less)
}
