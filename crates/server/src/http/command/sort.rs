//! `options` as they are sent, with the order of the keys of `sort` kept.
//!
//! An object of JSON has no order here, but the keys of `sort` have one for whoever writes them: each
//! of its objects becomes objects of one key, in the order in which the keys stand. Everything else
//! is taken as it is.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value, json};

/// The value of `options`, of any shape.
#[derive(serde::Deserialize)]
#[serde(untagged)]
pub(super) enum Options {
    Object(Entries),
    Other(Value),
}

impl Options {
    pub(super) fn into_value(self) -> Value {
        match self {
            Options::Object(Entries(map)) => Value::Object(map),
            Options::Other(value) => value,
        }
    }
}

/// The options of an object.
pub(super) struct Entries(Map<String, Value>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Map::new();
                while let Some(key) = map.next_key::<String>()? {
                    let value = if key.eq_ignore_ascii_case("sort") {
                        map.next_value::<Sort>()?.into_value()
                    } else {
                        map.next_value()?
                    };
                    entries.insert(key, value);
                }
                Ok(Entries(entries))
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

/// The fields of an object as they stand. Of one that stands twice, the last counts, where the first
/// stood.
struct InOrder(Vec<(String, Value)>);

impl InOrder {
    fn into_objects(self) -> impl Iterator<Item = Value> {
        self.0.into_iter().map(|(field, direction)| json!({field: direction}))
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
                let mut fields: Vec<(String, Value)> = Vec::new();
                let mut places: HashMap<String, usize> = HashMap::new();
                while let Some((field, direction)) = map.next_entry::<String, Value>()? {
                    match places.get(&field) {
                        Some(place) => fields[*place].1 = direction,
                        None => {
                            places.insert(field.clone(), fields.len());
                            fields.push((field, direction));
                        }
                    }
                }
                Ok(InOrder(fields))
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
            (r#"{"sort": {"b": 1, "a": 1, "b": -1}}"#, json!({"sort": [{"b": -1}, {"a": 1}]})),
        ] {
            let options: Options = serde_json::from_str(sent).unwrap();
            assert_eq!(options.into_value(), taken, "{sent}");
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
            let options: Options = serde_json::from_str(&sent.to_string()).unwrap();
            assert_eq!(options.into_value(), sent);
        }
    }
}
