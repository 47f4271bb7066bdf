//! Conditions made ready to be asked of thousands of capacities: what they compare with is read once.

use super::quantity::Quantity;
use optimusdb_dag::Ipld;
use optimusdb_storage::tosca::{FilterCondition, FilterTerm, TermPlace};
use serde_json::Value;
use std::cmp::Ordering;

/// A condition.
#[derive(Debug)]
pub(super) enum Check {
    All(Vec<Check>),
    Any(Vec<Check>),
    Not(Box<Check>),
    Compare(Comparison),
    /// What is not understood: it is neither met nor missed.
    Unclear,
}

/// A property and what it is compared with.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) place: Whose,
    /// Empty where it is enough that the capability is there.
    pub(super) path: Vec<String>,
    pub(super) test: ValueTest,
    /// As it is told: `greater_or_equal 4 GB`.
    pub(super) told: String,
}

/// Whose property it is: as [`TermPlace`].
#[derive(Debug)]
pub(super) enum Whose {
    Node,
    Capability(String),
    AnyCapability,
    Either(String),
}

/// What a value must be.
#[derive(Debug)]
pub(super) enum ValueTest {
    Present,
    /// In one of these orders to the operand.
    Ordered(&'static [Ordering], Operand),
    /// Between two, which count; without one there is no bound.
    Between(Option<Operand>, Option<Operand>),
    OneOf(Vec<Operand>),
    /// So many characters, elements or fields.
    Length(&'static [Ordering], u64),
}

/// What a value is compared with.
#[derive(Debug)]
pub(super) struct Operand {
    value: Value,
    quantity: Option<Quantity>,
}

const EQUAL: &[Ordering] = &[Ordering::Equal];
const GREATER: &[Ordering] = &[Ordering::Greater];
const LESS: &[Ordering] = &[Ordering::Less];
const AT_LEAST: &[Ordering] = &[Ordering::Greater, Ordering::Equal];
const AT_MOST: &[Ordering] = &[Ordering::Less, Ordering::Equal];

/// Makes a condition ready; what is not understood of it is added to `unclear`, in words.
pub(super) fn prepare(condition: &FilterCondition<'_>, unclear: &mut Vec<String>) -> Check {
    let mut each = |parts: &[FilterCondition<'_>]| -> Vec<Check> {
        parts.iter().map(|part| prepare(part, unclear)).collect()
    };
    match condition {
        FilterCondition::All(parts) => Check::All(each(parts)),
        FilterCondition::Any(parts) => Check::Any(each(parts)),
        FilterCondition::Not(part) => Check::Not(Box::new(prepare(part, unclear))),
        FilterCondition::Term(term) => match comparison(term) {
            Some(comparison) => Check::Compare(comparison),
            None => {
                unclear.push(told_term(term));
                Check::Unclear
            }
        },
        FilterCondition::Unclear(what) => {
            unclear.push(what.clone());
            Check::Unclear
        }
    }
}

fn comparison(term: &FilterTerm<'_>) -> Option<Comparison> {
    let operand = match term.operand {
        Some(operand) => Some(json(operand)?),
        None => None,
    };
    let told = operand
        .as_ref()
        .map_or_else(|| term.op.to_owned(), |it| format!("{} {}", term.op, plain(it)));
    let ordered = |orders| Some(ValueTest::Ordered(orders, Operand::of(operand.clone()?)));
    let test = match term.op {
        "exists" => Some(ValueTest::Present),
        "equal" => ordered(EQUAL),
        "greater_than" => ordered(GREATER),
        "greater_or_equal" => ordered(AT_LEAST),
        "less_than" => ordered(LESS),
        "less_or_equal" => ordered(AT_MOST),
        "in_range" => between(operand.as_ref()?),
        "valid_values" => match operand? {
            Value::Array(values) => {
                Some(ValueTest::OneOf(values.into_iter().map(Operand::of).collect()))
            }
            _ => None,
        },
        "length" => Some(ValueTest::Length(EQUAL, operand?.as_u64()?)),
        "min_length" => Some(ValueTest::Length(AT_LEAST, operand?.as_u64()?)),
        "max_length" => Some(ValueTest::Length(AT_MOST, operand?.as_u64()?)),
        _ => None,
    }?;
    let place = match term.place {
        TermPlace::Node => Whose::Node,
        TermPlace::Capability(name) => Whose::Capability(name.to_owned()),
        TermPlace::AnyCapability => Whose::AnyCapability,
        TermPlace::Either(name) => Whose::Either(name.to_owned()),
    };
    let path = term.path.iter().map(|part| part.clone().into_owned()).collect();
    Some(Comparison { place, path, test, told })
}

fn between(operand: &Value) -> Option<ValueTest> {
    let [low, high] = operand.as_array()?.as_slice() else { return None };
    let bound = |value: &Value| (value != "UNBOUNDED").then(|| Operand::of(value.clone()));
    Some(ValueTest::Between(bound(low), bound(high)))
}

/// A value of the log as JSON, with keys that `$$` kept from being functions as they are meant. None
/// for what JSON does not have. As deep as the document, which is bounded.
fn json(value: &Ipld) -> Option<Value> {
    Some(match value {
        Ipld::Null => Value::Null,
        Ipld::Bool(b) => Value::Bool(*b),
        Ipld::Integer(n) => Value::Number(serde_json::Number::from_i128(*n)?),
        Ipld::Float(x) => Value::Number(serde_json::Number::from_f64(*x)?),
        Ipld::String(text) => Value::String(text.clone()),
        Ipld::List(items) => Value::Array(items.iter().map(json).collect::<Option<_>>()?),
        Ipld::Map(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, value)| {
                    let key = if key.starts_with("$$") { &key[1..] } else { key };
                    Some((key.to_owned(), json(value)?))
                })
                .collect::<Option<_>>()?,
        ),
        Ipld::Bytes(_) | Ipld::Link(_) => return None,
    })
}

fn told_term(term: &FilterTerm<'_>) -> String {
    let of = term.place.capability().map_or_else(String::new, |name| format!("{name}."));
    format!("{of}{} {}", term.path.join("."), term.op)
}

/// As much of a value as a sentence shows.
pub(super) fn plain(value: &Value) -> String {
    const SHOWN_CHARS_MAX: usize = 80;
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

impl Operand {
    fn of(value: Value) -> Operand {
        Operand { quantity: Quantity::of(&value), value }
    }

    /// How a value stands to this one: amounts as amounts, text that is versions part by part.
    fn order_of(&self, value: &Value) -> Option<Ordering> {
        let quantity = Quantity::of(value);
        if let (Value::String(a), Value::String(b)) = (value, &self.value) {
            let bare = |q: Option<Quantity>| q.is_none_or(Quantity::is_number);
            if bare(quantity) && bare(self.quantity) {
                return if a == b { Some(Ordering::Equal) } else { versions(a, b) };
            }
        }
        match (quantity, self.quantity) {
            (Some(a), Some(b)) => a.compare(b),
            _ => (*value == self.value).then_some(Ordering::Equal),
        }
    }
}

/// The order of two texts of numbers with points between, such as versions.
fn versions(a: &str, b: &str) -> Option<Ordering> {
    let parts = |text: &str| text.split('.').map(|part| part.parse().ok()).collect();
    let (a, b): (Option<Vec<u64>>, Option<Vec<u64>>) = (parts(a), parts(b));
    Some(a?.cmp(&b?))
}

impl ValueTest {
    /// Whether a value passes; None where it cannot be compared.
    pub(super) fn passes(&self, value: &Value) -> Option<bool> {
        Some(match self {
            ValueTest::Present => true,
            ValueTest::Ordered(EQUAL, operand) => operand.order_of(value) == Some(Ordering::Equal),
            ValueTest::Ordered(orders, operand) => orders.contains(&operand.order_of(value)?),
            ValueTest::Between(low, high) => {
                let within = |bound: &Option<Operand>, orders: &[Ordering]| match bound {
                    Some(bound) => Some(orders.contains(&bound.order_of(value)?)),
                    None => Some(true),
                };
                within(low, AT_LEAST)? && within(high, AT_MOST)?
            }
            ValueTest::OneOf(operands) => {
                operands.iter().any(|operand| operand.order_of(value) == Some(Ordering::Equal))
            }
            ValueTest::Length(orders, length) => {
                let found = match value {
                    Value::String(text) => text.chars().count(),
                    Value::Array(items) => items.len(),
                    Value::Object(fields) => fields.len(),
                    _ => return None,
                };
                orders.contains(&(found as u64).cmp(length))
            }
        })
    }
}
