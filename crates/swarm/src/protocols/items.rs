//! Cuts a stream of CBOR items into its items.
//!
//! A heads stream carries heads one after the other with nothing between them: every item says
//! itself where it ends. This finds the ends in one pass, however the bytes arrive. Whether an
//! item is an entry is not looked at here.

use crate::limits::HEAD_DEPTH_MAX;

/// Why bytes are no CBOR item that a head can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ItemError {
    #[error("an item of indefinite length or unknown kind")]
    Head,
    #[error("items are nested too deeply")]
    Depth,
    #[error("an item is too large")]
    Size,
}

/// Cuts bytes into items. Feed it as they come.
#[derive(Debug)]
pub(crate) struct Items {
    buffer: Vec<u8>,
    /// How far the buffer was looked at. May lie beyond its end, inside a string.
    at: usize,
    /// How many items are still missing on each level.
    levels: Vec<u64>,
    /// Whether the item ends at `at`.
    ended: bool,
    bytes_max: usize,
}

impl Items {
    /// Items of at most `bytes_max` bytes each.
    pub(crate) fn new(bytes_max: usize) -> Items {
        Items { buffer: Vec::new(), at: 0, levels: Vec::new(), ended: false, bytes_max }
    }

    /// Takes bytes from the stream.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the bytes so far end where an item ends.
    pub(crate) fn is_between(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next whole item; `None` until more bytes come.
    ///
    /// # Errors
    /// When the bytes can be no item. What comes after them cannot be read either.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, ItemError> {
        while !self.ended && self.at < self.buffer.len() {
            let Some((major, number, head_bytes)) = head(&self.buffer[self.at..])? else {
                return Ok(None);
            };
            self.at += head_bytes;
            let inner = match major {
                2 | 3 => {
                    let bytes = usize::try_from(number).map_err(|_| ItemError::Size)?;
                    self.at = self.at.checked_add(bytes).ok_or(ItemError::Size)?;
                    0
                }
                4 => number,
                5 => number.checked_mul(2).ok_or(ItemError::Size)?,
                6 => 1,
                _ => 0,
            };
            if self.at > self.bytes_max || inner > self.bytes_max as u64 {
                return Err(ItemError::Size);
            }
            self.ended = self.ends(inner)?;
        }
        // The last string of the item may still be arriving.
        Ok((self.ended && self.at <= self.buffer.len()).then(|| self.cut()))
    }

    /// Counts an item with `inner` items inside; true if the outermost one ends with it.
    fn ends(&mut self, inner: u64) -> Result<bool, ItemError> {
        if inner > 0 {
            if self.levels.len() >= HEAD_DEPTH_MAX {
                return Err(ItemError::Depth);
            }
            self.levels.push(inner);
            return Ok(false);
        }
        while let Some(missing) = self.levels.last_mut() {
            *missing -= 1;
            if *missing > 0 {
                return Ok(false);
            }
            self.levels.pop();
        }
        Ok(true)
    }

    fn cut(&mut self) -> Vec<u8> {
        let rest = self.buffer.split_off(self.at);
        (self.at, self.ended) = (0, false);
        std::mem::replace(&mut self.buffer, rest)
    }
}

/// Major type, number and size of the head that `bytes` begin with; `None` if it is cut off.
fn head(bytes: &[u8]) -> Result<Option<(u8, u64, usize)>, ItemError> {
    let Some((first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let (major, low) = (first >> 5, first & 0x1f);
    let width = match low {
        0..=23 => return Ok(Some((major, u64::from(low), 1))),
        24..=27 => 1 << (low - 24),
        _ => return Err(ItemError::Head),
    };
    let Some(number) = rest.get(..width) else {
        return Ok(None);
    };
    let number = number.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
    Ok(Some((major, number, 1 + width)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"a": [1, "xyz", h'0102', 1.5, null], "b": 42("link")}`
    fn nested() -> Vec<u8> {
        hex::decode("a2616185016378797a420102fb3ff8000000000000f66162d82a646c696e6b").unwrap()
    }

    fn long_text(bytes: usize) -> Vec<u8> {
        let mut item = vec![0x5a];
        item.extend_from_slice(&(bytes as u32).to_be_bytes());
        item.resize(5 + bytes, b'x');
        item
    }

    #[test]
    fn a_sequence_is_cut_whatever_the_pieces() {
        let items = [
            nested(),
            vec![0x80],
            vec![0xa0],
            vec![0x18, 0xff],
            vec![0x40],
            long_text(300),
            vec![0x81, 0x81, 0x80],
            nested(),
        ];
        let stream = items.concat();
        for piece in [1, 2, 3, 7, 64, stream.len()] {
            let mut cutter = Items::new(1_000);
            let mut found = Vec::new();
            for bytes in stream.chunks(piece) {
                cutter.feed(bytes);
                while let Some(item) = cutter.next().unwrap() {
                    found.push(item);
                }
            }
            assert_eq!(found, items, "in pieces of {piece}");
            assert!(cutter.is_between());
        }
    }

    #[test]
    fn an_item_that_does_not_end_is_waited_for() {
        let whole = nested();
        for end in 1..whole.len() {
            let mut cutter = Items::new(1_000);
            cutter.feed(&whole[..end]);
            assert_eq!(cutter.next(), Ok(None), "{end}");
            assert!(!cutter.is_between());
        }
    }

    #[test]
    fn hostile_heads_are_errors() {
        let deep = vec![0x81; HEAD_DEPTH_MAX + 1];
        for (bytes, error) in [
            (vec![0x9f, 0xff], ItemError::Head),
            (vec![0x5f], ItemError::Head),
            (vec![0x1c], ItemError::Head),
            (vec![0xff], ItemError::Head),
            (hex::decode("5bffffffffffffffff").unwrap(), ItemError::Size),
            (hex::decode("9bffffffffffffffff").unwrap(), ItemError::Size),
            (hex::decode("bbffffffffffffffff").unwrap(), ItemError::Size),
            (long_text(1_000), ItemError::Size),
            (deep, ItemError::Depth),
        ] {
            let mut cutter = Items::new(1_000);
            cutter.feed(&bytes);
            assert_eq!(cutter.next(), Err(error), "{bytes:02x?}");
        }
    }
}
