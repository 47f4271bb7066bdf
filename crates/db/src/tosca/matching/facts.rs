//! What one capacity answers to what is asked, each question once and only when it comes up.

use super::asked::{Asked, AskedPlace, Whose};
use super::capacity::{Capability, Capacity};
use super::lineage::{WantedName, is_capability, is_of};
use super::operand::Operand;
use optimusdb_storage::tosca::is_function;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cell::OnceCell;

/// A capacity with its answers.
pub(super) struct Facts<'c> {
    pub(super) capacity: &'c Capacity,
    asked: &'c Asked,
    types: Vec<OnceCell<bool>>,
    capabilities: Vec<OnceCell<bool>>,
    places: Vec<OnceCell<FoundValues<'c>>>,
}

/// What is in a place.
pub(super) struct FoundValues<'c> {
    /// Whether there is a capability of which the place is.
    pub(super) has_capability: bool,
    pub(super) values: Vec<FoundValue<'c>>,
}

/// A value that a capacity has in a place.
pub(super) enum FoundValue<'c> {
    Known(Operand<'c>),
    /// What a function of TOSCA yields, and so is not known.
    Computed(&'c Value),
}

impl<'c> FoundValue<'c> {
    fn of(value: &'c Value) -> FoundValue<'c> {
        let call = value.as_object().filter(|call| call.len() == 1);
        if call.is_some_and(|call| call.keys().all(|name| is_function(name))) {
            FoundValue::Computed(value)
        } else {
            FoundValue::Known(Operand::of(Cow::Borrowed(value)))
        }
    }

    pub(super) fn value(&self) -> &Value {
        match self {
            FoundValue::Known(operand) => &operand.value,
            FoundValue::Computed(value) => value,
        }
    }
}

impl<'c> Facts<'c> {
    pub(super) fn new(capacity: &'c Capacity, asked: &'c Asked) -> Facts<'c> {
        fn open<T>(count: usize) -> Vec<OnceCell<T>> {
            std::iter::repeat_with(OnceCell::new).take(count).collect()
        }
        Facts {
            capacity,
            asked,
            types: open(asked.types.len()),
            capabilities: open(asked.capabilities.len()),
            places: open(asked.places.len()),
        }
    }

    /// A type that is asked for.
    pub(super) fn wanted_type(&self, number: usize) -> &'c WantedName {
        &self.asked.types.all()[number]
    }

    /// A capability that is asked for.
    pub(super) fn wanted_capability(&self, number: usize) -> &'c WantedName {
        &self.asked.capabilities.all()[number]
    }

    /// A place where a value is looked for.
    pub(super) fn place(&self, number: usize) -> &'c AskedPlace {
        &self.asked.places.all()[number]
    }

    /// Whether it is of a type. What says of no type, as resources do, is not judged by it.
    pub(super) fn is_of(&self, number: usize) -> bool {
        *self.types[number].get_or_init(|| {
            let lineage = self.capacity.lineage.as_ref();
            lineage.is_none_or(|lineage| is_of(lineage, &self.wanted_type(number).short))
        })
    }

    /// Whether it has a capability.
    pub(super) fn has(&self, number: usize) -> bool {
        *self.capabilities[number].get_or_init(|| {
            let wanted = self.wanted_capability(number);
            self.capacity.capabilities.iter().any(|it| is_capability(it, wanted))
        })
    }

    /// What is in a place.
    pub(super) fn found(&self, number: usize) -> &FoundValues<'c> {
        self.places[number].get_or_init(|| find(self.capacity, self.place(number)))
    }
}

fn find<'c>(capacity: &'c Capacity, place: &AskedPlace) -> FoundValues<'c> {
    let meant = |it: &&Capability| match &place.whose {
        Whose::Node => false,
        Whose::AnyCapability => true,
        Whose::Capability(wanted) | Whose::Either(wanted) => is_capability(it, wanted),
    };
    let capabilities = || capacity.capabilities.iter().filter(meant);
    let has_capability = capabilities().next().is_some();
    let of_node = match &place.whose {
        Whose::Node => Some(&capacity.properties),
        Whose::Either(wanted) if !has_capability => {
            capacity.properties.get(&wanted.name).and_then(Value::as_object)
        }
        _ => None,
    };
    let maps = of_node.into_iter().chain(capabilities().map(|it| &it.properties));
    let values = maps.filter_map(|properties| at(properties, &place.path));
    FoundValues { has_capability, values: values.map(FoundValue::of).collect() }
}

fn at<'v>(properties: &'v Map<String, Value>, path: &[String]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(properties.get(first)?, |value, step| match value {
        Value::Object(fields) => fields.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}
