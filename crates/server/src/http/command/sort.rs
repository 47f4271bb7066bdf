//! `options` as they are sent, with the order of the keys of `sort` kept.
//!
//! An object of JSON has no order here, but its author means the keys of `sort` in theirs: each
//! of its objects becomes objects of one key, in the order in which the keys stand. Everything else
//! is taken as it is.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value, json};

/// The value of `options`, of any shape.
#[derive(serde::Deserialize)]
#[serde(untagged)]
pub(super) enum SortedOptions {
    Object(Entries),
    Other(Value),
}

impl SortedOptions {
    /// The value, and an option that is there twice, or a field in an object of `sort`.
    pub(super) fn into_value(self) -> (Value, Option<String>) {
        match self {
            SortedOptions::Object(Entries { options, twice }) => (Value::Object(options), twice),
            SortedOptions::Other(value) => (value, None),
        }
    }
}

/// The options of an object.
pub(super) struct Entries {
    options: Map<String, Value>,
    twice: Option<String>,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Entries { options: Map::new(), twice: None };
                while let Some(key) = map.next_key::<String>()? {
                    let value = if key.eq_ignore_ascii_case("sort") {
                        let sort = map.next_value::<Sort>()?;
                        entries.twice = entries.twice.or(sort.twice().map(str::to_owned));
                        sort.into_value()
                    } else {
                        map.next_value()?
                    };
                    if entries.options.contains_key(&key) {
                        entries.twice = Some(key.clone());
                    }
                    entries.options.insert(key, value);
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}

/// The value of `sort`.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Sort {
    Object(InOrder),
    List(Vec<Item>),
    Other(Value),
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Item {
    Object(InOrder),
    Other(Value),
}

impl Sort {
    /// A field that stands twice in an object.
    fn twice(&self) -> Option<&str> {
        match self {
            Sort::Object(fields) => fields.twice.as_deref(),
            Sort::List(items) => items.iter().find_map(|item| match item {
                Item::Object(fields) => fields.twice.as_deref(),
                Item::Other(_) => None,
            }),
            Sort::Other(_) => None,
        }
    }

    fn into_value(self) -> Value {
        match self {
            Sort::Object(fields) => Value::Array(fields.into_objects().collect()),
            Sort::List(items) => {
                let mut all = Vec::with_capacity(items.len());
                for item in items {
                    match item {
                        Item::Object(fields) => all.extend(fields.into_objects()),
                        Item::Other(value) => all.push(value),
                    }
                }
                Value::Array(all)
            }
            Sort::Other(value) => value,
        }
    }
}

/// The fields of an object as they stand.
struct InOrder {
    fields: Vec<(String, Value)>,
    twice: Option<String>,
}

impl InOrder {
    fn into_objects(self) -> impl Iterator<Item = Value> {
        self.fields.into_iter().map(|(field, direction)| json!({field: direction}))
    }
}

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrderVisitor;

        impl<'de> Visitor<'de> for InOrderVisitor {
            type Value = InOrder;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
                let mut order = InOrder { fields: Vec::new(), twice: None };
                let mut known = HashSet::new();
                while let Some((field, direction)) = map.next_entry::<String, Value>()? {
                    if !known.insert(field.clone()) {
                        order.twice = Some(field.clone());
                    }
                    order.fields.push((field, direction));
                }
                Ok(order)
            }
        }

        deserializer.deserialize_map(InOrderVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_sort_keep_their_order() {
        for (sent, taken) in [
            (
                r#"{"Sort": {"status": 1, "cpu": -1}, "limit": 5}"#,
                json!({"Sort": [{"status": 1}, {"cpu": -1}], "limit": 5}),
            ),
            (
                r#"{"sort": [{"b": 1, "a": "desc"}, {"_id": -1}]}"#,
                json!({"sort": [{"b": 1}, {"a": "desc"}, {"_id": -1}]}),
            ),
        ] {
            let options: SortedOptions = serde_json::from_str(sent).unwrap();
            assert_eq!(options.into_value(), (taken, None), "{sent}");
        }
    }

    #[test]
    fn what_is_there_twice_is_named() {
        for (sent, key) in [
            (r#"{"limit": 0, "limit": 9}"#, "limit"),
            (r#"{"sort": {"b": 1, "a": 1, "b": -1}}"#, "b"),
            (r#"{"sort": [{"c": 1}, {"a": 1, "a": 1}], "limit": 1}"#, "a"),
        ] {
            let options: SortedOptions = serde_json::from_str(sent).unwrap();
            assert_eq!(options.into_value().1.as_deref(), Some(key), "{sent}");
        }
    }

    #[test]
    fn everything_else_is_taken_as_it_is() {
        for sent in [
            json!(null),
            json!({}),
            json!([{"sort": {"b": 1}}]),
            json!("x"),
            json!({"sort": "b"}),
            json!({"sort": null, "limit": u64::MAX, "skip": 1.5, "f": {"sort": {"b": 1, "a": 1}}}),
            json!({"sort": [["a", 1], 5, null]}),
        ] {
            let options: SortedOptions = serde_json::from_str(&sent.to_string()).unwrap();
            assert_eq!(options.into_value(), (sent, None));
        }
    }
}
