//! JSON in which no object may have a key twice.
//!
//! A JSON parser keeps the last of two equal keys, so a request that says two things would be taken to
//! say one. Documents are kept that way, as INTERFACE says; what tells the node what to do is not.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A value, and a key that stands twice in one object of it, at any depth.
#[derive(Debug, Default)]
pub(super) struct Once {
    /// The value, with the last of equal keys.
    pub(super) value: Value,
    /// The first such key.
    pub(super) twice: Option<String>,
}

impl Once {
    fn of(value: impl Into<Value>) -> Once {
        Once { value: value.into(), twice: None }
    }
}

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Once;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once::default())
    }

    fn visit_bool<E>(self, value: bool) -> Result<Once, E> {
        Ok(Once::of(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Once, E> {
        Ok(Once::of(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Once, E> {
        Ok(Once::of(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Once, E> {
        Ok(Once::of(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Once, E> {
        Ok(Once::of(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Once, E> {
        Ok(Once::of(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Once, A::Error> {
        let (mut list, mut twice) = (Vec::new(), None);
        while let Some(item) = items.next_element::<Once>()? {
            twice = twice.or(item.twice);
            list.push(item.value);
        }
        Ok(Once { value: Value::Array(list), twice })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Once, A::Error> {
        let (mut object, mut twice) = (Map::new(), None);
        while let Some((key, inner)) = entries.next_entry::<String, Once>()? {
            twice = twice.or(inner.twice);
            if twice.is_none() && object.contains_key(&key) {
                twice = Some(key.clone());
            }
            object.insert(key, inner.value);
        }
        Ok(Once { value: Value::Object(object), twice })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_it_is_otherwise() {
        for text in [
            "null",
            "true",
            "-3",
            "18446744073709551615",
            "1.7976931348623157e308",
            "0.1",
            r#""a\u0000\"""#,
            r#"{"a":[{"b":{}},[],"c"],"":null}"#,
        ] {
            let once: Once = serde_json::from_str(text).unwrap();
            assert_eq!(once.value, serde_json::from_str::<Value>(text).unwrap(), "{text}");
            assert_eq!(once.twice, None, "{text}");
        }
        assert!(serde_json::from_str::<Once>("{\"a\":}").is_err());
        assert!(serde_json::from_str::<Once>(&"[".repeat(10_000)).is_err());
    }

    #[test]
    fn a_key_that_stands_twice_is_named_at_any_depth() {
        for (text, key) in [
            (r#"{"a":1,"a":1}"#, "a"),
            (r#"[1,{"x":{"b":1,"c":2,"b":3}}]"#, "b"),
            (r#"{"a":{"d":1,"d":2},"a":1}"#, "d"),
        ] {
            assert_eq!(serde_json::from_str::<Once>(text).unwrap().twice.as_deref(), Some(key));
        }
    }
}
