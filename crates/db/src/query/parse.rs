//! From the JSON of a criteria to its tree.
//!
//! One pass, one level of recursion per level of nesting, and a count of what was read: an
//! expression over a limit is refused by the name of that limit before it can cost anything at a
//! document.
//!
//! A key that starts with `$` is an operator or a mistake, never a value by accident: a negation of
//! what no document holds would match them all. Only the argument of `$eq` is taken as it stands.

use regex::Regex;
use serde_json::{Map, Value};

use super::compare::whole;
use super::operators::{Bound, Element, Expr, KNOWN, Range, Test, Type, ValueSet};
use super::path::Path;
use super::pattern;
use super::refusals::{invalid, wrong};
use crate::Error;
use crate::limits::{CRITERIA_DEPTH_MAX, CRITERIA_NODES_MAX, CRITERIA_REGEXES_MAX};

/// What has been read of one criteria so far.
#[derive(Default)]
pub(super) struct Parser {
    nodes: usize,
    regexes: usize,
}

impl Parser {
    /// One criteria object: its keys are joined by AND.
    pub(super) fn criteria(
        &mut self,
        object: &Map<String, Value>,
        depth: usize,
    ) -> Result<Expr, Error> {
        self.enter(depth)?;
        let mut parts = Vec::with_capacity(object.len());
        for (key, value) in object {
            self.count()?;
            parts.push(match key.as_str() {
                "$and" => Expr::All(self.branches(key, value, depth)?),
                "$or" => Expr::Any(self.branches(key, value, depth)?),
                "$nor" => Expr::Not(Box::new(Expr::Any(self.branches(key, value, depth)?))),
                "$not" => match value {
                    Value::Object(inner) => Expr::Not(Box::new(self.criteria(inner, depth + 1)?)),
                    _ => return Err(wrong("$not", "a criteria object", value)),
                },
                name if is_known(name) => {
                    return Err(invalid(format!(
                        "operator '{name}' needs a field: {{\"field\": {{\"{name}\": ...}}}}"
                    )));
                }
                name if name.starts_with('$') => return Err(unknown(name)),
                name => {
                    let mut tests = self.tests_of(value, depth)?;
                    if name == "_id" {
                        tests.iter_mut().for_each(Test::take_null_as_below_ids);
                    }
                    Expr::Field(Path::new(name)?, tests)
                }
            });
        }
        Ok(Expr::All(parts))
    }

    /// The argument of `$and`, `$or` and `$nor`: criteria objects, or a single one.
    fn branches(&mut self, name: &str, value: &Value, depth: usize) -> Result<Vec<Expr>, Error> {
        let expected = "an array of criteria objects";
        let items = match value {
            Value::Array(items) if items.is_empty() => {
                return Err(invalid(format!("{name} needs at least one criteria object")));
            }
            Value::Array(items) => items.as_slice(),
            Value::Object(_) => std::slice::from_ref(value),
            _ => return Err(wrong(name, expected, value)),
        };
        let mut parts = Vec::with_capacity(items.len());
        for item in items {
            let Value::Object(object) = item else { return Err(wrong(name, expected, item)) };
            self.count()?;
            parts.push(self.criteria(object, depth + 1)?);
        }
        Ok(parts)
    }

    /// What a field is compared with: a plain value, or an object of operators.
    fn tests_of(&mut self, value: &Value, depth: usize) -> Result<Vec<Test>, Error> {
        match value {
            Value::Object(object) if is_operators(object)? => self.tests(object, depth + 1),
            _ => Ok(vec![Test::Equal(self.plain(value, depth + 1)?)]),
        }
    }

    /// An object of operators, joined by AND.
    fn tests(&mut self, object: &Map<String, Value>, depth: usize) -> Result<Vec<Test>, Error> {
        self.enter(depth)?;
        let mut tests = Vec::with_capacity(object.len());
        for (name, operand) in object {
            self.count()?;
            match name.as_str() {
                "$all" => self.all(operand, depth, &mut tests)?,
                "$regex" => tests.push(Test::Pattern(self.regex(operand, object.get("$options"))?)),
                "$options" if object.contains_key("$regex") => {}
                "$options" => return Err(invalid("$options needs a $regex beside it")),
                "$and" | "$or" | "$nor" => {
                    return Err(invalid(format!(
                        "operator '{name}' joins criteria objects and cannot stand under a field"
                    )));
                }
                name => tests.push(self.test(name, operand, depth)?),
            }
        }
        Ok(tests)
    }

    fn test(&mut self, name: &str, operand: &Value, depth: usize) -> Result<Test, Error> {
        let below = depth + 1;
        Ok(match name {
            "$eq" => Test::Equal(self.literal(operand, below)?),
            "$ne" => Test::Not(vec![Test::Equal(self.plain(operand, below)?)]),
            "$in" => Test::OneOf(ValueSet::new(self.operands(name, operand, below)?)),
            "$nin" => {
                Test::Not(vec![Test::OneOf(ValueSet::new(self.operands(name, operand, below)?))])
            }
            "$contains" => Test::Contains(self.plain(operand, below)?),
            "$mod" => modulo(operand)?,
            "$gt" | "$gte" => Test::Range(Range {
                low: Some(self.bound(operand, name == "$gte", below)?),
                high: None,
            }),
            "$lt" | "$lte" => Test::Range(Range {
                low: None,
                high: Some(self.bound(operand, name == "$lte", below)?),
            }),
            "$between" => match operand.as_array().map(Vec::as_slice) {
                Some([low, high]) => Test::Range(Range {
                    low: Some(self.bound(low, true, below)?),
                    high: Some(self.bound(high, true, below)?),
                }),
                _ => return Err(wrong(name, "an array of two values, [low, high]", operand)),
            },
            "$exists" => match operand {
                Value::Bool(wanted) => Test::Exists(*wanted),
                Value::Number(n) if n.as_u64().is_some_and(|n| n < 2) => {
                    Test::Exists(n.as_u64() == Some(1))
                }
                _ => return Err(wrong(name, "true or false", operand)),
            },
            "$size" => match operand.as_number().and_then(whole) {
                Some(size) if (0..=i128::from(u64::MAX)).contains(&size) => Test::Size(size as u64),
                _ => return Err(wrong(name, "a number of elements", operand)),
            },
            "$type" => Test::Type(types(operand)?),
            "$elemMatch" => self.element(operand, depth)?,
            "$not" => match operand {
                Value::Object(object) if is_operators(object)? => {
                    Test::Not(self.tests(object, below)?)
                }
                _ => return Err(wrong("$not under a field", "an object of operators", operand)),
            },
            name => return Err(unknown(name)),
        })
    }

    /// `$all` is one equality per value, so that the values of a fan-out may lie in different
    /// elements.
    fn all(&mut self, operand: &Value, depth: usize, tests: &mut Vec<Test>) -> Result<(), Error> {
        let Value::Array(items) = operand else { return Err(wrong("$all", "an array", operand)) };
        if items.is_empty() {
            tests.push(Test::OneOf(ValueSet::default()));
        }
        for item in items {
            match item {
                Value::Object(object) if object.len() == 1 && object.contains_key("$elemMatch") => {
                    self.count()?;
                    tests.push(self.element(&object["$elemMatch"], depth + 1)?);
                }
                _ => tests.push(Test::Equal(self.plain(item, depth + 1)?)),
            }
        }
        Ok(())
    }

    fn element(&mut self, operand: &Value, depth: usize) -> Result<Test, Error> {
        let Value::Object(object) = operand else {
            return Err(wrong(
                "$elemMatch",
                "a criteria object or an object of operators",
                operand,
            ));
        };
        let joins = object.keys().any(|key| matches!(key.as_str(), "$and" | "$or" | "$nor"));
        Ok(Test::Element(if !joins && is_operators(object)? {
            Element::Value(self.tests(object, depth + 1)?)
        } else {
            Element::Document(self.criteria(object, depth + 1)?)
        }))
    }

    fn regex(&mut self, pattern: &Value, options: Option<&Value>) -> Result<Regex, Error> {
        self.regexes += 1;
        if self.regexes > CRITERIA_REGEXES_MAX {
            return Err(invalid(format!(
                "criteria hold more than {CRITERIA_REGEXES_MAX} patterns (CRITERIA_REGEXES_MAX)"
            )));
        }
        pattern::compile(pattern, options)
    }

    fn bound(&mut self, value: &Value, inclusive: bool, depth: usize) -> Result<Bound, Error> {
        Ok(Bound { value: self.plain(value, depth)?, inclusive })
    }

    fn operands(&mut self, name: &str, value: &Value, depth: usize) -> Result<Vec<Value>, Error> {
        let Value::Array(items) = value else { return Err(wrong(name, "an array", value)) };
        items.iter().map(|item| self.plain(item, depth + 1)).collect()
    }

    /// A value to compare with, counted before it is copied, in which no key starts with `$`.
    fn plain(&mut self, value: &Value, depth: usize) -> Result<Value, Error> {
        self.measure(value, depth, false)?;
        Ok(value.clone())
    }

    /// The same for a value that may hold any keys.
    fn literal(&mut self, value: &Value, depth: usize) -> Result<Value, Error> {
        self.measure(value, depth, true)?;
        Ok(value.clone())
    }

    fn measure(&mut self, value: &Value, depth: usize, literal: bool) -> Result<(), Error> {
        self.count()?;
        match value {
            Value::Array(items) => {
                self.enter(depth)?;
                items.iter().try_for_each(|item| self.measure(item, depth + 1, literal))
            }
            Value::Object(map) => {
                self.enter(depth)?;
                match map.keys().find(|key| key.starts_with('$')) {
                    Some(key) if !literal => Err(misplaced(key)),
                    _ => map.values().try_for_each(|item| self.measure(item, depth + 1, literal)),
                }
            }
            _ => Ok(()),
        }
    }

    fn enter(&self, depth: usize) -> Result<(), Error> {
        if depth <= CRITERIA_DEPTH_MAX {
            return Ok(());
        }
        Err(invalid(format!(
            "criteria nest deeper than {CRITERIA_DEPTH_MAX} levels (CRITERIA_DEPTH_MAX)"
        )))
    }

    fn count(&mut self) -> Result<(), Error> {
        self.nodes += 1;
        if self.nodes <= CRITERIA_NODES_MAX {
            return Ok(());
        }
        Err(invalid(format!(
            "criteria hold more than {CRITERIA_NODES_MAX} fields, operators and values \
             (CRITERIA_NODES_MAX)"
        )))
    }
}

/// Whether an object holds operators; an empty one is a value. Half and half is a mistake.
fn is_operators(object: &Map<String, Value>) -> Result<bool, Error> {
    let operator = object.keys().find(|key| key.starts_with('$'));
    let plain = object.keys().find(|key| !key.starts_with('$'));
    match (operator, plain) {
        (Some(operator), Some(plain)) if is_known(operator) => Err(invalid(format!(
            "operator '{operator}' and plain key '{plain}' cannot stand in one object"
        ))),
        (Some(operator), Some(_)) => Err(unknown(operator)),
        (Some(_), None) => Ok(true),
        (None, _) => Ok(false),
    }
}

fn types(operand: &Value) -> Result<Vec<Type>, Error> {
    let names = match operand {
        Value::Array(names) if !names.is_empty() => names.as_slice(),
        _ => std::slice::from_ref(operand),
    };
    names
        .iter()
        .map(|name| {
            name.as_str().and_then(Type::from_name).ok_or_else(|| {
                wrong(
                    "$type",
                    "one of string, number, int, double, bool, object, array, null",
                    name,
                )
            })
        })
        .collect()
}

fn is_known(name: &str) -> bool {
    KNOWN.split(", ").any(|known| known == name)
}

/// The argument of `$mod`.
fn modulo(operand: &Value) -> Result<Test, Error> {
    let expected = "an array of two whole numbers, [divisor, remainder], the divisor not 0";
    let whole = |value: &Value| value.as_number().and_then(whole);
    match operand.as_array().map(Vec::as_slice) {
        Some([divisor, remainder]) => match (whole(divisor), whole(remainder)) {
            (Some(divisor), Some(remainder)) if divisor != 0 => {
                Ok(Test::Mod { divisor, remainder })
            }
            _ => Err(wrong("$mod", expected, operand)),
        },
        _ => Err(wrong("$mod", expected, operand)),
    }
}

/// A key that looks like an operator where a value stands.
fn misplaced(key: &str) -> Error {
    let key = key.escape_debug();
    invalid(format!(
        "'{key}' stands inside a value, where it is no operator; name the field by its path, as in \
         {{\"field.{key}\": …}}, or write {{\"$eq\": …}} to mean the value as it stands"
    ))
}

fn unknown(name: &str) -> Error {
    if name == "$text" {
        return Error::NotBuilt("operator '$text' is not in this version".into());
    }
    invalid(format!("unknown operator '{}'; known operators: {KNOWN}", name.escape_debug()))
}
