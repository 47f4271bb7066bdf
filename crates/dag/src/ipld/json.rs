//! Links in dag-json: `{"/":"bafy…"}`.
//!
//! The parser goes no deeper than 128 levels and is given nothing to keep.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::Step;
use crate::{Cid, Error};

/// The one key of a link, and of bytes.
const LINK_KEY: &str = "/";

pub(super) fn links(block: &[u8]) -> Result<Vec<Cid>, Error> {
    let mut found = Vec::new();
    read(block, Walk { names: None, used: 0, found: &mut found })?;
    Ok(found)
}

pub(super) fn follow(block: &[u8], names: &[String]) -> Result<Step, Error> {
    read(block, Walk { names: Some(names), used: 0, found: &mut Vec::new() })
}

fn read(block: &[u8], walk: Walk<'_>) -> Result<Step, Error> {
    let mut json = serde_json::Deserializer::from_slice(block);
    let step = walk.deserialize(&mut json).map_err(|_| Error::DagJson)?;
    json.end().map_err(|_| Error::DagJson)?;
    Ok(step)
}

/// A walk over one value: along names, or everywhere.
struct Walk<'w> {
    /// What is left of the path; none where every link is looked for.
    names: Option<&'w [String]>,
    used: usize,
    found: &'w mut Vec<Cid>,
}

impl Walk<'_> {
    /// Where a value leads that holds no others.
    fn at_leaf(&self) -> Step {
        if self.names.is_none_or(<[String]>::is_empty) {
            Step::Inside
        } else {
            Step::Missing(self.used)
        }
    }

    /// The walk of a part that is named `name`, unless the path leads elsewhere.
    fn below(&mut self, name: &str) -> Option<Walk<'_>> {
        let names = match self.names {
            None => None,
            Some([first, rest @ ..]) if first == name => Some(rest),
            Some(_) => return None,
        };
        Some(Walk { names, used: self.used + 1, found: self.found })
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Step;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Step, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Step;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Step, E> {
        Ok(self.at_leaf())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Step, E> {
        Ok(self.at_leaf())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Step, E> {
        Ok(self.at_leaf())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Step, E> {
        Ok(self.at_leaf())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Step, E> {
        Ok(self.at_leaf())
    }

    fn visit_str<E>(self, _: &str) -> Result<Step, E> {
        Ok(self.at_leaf())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Step, A::Error> {
        let mut step = None;
        for index in 0_usize.. {
            let name = if self.names.is_some() { index.to_string() } else { String::new() };
            let more = match self.below(&name) {
                Some(walk) => items.next_element_seed(walk)?.map(|led| step = Some(led)),
                None => items.next_element::<IgnoredAny>()?.map(|_| ()),
            };
            if more.is_none() {
                break;
            }
        }
        Ok(step.unwrap_or_else(|| self.at_leaf()))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Step, A::Error> {
        let (mut step, mut link, mut count) = (None, None, 0_usize);
        while let Some(key) = entries.next_key::<String>()? {
            count += 1;
            if key == LINK_KEY && count == 1 {
                link = entries.next_value_seed(LinkText(self.found))?;
                continue;
            }
            match self.below(&key) {
                Some(walk) => step = Some(entries.next_value_seed(walk)?),
                None => entries.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        let Some(text) = link.filter(|_| count == 1) else {
            return Ok(step.unwrap_or_else(|| self.at_leaf()));
        };
        let cid: Cid = text.parse().map_err(|_| A::Error::custom("a link is no address"))?;
        if self.names.is_none() {
            self.found.push(cid);
            return Ok(Step::Inside);
        }
        Ok(Step::Link(cid, self.used))
    }
}

/// What stands under the key of links: the text of one, or bytes, in which there are none.
struct LinkText<'w>(&'w mut Vec<Cid>);

impl<'de> DeserializeSeed<'de> for LinkText<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LinkText<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a link, or bytes")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while let Some(_key) = entries.next_key::<String>()? {
            entries.next_value_seed(Walk { names: None, used: 0, found: self.0 })?;
        }
        Ok(None)
    }
}
