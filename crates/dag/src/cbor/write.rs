//! Writing canonical DAG-CBOR, piece by piece.

use ipld_core::ipld::Ipld;

use super::{BYTES, LIST, MAP, NEGATIVE, PROTO, TAG, TAG_LINK, TEXT, UINT, deeper, is_integral};
use crate::Error;
use crate::log_cid::{CID_TEXT_BYTES, LogCid};

pub(crate) fn put_head(out: &mut Vec<u8>, major: u8, n: u64) {
    let major = major << 5;
    match n {
        0..=23 => out.push(major | n as u8),
        24..=0xff => out.extend([major | 24, n as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend((n as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend((n as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend(n.to_be_bytes());
        }
    }
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_head(out, TEXT, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn put_cid_text(out: &mut Vec<u8>, cid: &LogCid) {
    put_head(out, TEXT, CID_TEXT_BYTES as u64);
    out.extend_from_slice(&cid.text());
}

/// Writes a value; `depth` is how many lists and maps already enclose it.
pub(crate) fn put_value(out: &mut Vec<u8>, value: &Ipld, depth: usize) -> Result<(), Error> {
    match value {
        Ipld::Null => out.push(0xf6),
        Ipld::Bool(false) => out.push(0xf4),
        Ipld::Bool(true) => out.push(0xf5),
        Ipld::Integer(integer) => put_integer(out, *integer)?,
        Ipld::Float(float) if !float.is_finite() => return Err(Error::FloatNotFinite),
        Ipld::Float(float) if is_integral(*float) => put_integer(out, *float as i128)?,
        Ipld::Float(float) => {
            out.push(0xfb);
            out.extend(float.to_be_bytes());
        }
        Ipld::String(text) => put_text(out, text),
        Ipld::Bytes(bytes) => {
            put_head(out, BYTES, bytes.len() as u64);
            out.extend_from_slice(bytes);
        }
        Ipld::List(list) => {
            let depth = deeper(depth)?;
            put_head(out, LIST, list.len() as u64);
            for value in list {
                put_value(out, value, depth)?;
            }
        }
        Ipld::Map(map) => {
            let depth = deeper(depth)?;
            put_head(out, MAP, map.len() as u64);
            let mut entries: Vec<_> = map.iter().collect();
            // The map is ordered by bytes already; a stable sort keeps that within a length.
            entries.sort_by_key(|(key, _)| key.len());
            for (key, value) in entries {
                if key == PROTO {
                    return Err(Error::KeyProto);
                }
                put_text(out, key);
                put_value(out, value, depth)?;
            }
        }
        Ipld::Link(link) => {
            let bytes = link.to_bytes();
            put_head(out, TAG, TAG_LINK);
            put_head(out, BYTES, bytes.len() as u64 + 1);
            out.push(0);
            out.extend_from_slice(&bytes);
        }
    }
    Ok(())
}

fn put_integer(out: &mut Vec<u8>, integer: i128) -> Result<(), Error> {
    let (major, magnitude) = if integer < 0 { (NEGATIVE, -(integer + 1)) } else { (UINT, integer) };
    let magnitude = u64::try_from(magnitude).map_err(|_| Error::IntegerRange)?;
    put_head(out, major, magnitude);
    Ok(())
}
