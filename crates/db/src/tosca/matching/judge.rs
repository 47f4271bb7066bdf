//! Whether a capacity is what is asked for, and if not, why.

use super::capacity::{Capability, Capacity};
use super::check::{Check, Comparison, ValueTest, Whose, plain};
use super::demand::Ask;
use super::lineage::{is_capability, is_of, short};
use optimusdb_storage::tosca::is_function;
use serde_json::{Map, Value};

/// Whether a capacity meets it.
pub(super) fn meets(ask: &Ask, capacity: &Capacity) -> bool {
    of_type(ask, capacity)
        && has_capability(ask, capacity)
        && !ask.check.as_ref().is_some_and(|check| is_missed(check, capacity))
}

/// Why a capacity does not meet it, in words.
pub(super) fn reason(ask: &Ask, capacity: &Capacity) -> String {
    let name = &ask.name;
    if !of_type(ask, capacity) {
        let wanted = ask.node_type.as_deref().unwrap_or_default();
        let found = capacity.lineage.as_ref().and_then(|it| it.first()).map_or("", |it| &it.name);
        return format!("{name}: it is a {found}, which is not known to be a {}", short(wanted));
    }
    if !has_capability(ask, capacity) {
        let wanted = ask.capability.as_deref().unwrap_or_default();
        return format!("{name}: it has no capability {wanted}");
    }
    let why = ask.check.as_ref().and_then(|check| failure(check, capacity));
    format!("{name}: {}", why.unwrap_or_default())
}

/// What says of no type, as resources do, is not judged by it.
fn of_type(ask: &Ask, capacity: &Capacity) -> bool {
    match (&ask.node_type, &capacity.lineage) {
        (Some(wanted), Some(lineage)) => is_of(lineage, wanted),
        _ => true,
    }
}

fn has_capability(ask: &Ask, capacity: &Capacity) -> bool {
    let has = |wanted: &String| capacity.capabilities.iter().any(|it| is_capability(it, wanted));
    ask.capability.as_ref().is_none_or(has)
}

/// What becomes of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TruthValue {
    Holds,
    Fails,
    /// It is about something that is not there or cannot be compared. It fails, and so does its contrary.
    Absent,
    /// It is not understood. Such parts of a conjunction are passed over.
    Unknown,
}

/// The recursion is as deep as the filter, which is bounded.
fn truth_of(check: &Check, capacity: &Capacity) -> TruthValue {
    match check {
        Check::All(parts) => {
            // Of what is understood all must hold; of nothing, nothing is known.
            let mut worst = if parts.is_empty() { TruthValue::Holds } else { TruthValue::Unknown };
            for part in parts {
                match (truth_of(part, capacity), worst) {
                    (TruthValue::Fails, _) => return TruthValue::Fails,
                    (TruthValue::Absent, _) => worst = TruthValue::Absent,
                    (TruthValue::Holds, TruthValue::Unknown) => worst = TruthValue::Holds,
                    _ => {}
                }
            }
            worst
        }
        Check::Any(parts) => {
            let mut best = TruthValue::Fails;
            for part in parts {
                match (truth_of(part, capacity), best) {
                    (TruthValue::Holds, _) => return TruthValue::Holds,
                    (TruthValue::Unknown, _) => best = TruthValue::Unknown,
                    (TruthValue::Absent, TruthValue::Fails) => best = TruthValue::Absent,
                    _ => {}
                }
            }
            best
        }
        Check::Not(part) => match truth_of(part, capacity) {
            TruthValue::Holds => TruthValue::Fails,
            TruthValue::Fails => TruthValue::Holds,
            other => other,
        },
        Check::Compare(comparison) => compare(comparison, capacity),
        Check::Unclear => TruthValue::Unknown,
    }
}

fn is_missed(check: &Check, capacity: &Capacity) -> bool {
    matches!(truth_of(check, capacity), TruthValue::Fails | TruthValue::Absent)
}

fn compare(comparison: &Comparison, capacity: &Capacity) -> TruthValue {
    if matches!(comparison.test, ValueTest::Present) {
        let present = capabilities(comparison, capacity).next().is_some();
        return if present { TruthValue::Holds } else { TruthValue::Fails };
    }
    let mut best = TruthValue::Absent;
    for value in values(comparison, capacity) {
        if is_computed(value) {
            best = TruthValue::Unknown;
            continue;
        }
        match comparison.test.passes(value) {
            Some(true) => return TruthValue::Holds,
            Some(false) if best == TruthValue::Absent => best = TruthValue::Fails,
            _ => {}
        }
    }
    best
}

/// The first reason why a condition does not hold.
fn failure(check: &Check, capacity: &Capacity) -> Option<String> {
    if !is_missed(check, capacity) {
        return None;
    }
    match check {
        Check::All(parts) => parts.iter().find_map(|part| failure(part, capacity)),
        Check::Any(parts) => {
            let all: Vec<String> =
                parts.iter().filter_map(|part| failure(part, capacity)).take(REASONS_MAX).collect();
            Some(if all.is_empty() {
                "of no conditions one must hold".into()
            } else {
                all.join("; ")
            })
        }
        Check::Not(part) => Some(match truth_of(part, capacity) {
            TruthValue::Absent => {
                failure(part, capacity).unwrap_or_else(|| format!("nothing says {}", told(part)))
            }
            _ => format!("it must not be that {}", told(part)),
        }),
        Check::Compare(comparison) => Some(missed(comparison, capacity)),
        Check::Unclear => None,
    }
}

/// Reasons of the parts of a disjunction that are told.
const REASONS_MAX: usize = 4;

fn told(check: &Check) -> String {
    match check {
        Check::Compare(comparison) => format!("{} {}", label(comparison), comparison.told),
        Check::Not(part) => format!("not {}", told(part)),
        Check::All(parts) | Check::Any(parts) => {
            parts.iter().take(REASONS_MAX).map(told).collect::<Vec<_>>().join(", ")
        }
        Check::Unclear => "what is not understood".into(),
    }
}

fn label(comparison: &Comparison) -> String {
    let path = comparison.path.join(".");
    match &comparison.place {
        Whose::Node | Whose::AnyCapability => path,
        Whose::Capability(name) | Whose::Either(name) if path.is_empty() => name.clone(),
        Whose::Capability(name) | Whose::Either(name) => format!("{name}.{path}"),
    }
}

fn missed(comparison: &Comparison, capacity: &Capacity) -> String {
    if let Some(value) = values(comparison, capacity).next() {
        let label = label(comparison);
        return format!("{label} is {}, and must be {}", plain(value), comparison.told);
    }
    match &comparison.place {
        Whose::Capability(name) if capabilities(comparison, capacity).next().is_none() => {
            format!("it has no capability {name}")
        }
        _ => format!("it has no {}", label(comparison)),
    }
}

/// The capabilities that have the property.
fn capabilities<'c>(
    comparison: &Comparison,
    capacity: &'c Capacity,
) -> impl Iterator<Item = &'c Capability> {
    let place = &comparison.place;
    capacity.capabilities.iter().filter(move |it| match place {
        Whose::Node => false,
        Whose::AnyCapability => true,
        Whose::Capability(name) | Whose::Either(name) => is_capability(it, name),
    })
}

/// The properties of the node, or of what is in one of them, where those are meant.
fn of_node<'c>(comparison: &Comparison, capacity: &'c Capacity) -> Option<&'c Map<String, Value>> {
    match &comparison.place {
        Whose::Node => Some(&capacity.properties),
        Whose::Either(name) if capabilities(comparison, capacity).next().is_none() => {
            capacity.properties.get(name)?.as_object()
        }
        _ => None,
    }
}

fn values<'c>(
    comparison: &'c Comparison,
    capacity: &'c Capacity,
) -> impl Iterator<Item = &'c Value> {
    let node = of_node(comparison, capacity).into_iter();
    let maps = node.chain(capabilities(comparison, capacity).map(|it| &it.properties));
    maps.filter_map(|properties| at(properties, &comparison.path))
}

fn at<'v>(properties: &'v Map<String, Value>, path: &[String]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(properties.get(first)?, |value, step| match value {
        Value::Object(fields) => fields.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Whether a value is what a function of TOSCA yields, and so is not known.
fn is_computed(value: &Value) -> bool {
    let call = value.as_object().filter(|call| call.len() == 1);
    call.is_some_and(|call| call.keys().all(|name| is_function(name)))
}
