//! Whether a capacity is what is asked for, and if not, why.

use super::asked::Whose;
use super::check::{Check, Comparison, ValueTest, plain};
use super::demand::Ask;
use super::facts::{Facts, FoundValue};

/// Whether a capacity meets it.
pub(super) fn meets(ask: &Ask, facts: &Facts<'_>) -> bool {
    ask.node_type.is_none_or(|wanted| facts.is_of(wanted))
        && ask.capability.is_none_or(|wanted| facts.has(wanted))
        && !ask.check.as_ref().is_some_and(|check| is_missed(check, facts))
}

/// Why a capacity does not meet it, in words.
pub(super) fn reason(ask: &Ask, facts: &Facts<'_>) -> String {
    let name = &ask.name;
    if let Some(wanted) = ask.node_type.filter(|wanted| !facts.is_of(*wanted)) {
        let wanted = &facts.wanted_type(wanted).short;
        let lineage = facts.capacity.lineage.as_ref();
        let found = lineage.and_then(|it| it.first()).map_or("", |it| &it.name);
        return format!("{name}: it is a {found}, which is not known to be a {wanted}");
    }
    if let Some(wanted) = ask.capability.filter(|wanted| !facts.has(*wanted)) {
        return format!("{name}: it has no capability {}", facts.wanted_capability(wanted).name);
    }
    let why = ask.check.as_ref().and_then(|check| failure(check, facts));
    format!("{name}: {}", why.unwrap_or_default())
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
fn truth_of(check: &Check, facts: &Facts<'_>) -> TruthValue {
    match check {
        Check::All(parts) => {
            // Of what is understood all must hold; of nothing, nothing is known.
            let mut worst = if parts.is_empty() { TruthValue::Holds } else { TruthValue::Unknown };
            for part in parts {
                match (truth_of(part, facts), worst) {
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
                match (truth_of(part, facts), best) {
                    (TruthValue::Holds, _) => return TruthValue::Holds,
                    (TruthValue::Unknown, _) => best = TruthValue::Unknown,
                    (TruthValue::Absent, TruthValue::Fails) => best = TruthValue::Absent,
                    _ => {}
                }
            }
            best
        }
        Check::Not(part) => match truth_of(part, facts) {
            TruthValue::Holds => TruthValue::Fails,
            TruthValue::Fails => TruthValue::Holds,
            other => other,
        },
        Check::Compare(comparison) => compare(comparison, facts),
        Check::Unclear => TruthValue::Unknown,
    }
}

fn is_missed(check: &Check, facts: &Facts<'_>) -> bool {
    matches!(truth_of(check, facts), TruthValue::Fails | TruthValue::Absent)
}

fn compare(comparison: &Comparison, facts: &Facts<'_>) -> TruthValue {
    let found = facts.found(comparison.place);
    if matches!(comparison.test, ValueTest::Present) {
        return if found.has_capability { TruthValue::Holds } else { TruthValue::Fails };
    }
    let mut best = TruthValue::Absent;
    for value in &found.values {
        match value {
            FoundValue::Computed(_) => best = TruthValue::Unknown,
            FoundValue::Known(value) => match comparison.test.passes(value) {
                Some(true) => return TruthValue::Holds,
                Some(false) if best == TruthValue::Absent => best = TruthValue::Fails,
                _ => {}
            },
        }
    }
    best
}

/// The first reason why a condition does not hold.
fn failure(check: &Check, facts: &Facts<'_>) -> Option<String> {
    if !is_missed(check, facts) {
        return None;
    }
    match check {
        Check::All(parts) => parts.iter().find_map(|part| failure(part, facts)),
        Check::Any(parts) => {
            let all: Vec<String> =
                parts.iter().filter_map(|part| failure(part, facts)).take(REASONS_MAX).collect();
            Some(if all.is_empty() {
                "of no conditions one must hold".into()
            } else {
                all.join("; ")
            })
        }
        Check::Not(part) => Some(match truth_of(part, facts) {
            TruthValue::Absent => failure(part, facts)
                .unwrap_or_else(|| format!("nothing says {}", told(part, facts))),
            _ => format!("it must not be that {}", told(part, facts)),
        }),
        Check::Compare(comparison) => Some(missed(comparison, facts)),
        Check::Unclear => None,
    }
}

/// Reasons of the parts of a disjunction that are told.
const REASONS_MAX: usize = 4;

fn told(check: &Check, facts: &Facts<'_>) -> String {
    match check {
        Check::Compare(comparison) => format!("{} {}", label(comparison, facts), comparison.told),
        Check::Not(part) => format!("not {}", told(part, facts)),
        Check::All(parts) | Check::Any(parts) => {
            let parts = parts.iter().take(REASONS_MAX).map(|part| told(part, facts));
            parts.collect::<Vec<_>>().join(", ")
        }
        Check::Unclear => "what is not understood".into(),
    }
}

fn label(comparison: &Comparison, facts: &Facts<'_>) -> String {
    let place = facts.place(comparison.place);
    let path = place.path.join(".");
    match &place.whose {
        Whose::Node | Whose::AnyCapability => path,
        Whose::Capability(wanted) | Whose::Either(wanted) if path.is_empty() => wanted.name.clone(),
        Whose::Capability(wanted) | Whose::Either(wanted) => format!("{}.{path}", wanted.name),
    }
}

fn missed(comparison: &Comparison, facts: &Facts<'_>) -> String {
    let found = facts.found(comparison.place);
    if let Some(value) = found.values.first() {
        let label = label(comparison, facts);
        return format!("{label} is {}, and must be {}", plain(value.value()), comparison.told);
    }
    match &facts.place(comparison.place).whose {
        Whose::Capability(wanted) if !found.has_capability => {
            format!("it has no capability {}", wanted.name)
        }
        _ => format!("it has no {}", label(comparison, facts)),
    }
}
