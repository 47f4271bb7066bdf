//! A value made ready to be compared: what it is an amount of is read once, however often it is
//! compared.

use super::quantity::Quantity;
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

/// A side of a comparison.
#[derive(Debug)]
pub(super) struct Operand<'v> {
    pub(super) value: Cow<'v, Value>,
    quantity: Option<Quantity>,
    /// Text of numbers with points between, such as versions.
    version: Option<Vec<u64>>,
}

impl<'v> Operand<'v> {
    pub(super) fn of(value: Cow<'v, Value>) -> Operand<'v> {
        let quantity = Quantity::of(&value);
        let version = match &*value {
            Value::String(text) if quantity.is_none_or(Quantity::is_number) => version(text),
            _ => None,
        };
        Operand { value, quantity, version }
    }

    /// How it stands to another: amounts as amounts, text that is versions part by part.
    pub(super) fn compare(&self, other: &Operand<'_>) -> Option<Ordering> {
        if let (Value::String(a), Value::String(b)) = (&*self.value, &*other.value)
            && self.is_bare()
            && other.is_bare()
        {
            return if a == b {
                Some(Ordering::Equal)
            } else {
                Some(self.version.as_ref()?.cmp(other.version.as_ref()?))
            };
        }
        match (self.quantity, other.quantity) {
            (Some(a), Some(b)) => a.compare(b),
            _ => (self.value == other.value).then_some(Ordering::Equal),
        }
    }

    /// Whether it is no amount with a unit.
    fn is_bare(&self) -> bool {
        self.quantity.is_none_or(Quantity::is_number)
    }
}

fn version(text: &str) -> Option<Vec<u64>> {
    text.split('.').map(|part| part.parse().ok()).collect()
}
