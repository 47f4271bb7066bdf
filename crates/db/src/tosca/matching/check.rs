//! Conditions made ready to be asked of thousands of capacities: what they compare with is read once.

use super::asked::{Asked, AskedPlace, Whose};
use super::lineage::WantedName;
use super::operand::Operand;
use optimusdb_dag::Ipld;
use optimusdb_storage::tosca::{FilterCondition, FilterTerm, TermPlace};
use serde_json::Value;
use std::borrow::Cow;
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
    /// The number of the place where it is looked for.
    pub(super) place: usize,
    pub(super) test: ValueTest,
    /// As it is told: `greater_or_equal 4 GB`.
    pub(super) told: String,
}

/// What a value must be.
#[derive(Debug)]
pub(super) enum ValueTest {
    Present,
    /// In one of these orders to the operand.
    Ordered(&'static [Ordering], Constant),
    /// Between two, which count; without one there is no bound.
    Between(Option<Constant>, Option<Constant>),
    OneOf(Vec<Constant>),
    /// So many characters, elements or fields.
    Length(&'static [Ordering], u64),
}

/// What values are compared with.
type Constant = Operand<'static>;

fn constant(value: Value) -> Constant {
    Operand::of(Cow::Owned(value))
}

const EQUAL: &[Ordering] = &[Ordering::Equal];
const GREATER: &[Ordering] = &[Ordering::Greater];
const LESS: &[Ordering] = &[Ordering::Less];
const AT_LEAST: &[Ordering] = &[Ordering::Greater, Ordering::Equal];
const AT_MOST: &[Ordering] = &[Ordering::Less, Ordering::Equal];

/// Makes a condition ready; what is not understood of it is added to `unclear`, in words.
pub(super) fn prepare(
    condition: &FilterCondition<'_>,
    asked: &mut Asked,
    unclear: &mut Vec<String>,
) -> Check {
    let mut each = |parts: &[FilterCondition<'_>]| -> Vec<Check> {
        parts.iter().map(|part| prepare(part, asked, unclear)).collect()
    };
    match condition {
        FilterCondition::All(parts) => Check::All(each(parts)),
        FilterCondition::Any(parts) => Check::Any(each(parts)),
        FilterCondition::Not(part) => Check::Not(Box::new(prepare(part, asked, unclear))),
        FilterCondition::Term(term) => match comparison(term, asked) {
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

fn comparison(term: &FilterTerm<'_>, asked: &mut Asked) -> Option<Comparison> {
    let operand = match term.operand {
        Some(operand) => Some(json(operand)?),
        None => None,
    };
    let told = operand
        .as_ref()
        .map_or_else(|| term.op.to_owned(), |it| format!("{} {}", term.op, plain(it)));
    let ordered = |orders| Some(ValueTest::Ordered(orders, constant(operand.clone()?)));
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
                Some(ValueTest::OneOf(values.into_iter().map(constant).collect()))
            }
            _ => None,
        },
        "length" => Some(ValueTest::Length(EQUAL, operand?.as_u64()?)),
        "min_length" => Some(ValueTest::Length(AT_LEAST, operand?.as_u64()?)),
        "max_length" => Some(ValueTest::Length(AT_MOST, operand?.as_u64()?)),
        _ => None,
    }?;
    let whose = match term.place {
        TermPlace::Node => Whose::Node,
        TermPlace::Capability(name) => Whose::Capability(WantedName::new(name)),
        TermPlace::AnyCapability => Whose::AnyCapability,
        TermPlace::Either(name) => Whose::Either(WantedName::new(name)),
    };
    let path = term.path.iter().map(|part| part.clone().into_owned()).collect();
    Some(Comparison { place: asked.places.number(AskedPlace { whose, path }), test, told })
}

fn between(operand: &Value) -> Option<ValueTest> {
    let [low, high] = operand.as_array()?.as_slice() else { return None };
    let bound = |value: &Value| (value != "UNBOUNDED").then(|| constant(value.clone()));
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

impl ValueTest {
    /// Whether a value passes; None where it cannot be compared.
    pub(super) fn passes(&self, found: &Operand<'_>) -> Option<bool> {
        Some(match self {
            ValueTest::Present => true,
            ValueTest::Ordered(EQUAL, constant) => equals(found, constant),
            ValueTest::Ordered(orders, constant) => orders.contains(&found.compare(constant)?),
            ValueTest::Between(low, high) => {
                let within = |bound: &Option<Constant>, orders: &[Ordering]| match bound {
                    Some(bound) => Some(orders.contains(&found.compare(bound)?)),
                    None => Some(true),
                };
                within(low, AT_LEAST)? && within(high, AT_MOST)?
            }
            ValueTest::OneOf(constants) => constants.iter().any(|it| equals(found, it)),
            ValueTest::Length(orders, length) => {
                let found = match &*found.value {
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

fn equals(found: &Operand<'_>, constant: &Constant) -> bool {
    found.compare(constant) == Some(Ordering::Equal)
}
