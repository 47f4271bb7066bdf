//! The conditions of a `node_filter`.
//!
//! Until TOSCA 1.3 it is lists of constraints under `properties` and `capabilities`; since 2.0 one
//! clause of functions over `$get_property`. Both become one tree of conditions. What cannot be told
//! is kept as [`FilterCondition::Unclear`]: to leave it out would make the filter mean something else.
//!
//! Depth and number of conditions are bounded, whatever the filter holds.

use super::shape::{function, map, named, only, text};
use crate::limits::{TOSCA_FILTER_DEPTH_MAX, TOSCA_FILTER_TERMS_MAX};
use optimusdb_dag::Ipld;
use std::borrow::Cow;

/// What a node must be for a filter to let it through.
#[derive(Debug, Clone, PartialEq)]
pub enum FilterCondition<'d> {
    /// All of them hold.
    All(Vec<FilterCondition<'d>>),
    /// One of them holds.
    Any(Vec<FilterCondition<'d>>),
    /// It does not hold.
    Not(Box<FilterCondition<'d>>),
    /// A comparison.
    Term(FilterTerm<'d>),
    /// Something that is not understood, in words.
    Unclear(String),
}

/// A property compared with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterTerm<'d> {
    /// Whose property it is.
    pub place: TermPlace<'d>,
    /// The property, and the way into it. Empty where it is enough that the capability is there.
    pub path: Vec<Cow<'d, str>>,
    /// The comparison as TOSCA names it, without `$`: `equal`, `greater_or_equal`, `in_range`, …
    pub op: &'d str,
    /// What it is compared with; none of `exists`.
    pub operand: Option<&'d Ipld>,
}

/// What has a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TermPlace<'d> {
    /// The node.
    Node,
    /// Its capability of that name or type.
    Capability(&'d str),
    /// Any capability of it.
    AnyCapability,
    /// The capability of that name, or the node with a property of that name.
    Either(&'d str),
}

impl<'d> TermPlace<'d> {
    /// The name of the capability, where there is one.
    pub fn capability(self) -> Option<&'d str> {
        match self {
            TermPlace::Capability(name) | TermPlace::Either(name) => Some(name),
            TermPlace::Node | TermPlace::AnyCapability => None,
        }
    }
}

/// The comparisons that the versions of TOSCA define.
const COMPARISONS: [&str; 15] = [
    "equal",
    "greater_than",
    "greater_or_equal",
    "less_than",
    "less_or_equal",
    "in_range",
    "valid_values",
    "length",
    "min_length",
    "max_length",
    "pattern",
    "matches",
    "schema",
    "has_key",
    "contains",
];

/// Reads a `node_filter`. `capability` is what its requirement asks for: a path with CAPABILITY and no
/// name means that one.
pub fn conditions<'d>(filter: &'d Ipld, capability: Option<&'d str>) -> FilterCondition<'d> {
    Reader { left: TOSCA_FILTER_TERMS_MAX, capability }.clause(filter, 0)
}

struct Reader<'d> {
    left: usize,
    capability: Option<&'d str>,
}

impl<'d> Reader<'d> {
    fn clause(&mut self, clause: &'d Ipld, depth: usize) -> FilterCondition<'d> {
        if depth > TOSCA_FILTER_DEPTH_MAX {
            return FilterCondition::Unclear(format!(
                "what is deeper than {TOSCA_FILTER_DEPTH_MAX} levels"
            ));
        }
        if self.left == 0 {
            return FilterCondition::Unclear(format!(
                "what follows {TOSCA_FILTER_TERMS_MAX} conditions"
            ));
        }
        self.left -= 1;
        match clause {
            Ipld::List(clauses) => FilterCondition::All(self.clauses(clauses, depth)),
            Ipld::Map(fields) => {
                let mut all: Vec<_> =
                    fields.iter().map(|(key, value)| self.part(key, value, depth)).collect();
                match all.len() {
                    1 => all.remove(0),
                    _ => FilterCondition::All(all),
                }
            }
            _ => FilterCondition::Unclear("a clause that is no mapping".into()),
        }
    }

    fn clauses(&mut self, clauses: &'d [Ipld], depth: usize) -> Vec<FilterCondition<'d>> {
        // One more than there is room for says that there were more.
        let kept = clauses.iter().take(self.left + 1);
        kept.map(|clause| self.clause(clause, depth + 1)).collect()
    }

    fn part(&mut self, key: &'d str, value: &'d Ipld, depth: usize) -> FilterCondition<'d> {
        match (key, value) {
            ("$and", Ipld::List(clauses)) => FilterCondition::All(self.clauses(clauses, depth)),
            ("$or", Ipld::List(clauses)) => FilterCondition::Any(self.clauses(clauses, depth)),
            ("$not", clause) => FilterCondition::Not(Box::new(self.clause(clause, depth + 1))),
            ("properties", properties) => {
                FilterCondition::All(self.properties(TermPlace::Node, properties))
            }
            ("capabilities", capabilities) => FilterCondition::All(self.capabilities(capabilities)),
            _ => match key.strip_prefix('$') {
                Some(op) => self.call(op, value),
                None => FilterCondition::Unclear(format!("{key} in a filter")),
            },
        }
    }

    /// A comparison of TOSCA 2.0, such as `$equal: [{$get_property: …}, 4]`.
    fn call(&mut self, op: &'d str, arguments: &'d Ipld) -> FilterCondition<'d> {
        let unclear = |why: &str| FilterCondition::Unclear(format!("${op} {why}"));
        let Ipld::List(arguments) = arguments else {
            return unclear("without a list of arguments");
        };
        let [left, right] = arguments.as_slice() else { return unclear("without two arguments") };
        let (property, op, operand) = match (self.property(left), self.property(right)) {
            (Some(property), None) => (property, op, right),
            (None, Some(property)) => (property, turned(op), left),
            (Some(_), Some(_)) => return unclear("of two properties"),
            (None, None) => return unclear("without a property of the candidate"),
        };
        self.term(property.0, property.1, op, operand)
    }

    /// What a `$get_property` means to a filter, which looks at a candidate: `[SELF, p]`,
    /// `[SELF, CAPABILITY, p]`, `[SELF, CAPABILITY, c, p]`, each also with TARGET or the way over a
    /// relationship behind SELF, and as before 2.0 `[SELF, c, p]`.
    fn property(&self, value: &'d Ipld) -> Option<(TermPlace<'d>, Vec<Cow<'d, str>>)> {
        let ("get_property", Ipld::List(path)) = function(value)? else { return None };
        let path: Vec<Cow<'d, str>> = path.iter().map(segment).collect::<Option<_>>()?;
        let mut rest = path.get(1..)?;
        if rest.first().is_some_and(|word| word == "RELATIONSHIP") {
            rest = rest.get(2..)?;
            if rest.first().is_some_and(|index| index.parse::<u32>().is_ok()) {
                rest = &rest[1..];
            }
        }
        if rest.first().is_some_and(|word| word == "TARGET") {
            rest = &rest[1..];
        }
        let borrowed = |name: &Cow<'d, str>| match name {
            Cow::Borrowed(name) => Some(*name),
            Cow::Owned(_) => None,
        };
        Some(match rest {
            [] => return None,
            [word, property] if word == "CAPABILITY" => {
                let place = self.capability.map_or(TermPlace::AnyCapability, TermPlace::Capability);
                (place, vec![property.clone()])
            }
            [word, name, path @ ..] if word == "CAPABILITY" => {
                (TermPlace::Capability(borrowed(name)?), path.to_vec())
            }
            [property] => (TermPlace::Node, vec![property.clone()]),
            [name, path @ ..] => (TermPlace::Either(borrowed(name)?), path.to_vec()),
        })
    }

    /// `properties` of TOSCA 1: constraints by the name of the property.
    fn properties(
        &mut self,
        place: TermPlace<'d>,
        properties: &'d Ipld,
    ) -> Vec<FilterCondition<'d>> {
        let mut all = Vec::new();
        for (name, constraint) in named(Some(properties)) {
            if self.left == 0 {
                break;
            }
            self.constraint(place, name, constraint, &mut all);
        }
        all
    }

    /// `capabilities` of TOSCA 1: of each its constraints, and that it is there.
    fn capabilities(&mut self, capabilities: &'d Ipld) -> Vec<FilterCondition<'d>> {
        let mut all = Vec::new();
        for (name, body) in named(Some(capabilities)) {
            if self.left == 0 {
                break;
            }
            let place = TermPlace::Capability(name);
            match map(body).and_then(|body| body.get("properties")) {
                Some(properties) => all.extend(self.properties(place, properties)),
                None => all.push(self.present(place)),
            }
        }
        all
    }

    fn present(&mut self, place: TermPlace<'d>) -> FilterCondition<'d> {
        self.left = self.left.saturating_sub(1);
        FilterCondition::Term(FilterTerm { place, path: Vec::new(), op: "exists", operand: None })
    }

    /// A constraint, several of them, or a value that the property must have.
    fn constraint(
        &mut self,
        place: TermPlace<'d>,
        name: &'d str,
        constraint: &'d Ipld,
        all: &mut Vec<FilterCondition<'d>>,
    ) {
        let path = || vec![Cow::Borrowed(name)];
        match constraint {
            Ipld::List(several) if several.iter().all(|one| comparison(one).is_some()) => {
                for (op, operand) in several.iter().filter_map(comparison).take(self.left) {
                    all.push(self.term(place, path(), op, operand));
                }
            }
            Ipld::Map(several) if several.keys().all(|op| known(op).is_some()) => {
                for (op, operand) in several {
                    if let Some(op) = known(op) {
                        all.push(self.term(place, path(), op, operand));
                    }
                }
            }
            value => all.push(self.term(place, path(), "equal", value)),
        }
    }

    fn term(
        &mut self,
        place: TermPlace<'d>,
        path: Vec<Cow<'d, str>>,
        op: &'d str,
        operand: &'d Ipld,
    ) -> FilterCondition<'d> {
        self.left = self.left.saturating_sub(1);
        let calls = |value: &Ipld| function(value).map(|(name, _)| name.to_owned());
        let called = match operand {
            Ipld::List(items) => items.iter().find_map(calls),
            value => calls(value),
        };
        match called {
            Some(name) => FilterCondition::Unclear(format!(
                "{} {op} what {name} yields",
                path.last().map_or("", |name| name)
            )),
            None => FilterCondition::Term(FilterTerm { place, path, op, operand: Some(operand) }),
        }
    }
}

/// The comparison with its sides exchanged.
fn turned(op: &str) -> &str {
    match op {
        "greater_than" => "less_than",
        "greater_or_equal" => "less_or_equal",
        "less_than" => "greater_than",
        "less_or_equal" => "greater_or_equal",
        other => other,
    }
}

fn known(op: &str) -> Option<&str> {
    let op = op.strip_prefix('$').unwrap_or(op);
    COMPARISONS.contains(&op).then_some(op)
}

fn comparison(constraint: &Ipld) -> Option<(&str, &Ipld)> {
    let (op, operand) = only(constraint)?;
    Some((known(op)?, operand))
}

/// A part of a path: a name, or a place in a list.
fn segment(part: &Ipld) -> Option<Cow<'_, str>> {
    match part {
        Ipld::Integer(at) => Some(at.to_string().into()),
        part => text(part).map(Cow::Borrowed),
    }
}
