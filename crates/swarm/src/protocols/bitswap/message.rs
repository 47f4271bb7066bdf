//! One bitswap message: who wants what, the blocks, and who has what.
//!
//! The wire format is that of `/ipfs/bitswap/1.2.0` (docs/format-bitswap.md). A read message
//! borrows from its bytes. Unknown fields are passed over; lists are bounded, so that a message
//! never swells to much more than its bytes.

use super::error::MessageError;
use super::limits::{
    BLOCK_BYTES_MAX, CID_BYTES_MAX, MESSAGE_ANSWERS_MAX, MESSAGE_BYTES_MAX, MESSAGE_ENTRIES_MAX,
};
use super::wire::{
    FieldValue, MessageFields, field_bytes, write_bytes, write_head, write_small, write_varint,
};

/// What a want asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WantType {
    /// The block itself.
    Block,
    /// Only whether the peer has it.
    Have,
}

/// One line of a want list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WantEntry<'a> {
    pub(crate) cid: &'a [u8],
    pub(crate) priority: i32,
    pub(crate) cancel: bool,
    pub(crate) ask: WantType,
    /// Whether the peer wants to hear that the block is not here.
    pub(crate) send_dont_have: bool,
}

/// A block: its content address without the digest, and its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    pub(crate) prefix: &'a [u8],
    pub(crate) data: &'a [u8],
}

/// Whether the sender has a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presence<'a> {
    pub(crate) cid: &'a [u8],
    pub(crate) have: bool,
}

/// A message.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// The entries replace all earlier wants of the sender.
    pub(crate) full: bool,
    pub(crate) entries: Vec<WantEntry<'a>>,
    pub(crate) blocks: Vec<Block<'a>>,
    pub(crate) presences: Vec<Presence<'a>>,
    /// How much more the sender has for the reader, in bytes.
    pub(crate) pending_bytes: i32,
}

impl<'a> Message<'a> {
    /// Reads one message, without the length in front of it.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Message<'a>, MessageError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(MessageError::TooLarge);
        }
        let mut message = Message::default();
        let mut fields = MessageFields(bytes);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => message.read_wantlist(inside(value)?)?,
                3 => {
                    message.room_for_answer()?;
                    message.blocks.push(Block::decode(inside(value)?)?);
                }
                4 => {
                    message.room_for_answer()?;
                    message.presences.push(Presence::decode(inside(value)?)?);
                }
                5 => message.pending_bytes = number(value)? as i32,
                _ => {}
            }
        }
        Ok(message)
    }

    fn room_for_answer(&self) -> Result<(), MessageError> {
        let answers = self.blocks.len() + self.presences.len();
        if answers < MESSAGE_ANSWERS_MAX { Ok(()) } else { Err(MessageError::TooMany) }
    }

    fn read_wantlist(&mut self, bytes: &'a [u8]) -> Result<(), MessageError> {
        let mut fields = MessageFields(bytes);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 if self.entries.len() == MESSAGE_ENTRIES_MAX => {
                    return Err(MessageError::TooMany);
                }
                1 => self.entries.push(WantEntry::decode(inside(value)?)?),
                2 => self.full = number(value)? != 0,
                _ => {}
            }
        }
        Ok(())
    }

    /// The bytes of the message, with their length in front.
    pub(crate) fn encode_framed(&self) -> Vec<u8> {
        let wantlist: usize = self.entries.iter().map(WantEntry::field_bytes).sum::<usize>()
            + if self.full { 2 } else { 0 };
        let body = if wantlist > 0 { field_bytes(wantlist) } else { 0 }
            + self.blocks.iter().map(Block::field_bytes).sum::<usize>()
            + self.presences.iter().map(Presence::field_bytes).sum::<usize>();
        // Ten bytes of length before, and eleven of pending bytes behind, at most.
        let mut bytes = Vec::with_capacity(body + 21);
        let mut pending = Vec::new();
        if self.pending_bytes != 0 {
            pending.push(5 << 3);
            write_varint(&mut pending, i64::from(self.pending_bytes) as u64);
        }
        write_varint(&mut bytes, (body + pending.len()) as u64);
        if wantlist > 0 {
            write_head(&mut bytes, 1, wantlist);
            self.entries.iter().for_each(|entry| entry.encode(&mut bytes));
            if self.full {
                write_small(&mut bytes, 2, 1);
            }
        }
        self.blocks.iter().for_each(|block| block.encode(&mut bytes));
        self.presences.iter().for_each(|presence| presence.encode(&mut bytes));
        bytes.extend_from_slice(&pending);
        bytes
    }
}

impl<'a> WantEntry<'a> {
    fn decode(bytes: &'a [u8]) -> Result<WantEntry<'a>, MessageError> {
        let mut entry = WantEntry {
            cid: &[],
            priority: 0,
            cancel: false,
            ask: WantType::Block,
            send_dont_have: false,
        };
        let mut fields = MessageFields(bytes);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => entry.cid = address(value)?,
                2 => entry.priority = number(value)? as i32,
                3 => entry.cancel = number(value)? != 0,
                4 => entry.ask = if number(value)? == 1 { WantType::Have } else { WantType::Block },
                5 => entry.send_dont_have = number(value)? != 0,
                _ => {}
            }
        }
        Ok(entry)
    }

    /// Bytes between the head of the entry and its end.
    fn inside(&self) -> usize {
        let flags = [self.cancel, self.ask == WantType::Have, self.send_dont_have];
        field_bytes(self.cid.len())
            + priority(self.priority).len()
            + 2 * flags.iter().filter(|flag| **flag).count()
    }

    /// Bytes of the entry in a want list.
    pub(crate) fn field_bytes(&self) -> usize {
        field_bytes(self.inside())
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        write_head(bytes, 1, self.inside());
        write_bytes(bytes, 1, self.cid);
        bytes.extend_from_slice(&priority(self.priority));
        for (field, flag) in
            [(3, self.cancel), (4, self.ask == WantType::Have), (5, self.send_dont_have)]
        {
            if flag {
                write_small(bytes, field, 1);
            }
        }
    }
}

impl<'a> Block<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Block<'a>, MessageError> {
        let mut block = Block { prefix: &[], data: &[] };
        let mut fields = MessageFields(bytes);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => block.prefix = address(value)?,
                2 => block.data = inside(value)?,
                _ => {}
            }
        }
        if block.data.len() > BLOCK_BYTES_MAX {
            Err(MessageError::BlockTooLarge)
        } else {
            Ok(block)
        }
    }

    fn inside(&self) -> usize {
        field_bytes(self.prefix.len()) + field_bytes(self.data.len())
    }

    /// Bytes of the block in a message.
    pub(crate) fn field_bytes(&self) -> usize {
        field_bytes(self.inside())
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        write_head(bytes, 3, self.inside());
        write_bytes(bytes, 1, self.prefix);
        write_bytes(bytes, 2, self.data);
    }
}

impl<'a> Presence<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Presence<'a>, MessageError> {
        let mut presence = Presence { cid: &[], have: true };
        let mut fields = MessageFields(bytes);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => presence.cid = address(value)?,
                2 => presence.have = number(value)? == 0,
                _ => {}
            }
        }
        Ok(presence)
    }

    fn inside(&self) -> usize {
        field_bytes(self.cid.len()) + if self.have { 0 } else { 2 }
    }

    /// Bytes of the presence in a message.
    pub(crate) fn field_bytes(&self) -> usize {
        field_bytes(self.inside())
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        write_head(bytes, 4, self.inside());
        write_bytes(bytes, 1, self.cid);
        if !self.have {
            write_small(bytes, 2, 1);
        }
    }
}

fn inside(value: FieldValue<'_>) -> Result<&[u8], MessageError> {
    match value {
        FieldValue::Bytes(bytes) => Ok(bytes),
        _ => Err(MessageError::FieldType),
    }
}

fn number(value: FieldValue<'_>) -> Result<u64, MessageError> {
    match value {
        FieldValue::Number(number) => Ok(number),
        _ => Err(MessageError::FieldType),
    }
}

fn address(value: FieldValue<'_>) -> Result<&[u8], MessageError> {
    match inside(value)? {
        bytes if bytes.len() > CID_BYTES_MAX => Err(MessageError::CidTooLong),
        bytes => Ok(bytes),
    }
}

/// The field `priority`, empty for 0. A negative number takes ten bytes.
fn priority(priority: i32) -> Vec<u8> {
    let mut bytes = Vec::new();
    if priority != 0 {
        bytes.push(2 << 3);
        write_varint(&mut bytes, i64::from(priority) as u64);
    }
    bytes
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
