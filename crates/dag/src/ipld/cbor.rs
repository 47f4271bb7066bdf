//! Links in dag-cbor of anybody: all of them, and the one that a path leads to.

use ipld_core::cid::Cid as Link;

use super::Step;
use crate::cbor::{LIST, MAP, Make, Reader, Scalar, TAG, TEXT};
use crate::{Cid, Error};

pub(super) fn links(block: &[u8]) -> Result<Vec<Cid>, Error> {
    let mut reader = Reader::foreign(block);
    let links = reader.walk::<FoundLinks>(0)?;
    reader.end()?;
    links.0.iter().map(cid_of).collect()
}

pub(super) fn follow(block: &[u8], names: &[String]) -> Result<Step, Error> {
    let mut reader = Reader::foreign(block);
    let mut used = 0;
    loop {
        let name = names.get(used);
        let (major, number) = reader.head()?;
        let is_there = match (major, name) {
            (TAG, _) => return Ok(Step::Link(cid_of(&reader.link(number)?)?, used)),
            (_, None) => return Ok(Step::Inside),
            (MAP, Some(name)) => to_key(&mut reader, number, name)?,
            (LIST, Some(name)) => to_item(&mut reader, number, name)?,
            _ => false,
        };
        if !is_there {
            return Ok(Step::Missing(used));
        }
        used += 1;
    }
}

/// Moves to the value of a key in the map whose head was read.
fn to_key(reader: &mut Reader<'_>, entries: u64, name: &str) -> Result<bool, Error> {
    for _ in 0..entries {
        let (TEXT, bytes) = reader.head()? else { return Err(Error::KeyNotText) };
        if reader.text_of(bytes)? == name {
            return Ok(true);
        }
        reader.skip()?;
    }
    Ok(false)
}

/// Moves to an item of the list whose head was read.
fn to_item(reader: &mut Reader<'_>, items: u64, name: &str) -> Result<bool, Error> {
    let Some(index) = name.parse().ok().filter(|index| *index < items) else {
        return Ok(false);
    };
    for _ in 0..index {
        reader.skip()?;
    }
    Ok(true)
}

fn cid_of(link: &Link) -> Result<Cid, Error> {
    Cid::from_bytes(&link.to_bytes())
}

/// The links in a value.
#[derive(Default)]
struct FoundLinks(Vec<Link>);

impl Make for FoundLinks {
    type List = FoundLinks;
    type Map = FoundLinks;

    fn scalar(scalar: Scalar<'_>) -> FoundLinks {
        match scalar {
            Scalar::Link(link) => FoundLinks(vec![link]),
            _ => FoundLinks::default(),
        }
    }

    fn push(list: &mut FoundLinks, value: FoundLinks) {
        list.0.extend(value.0);
    }

    fn insert(map: &mut FoundLinks, _: &str, value: FoundLinks) {
        map.0.extend(value.0);
    }

    fn list(list: FoundLinks) -> FoundLinks {
        list
    }

    fn map(map: FoundLinks) -> FoundLinks {
        map
    }
}
