//! A value of the log as JSON text, for the index.
//!
//! Numbers, text, lists and maps are what they look like. JSON has no bytes and no links; they are
//! written as DAG-JSON writes them: `{"/":{"bytes":"<base64>"}}` and `{"/":"<cid>"}`. How deep a
//! value nests was bounded when it was decoded.

use crate::error::Error;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use optimusdb_dag::Ipld;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// `value` as JSON text, map keys in the order of the log.
pub(crate) fn json_text(value: &Ipld) -> Result<String, Error> {
    text(&Json(value))
}

/// A document with its key as `_id`, whatever its writer put there: of what others write that alone is
/// changed, so that a look-up by `_id`, a scan and SQL tell the same.
pub(crate) fn document_text(key: &str, document: &Ipld) -> Result<String, Error> {
    match document {
        Ipld::Map(fields) if fields.get("_id") != Some(&Ipld::String(key.to_owned())) => {
            let mut fields = fields.clone();
            fields.insert("_id".to_owned(), Ipld::String(key.to_owned()));
            json_text(&Ipld::Map(fields))
        }
        document => json_text(document),
    }
}

/// `{"_id":…,"value":…}`: a value that is no document by itself, as one.
pub(crate) fn pair_text(id: &str, value: &Ipld) -> Result<String, Error> {
    text(&Pair(id, value))
}

fn text(json: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(json)
        .map_err(|e| Error::Corrupt(format!("a value cannot be written as JSON: {e}")))
}

struct Pair<'a>(&'a str, &'a Ipld);

impl Serialize for Pair<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(Some(2))?;
        map.serialize_entry("_id", self.0)?;
        map.serialize_entry("value", &Json(self.1))?;
        map.end()
    }
}

struct Json<'a>(&'a Ipld);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Ipld::Null => out.serialize_unit(),
            Ipld::Bool(b) => out.serialize_bool(*b),
            Ipld::Integer(n) => out.serialize_i128(*n),
            Ipld::Float(x) => out.serialize_f64(*x),
            Ipld::String(text) => out.serialize_str(text),
            Ipld::Bytes(bytes) => one(out, "/", &Bytes(bytes)),
            Ipld::Link(cid) => one(out, "/", &cid.to_string()),
            Ipld::List(items) => out.collect_seq(items.iter().map(Json)),
            Ipld::Map(fields) => out.collect_map(fields.iter().map(|(name, v)| (name, Json(v)))),
        }
    }
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        one(out, "bytes", &STANDARD_NO_PAD.encode(self.0))
    }
}

fn one<S: Serializer>(out: S, name: &str, value: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut map = out.serialize_map(Some(1))?;
    map.serialize_entry(name, value)?;
    map.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_its_key_as_id() {
        let document = |id: Option<Ipld>| {
            let fields = [("n".to_owned(), Ipld::Integer(1))].into_iter();
            Ipld::Map(fields.chain(id.map(|id| ("_id".to_owned(), id))).collect())
        };
        for id in [None, Some(Ipld::Integer(7)), Some(Ipld::String("other".into()))] {
            assert_eq!(document_text("k", &document(id)).unwrap(), r#"{"_id":"k","n":1}"#);
        }
        let own = document(Some(Ipld::String("k".into())));
        assert_eq!(document_text("k", &own).unwrap(), json_text(&own).unwrap());
    }

    #[test]
    fn every_kind_of_value() {
        for (value, text) in [
            (Ipld::Null, "null"),
            (Ipld::Integer((1 << 64) - 1), "18446744073709551615"),
            (Ipld::Integer(-(1 << 63)), "-9223372036854775808"),
            (Ipld::Float(0.1), "0.1"),
            (Ipld::String("a\"\n\u{0}é".into()), "\"a\\\"\\n\\u0000é\""),
            (Ipld::Bytes(b"fo".to_vec()), r#"{"/":{"bytes":"Zm8"}}"#),
            (Ipld::List(vec![Ipld::Bool(true)]), "[true]"),
        ] {
            assert_eq!(json_text(&value).unwrap(), text);
        }
    }
}
