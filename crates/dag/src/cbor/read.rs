//! Reading canonical DAG-CBOR.
//!
//! The reader accepts exactly the bytes a canonical writer produces (and that
//! JavaScript would produce again from the decoded value), so "decodes" and
//! "re-encodes to the same bytes" are one thing and need no second pass.

use std::collections::BTreeMap;

use ipld_core::cid::Cid as Link;
use ipld_core::ipld::Ipld;

use super::{
    BYTES, LIST, MAP, NEGATIVE, PROTO, SIMPLE, TAG, TAG_LINK, TEXT, UINT, deeper, is_integral,
};
use crate::Error;
use crate::limits::VALUE_ITEMS_MAX;

/// Reads canonical DAG-CBOR from a slice.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    items_left: usize,
    /// Whether values are taken that JavaScript would write otherwise, or cannot hold.
    foreign: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0, items_left: VALUE_ITEMS_MAX, foreign: false }
    }

    /// Reads what others wrote for others: whole floats, and keys of any name in any order, are fine.
    pub(crate) fn foreign(bytes: &'a [u8]) -> Reader<'a> {
        Reader { foreign: true, ..Reader::new(bytes) }
    }

    /// Bytes read so far.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn end(&self) -> Result<(), Error> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(Error::Trailing) }
    }

    /// Reads a head: its major type and number. For `SIMPLE` the number is the
    /// five low bits as they are.
    pub(crate) fn head(&mut self) -> Result<(u8, u64), Error> {
        let first = *self.take(1)?.first().expect("invariant: one byte was taken");
        let (major, low) = (first >> 5, first & 0x1f);
        if major == SIMPLE {
            return Ok((major, u64::from(low)));
        }
        let (number, floor) = match low {
            0..=23 => return Ok((major, u64::from(low))),
            24 => (u64::from(self.take(1)?[0]), 24),
            25 => (self.number(2)?, 0x100),
            26 => (self.number(4)?, 0x1_0000),
            27 => (self.number(8)?, 0x1_0000_0000),
            31 => return Err(Error::Indefinite),
            _ => return Err(Error::Simple(first)),
        };
        if number < floor { Err(Error::NotMinimal) } else { Ok((major, number)) }
    }

    fn number(&mut self, width: usize) -> Result<u64, Error> {
        Ok(self.take(width)?.iter().fold(0, |n, byte| (n << 8) | u64::from(*byte)))
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let end = self
            .at
            .checked_add(n)
            .filter(|end| *end <= self.bytes.len())
            .ok_or(Error::Truncated)?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn take_long(&mut self, n: u64) -> Result<&'a [u8], Error> {
        self.take(usize::try_from(n).map_err(|_| Error::Truncated)?)
    }

    pub(crate) fn text_of(&mut self, n: u64) -> Result<&'a str, Error> {
        std::str::from_utf8(self.take_long(n)?).map_err(|_| Error::NotUtf8)
    }

    /// Reads a head of the given major type, for the field named `what`.
    fn expect(&mut self, wanted: u8, what: &'static str) -> Result<u64, Error> {
        match self.head()? {
            (major, number) if major == wanted => Ok(number),
            _ => Err(Error::FieldSort(what)),
        }
    }

    pub(crate) fn uint(&mut self, what: &'static str) -> Result<u64, Error> {
        self.expect(UINT, what)
    }

    pub(crate) fn text(&mut self, what: &'static str) -> Result<&'a str, Error> {
        let n = self.expect(TEXT, what)?;
        self.text_of(n)
    }

    pub(crate) fn list(&mut self, what: &'static str) -> Result<u64, Error> {
        self.expect(LIST, what)
    }

    /// Begins a map with known fields, which are then read in canonical order.
    pub(crate) fn fields(&mut self, what: &'static str) -> Result<Fields, Error> {
        let left = self.expect(MAP, what)?;
        Ok(Fields { left, what, last: None })
    }

    /// Reads any value into a tree.
    pub(crate) fn value(&mut self) -> Result<Ipld, Error> {
        self.walk::<Whole>(0)
    }

    /// Reads any value and keeps nothing of it. Accepts what [`Reader::value`] accepts.
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        self.walk::<Nothing>(0)
    }

    /// Recursion ends at `VALUE_DEPTH_MAX`.
    pub(crate) fn walk<M: Make>(&mut self, depth: usize) -> Result<M, Error> {
        self.items_left = self.items_left.checked_sub(1).ok_or(Error::TooManyItems)?;
        let (major, number) = self.head()?;
        Ok(match major {
            UINT => M::scalar(Scalar::Integer(i128::from(number))),
            NEGATIVE => M::scalar(Scalar::Integer(-1 - i128::from(number))),
            BYTES => M::scalar(Scalar::Bytes(self.take_long(number)?)),
            TEXT => M::scalar(Scalar::Text(self.text_of(number)?)),
            LIST => {
                let depth = deeper(depth)?;
                let mut list = M::List::default();
                for _ in 0..number {
                    M::push(&mut list, self.walk(depth)?);
                }
                M::list(list)
            }
            MAP => {
                let depth = deeper(depth)?;
                let mut map = M::Map::default();
                let mut last = None;
                for _ in 0..number {
                    let key = self.key(&mut last)?;
                    M::insert(&mut map, key, self.walk(depth)?);
                }
                M::map(map)
            }
            TAG => M::scalar(Scalar::Link(self.link(number)?)),
            _ => M::scalar(self.simple(number as u8)?),
        })
    }

    fn key(&mut self, last: &mut Option<&'a str>) -> Result<&'a str, Error> {
        let (TEXT, n) = self.head()? else { return Err(Error::KeyNotText) };
        let key = self.text_of(n)?;
        if let Some(last) = last {
            match (last.len(), *last).cmp(&(key.len(), key)) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Err(Error::KeyRepeated),
                std::cmp::Ordering::Greater if self.foreign => {}
                std::cmp::Ordering::Greater => return Err(Error::KeyOrder),
            }
        }
        if key == PROTO && !self.foreign {
            return Err(Error::KeyProto);
        }
        *last = Some(key);
        Ok(key)
    }

    pub(crate) fn link(&mut self, tag: u64) -> Result<Link, Error> {
        if tag != TAG_LINK {
            return Err(Error::Tag(tag));
        }
        let (BYTES, n) = self.head()? else { return Err(Error::Link) };
        let bytes = self.take_long(n)?.strip_prefix(&[0]).ok_or(Error::Link)?;
        let link = Link::try_from(bytes).map_err(|_| Error::Link)?;
        // The parser overlooks what follows an address and numbers that are too long.
        if link.to_bytes() == bytes { Ok(link) } else { Err(Error::Link) }
    }

    fn simple(&mut self, low: u8) -> Result<Scalar<'a>, Error> {
        match low {
            20 => Ok(Scalar::Bool(false)),
            21 => Ok(Scalar::Bool(true)),
            22 => Ok(Scalar::Null),
            25 | 26 => Err(Error::FloatWidth),
            27 => match f64::from_bits(self.number(8)?) {
                float if !float.is_finite() => Err(Error::FloatNotFinite),
                float if is_integral(float) && !self.foreign => Err(Error::FloatIntegral),
                float => Ok(Scalar::Float(float)),
            },
            31 => Err(Error::Indefinite),
            _ => Err(Error::Simple(low)),
        }
    }
}

/// The fields of a map whose keys are known, read in canonical order.
pub(crate) struct Fields {
    left: u64,
    what: &'static str,
    last: Option<&'static str>,
}

impl Fields {
    /// Moves to the value of `name`.
    pub(crate) fn field(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
    ) -> Result<(), Error> {
        if self.optional(reader, name)? { Ok(()) } else { Err(Error::FieldMissing(name)) }
    }

    /// Moves to the value of `name` if the map has that field next.
    pub(crate) fn optional(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
    ) -> Result<bool, Error> {
        if self.left == 0 {
            return Ok(false);
        }
        let before = reader.at;
        let (TEXT, n) = reader.head()? else { return Err(Error::KeyNotText) };
        let key = reader.text_of(n)?;
        match (key.len(), key).cmp(&(name.len(), name)) {
            std::cmp::Ordering::Equal => {
                self.left -= 1;
                self.last = Some(name);
                Ok(true)
            }
            std::cmp::Ordering::Greater => {
                reader.at = before;
                Ok(false)
            }
            // It was passed already: it is out of order, repeated, or none of ours.
            std::cmp::Ordering::Less => {
                Err(match self.last.map(|last| (key.len(), key).cmp(&(last.len(), last))) {
                    Some(std::cmp::Ordering::Less) => Error::KeyOrder,
                    Some(std::cmp::Ordering::Equal) => Error::KeyRepeated,
                    Some(std::cmp::Ordering::Greater) | None => Error::FieldUnknown(name),
                })
            }
        }
    }

    /// Nothing may follow the last field.
    pub(crate) fn end(self) -> Result<(), Error> {
        if self.left == 0 {
            Ok(())
        } else {
            Err(Error::FieldUnknown(self.last.unwrap_or(self.what)))
        }
    }
}

/// A value that contains no others.
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Link(Link),
}

/// What a walk over a value makes of it, so that checking and building obey one
/// set of rules.
pub(crate) trait Make: Sized {
    type List: Default;
    type Map: Default;
    fn scalar(scalar: Scalar<'_>) -> Self;
    fn push(list: &mut Self::List, value: Self);
    fn insert(map: &mut Self::Map, key: &str, value: Self);
    fn list(list: Self::List) -> Self;
    fn map(map: Self::Map) -> Self;
}

type Whole = Ipld;
type Nothing = ();

impl Make for Nothing {
    type List = ();
    type Map = ();
    fn scalar(_: Scalar<'_>) {}
    fn push(_: &mut (), _: ()) {}
    fn insert(_: &mut (), _: &str, _: ()) {}
    fn list(_: ()) {}
    fn map(_: ()) {}
}

impl Make for Whole {
    type List = Vec<Ipld>;
    type Map = BTreeMap<String, Ipld>;

    fn scalar(scalar: Scalar<'_>) -> Ipld {
        match scalar {
            Scalar::Null => Ipld::Null,
            Scalar::Bool(bool) => Ipld::Bool(bool),
            Scalar::Integer(integer) => Ipld::Integer(integer),
            Scalar::Float(float) => Ipld::Float(float),
            Scalar::Text(text) => Ipld::String(text.to_owned()),
            Scalar::Bytes(bytes) => Ipld::Bytes(bytes.to_owned()),
            Scalar::Link(link) => Ipld::Link(link),
        }
    }

    fn push(list: &mut Vec<Ipld>, value: Ipld) {
        list.push(value);
    }

    fn insert(map: &mut BTreeMap<String, Ipld>, key: &str, value: Ipld) {
        map.insert(key.to_owned(), value);
    }

    fn list(list: Vec<Ipld>) -> Ipld {
        Ipld::List(list)
    }

    fn map(map: BTreeMap<String, Ipld>) -> Ipld {
        Ipld::Map(map)
    }
}
