//! What a criteria means: the tree that the parser builds and that matching and the prefilter read.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Number, Value};

use super::compare::whole;
use super::path::Path;

/// Every operator, as an error about an unknown one lists them.
pub(super) const KNOWN: &str = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $regex, \
    $between, $and, $or, $nor, $not, $all, $size, $elemMatch, $type, $contains, $mod";

/// A condition on a document.
#[derive(Debug, Clone)]
pub(super) enum Expr {
    /// Every part holds; with no parts, always.
    All(Vec<Expr>),
    /// At least one part holds; with no parts, never.
    Any(Vec<Expr>),
    /// The part does not hold.
    Not(Box<Expr>),
    /// Every test holds for what the path reaches.
    Field(Path, Vec<Test>),
}

/// A condition on the values that a path reaches. Unless said otherwise a test holds when any of
/// those values fulfils it, or, where such a value is an array, any of its elements.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// Equal to the value. Null also holds where the path ends in nothing.
    Equal(Value),
    /// Equal to one of the set. With no values, never.
    OneOf(ValueSet),
    /// Within the bounds.
    Range(Range),
    /// A string in which the pattern is found.
    Pattern(Regex),
    /// The path reaches anything at all, null included; or, with false, it does not.
    Exists(bool),
    /// An array of this length; its elements are not looked at.
    Size(u64),
    /// An array that holds the value, or a string in which it is found; elements that are strings
    /// are not searched.
    Contains(Value),
    /// A number whose whole part leaves this remainder, which has the sign of the number.
    Mod { divisor: i128, remainder: i128 },
    /// Of one of the types.
    Type(Vec<Type>),
    /// An array of which one element fulfils it all.
    Element(Element),
    /// Not every one of these tests holds.
    Not(Vec<Test>),
}

impl Test {
    /// To ask for an `_id` above null is CouchDB's way to say that any will do.
    pub(super) fn take_null_as_below_ids(&mut self) {
        match self {
            Test::Range(Range { low: Some(low), high: None }) if low.value.is_null() => {
                *self = Test::Exists(true);
            }
            Test::Not(tests) => tests.iter_mut().for_each(Test::take_null_as_below_ids),
            _ => {}
        }
    }
}

/// Lower and upper bound; a value must be comparable with each that is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Range {
    pub(super) low: Option<Bound>,
    pub(super) high: Option<Bound>,
}

/// One end of a [`Range`].
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) value: Value,
    pub(super) inclusive: bool,
}

/// The argument of `$elemMatch`.
#[derive(Debug, Clone)]
pub(super) enum Element {
    /// Criteria on elements that are objects or arrays.
    Document(Expr),
    /// Operators on the element itself.
    Value(Vec<Test>),
}

/// The names of `$type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Number,
    /// A number without a fraction that the log keeps as an integer.
    Int,
    /// Any other number.
    Double,
    Bool,
    Object,
    Array,
    Null,
}

impl Type {
    pub(super) fn from_name(name: &str) -> Option<Type> {
        Some(match name {
            "string" => Type::String,
            "number" => Type::Number,
            "int" | "integer" | "long" => Type::Int,
            "double" | "float" => Type::Double,
            "bool" | "boolean" => Type::Bool,
            "object" => Type::Object,
            "array" => Type::Array,
            "null" => Type::Null,
            _ => return None,
        })
    }

    pub(super) fn holds(self, value: &Value) -> bool {
        match (self, value) {
            (Type::String, Value::String(_))
            | (Type::Number, Value::Number(_))
            | (Type::Bool, Value::Bool(_))
            | (Type::Object, Value::Object(_))
            | (Type::Array, Value::Array(_))
            | (Type::Null, Value::Null) => true,
            (Type::Int, Value::Number(n)) => is_int(n),
            (Type::Double, Value::Number(n)) => !is_int(n),
            _ => false,
        }
    }
}

/// The log writes whole floats up to 2^53 as integers, so a document cannot tell them apart either.
fn is_int(number: &Number) -> bool {
    number.is_i64()
        || number.is_u64()
        || whole(number).is_some_and(|whole| whole.unsigned_abs() < 1 << 53)
}

/// A set of values, arranged so that a long `$in` costs a look-up a document and not a pass over
/// the list.
#[derive(Debug, Clone, Default)]
pub(super) struct ValueSet {
    pub(super) texts: BTreeSet<String>,
    pub(super) whole: BTreeSet<i128>,
    /// Null, booleans, numbers with a fraction, arrays and objects.
    pub(super) others: Vec<Value>,
}

impl ValueSet {
    pub(super) fn new(values: Vec<Value>) -> ValueSet {
        let mut set = ValueSet::default();
        for value in values {
            match value {
                Value::String(text) => {
                    set.texts.insert(text);
                }
                Value::Number(number) => match whole(&number) {
                    Some(whole) => {
                        set.whole.insert(whole);
                    }
                    None => set.others.push(Value::Number(number)),
                },
                other => set.others.push(other),
            }
        }
        set
    }
}
