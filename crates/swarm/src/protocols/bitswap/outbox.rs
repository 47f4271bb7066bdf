//! What waits to be sent to one peer, and how it is packed into messages.
//!
//! While a message is on its way, the content of the next one gathers here. So a busy connection
//! carries few large messages, and an idle one carries each want at once.

use std::collections::VecDeque;

use optimusdb_dag::{Cid, Prefix};

use super::limits::{
    BLOCK_BYTES_MAX, MESSAGE_ENTRIES_MAX, MESSAGE_OUT_BYTES_MAX, MESSAGE_PACKED_BYTES_MAX,
    OUTBOX_BYTES_MAX, OUTBOX_ENTRIES_MAX, OUTBOX_PRESENCES_MAX, READ_BYTES_MAX, READ_WANTS_MAX,
    READS_MAX,
};
use super::message::{Block, Message, Presence, WantEntry, WantType};
use super::turns::Turns;

/// Blocks up to which their bytes are summed up again after every change.
const CHECKED_BLOCKS_MAX: usize = 64;

/// A want or the end of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WantUpdate {
    Want(WantType),
    Cancel,
}

/// What waits to be sent to one peer.
pub(super) struct Outbox {
    updates: Turns<WantUpdate>,
    presences: VecDeque<(Vec<u8>, bool)>,
    blocks: VecDeque<(Prefix, Vec<u8>)>,
    block_bytes: usize,
}

impl Outbox {
    pub(super) fn new() -> Outbox {
        Outbox {
            updates: Turns::new(),
            presences: VecDeque::new(),
            blocks: VecDeque::new(),
            block_bytes: 0,
        }
    }

    /// A later line about a block takes the place of an earlier one.
    pub(super) fn update(&mut self, cid: Cid, update: WantUpdate) {
        if let Some(earlier) = self.updates.get_mut(&cid) {
            *earlier = update;
        } else if self.updates.len() < OUTBOX_ENTRIES_MAX {
            self.updates.push_back(cid, update);
        }
        self.check();
    }

    pub(super) fn presence(&mut self, cid: Vec<u8>, have: bool) {
        self.presences.push_back((cid, have));
        self.check();
    }

    pub(super) fn block(&mut self, prefix: Prefix, block: Vec<u8>) {
        self.block_bytes += block.len();
        self.blocks.push_back((prefix, block));
        self.check();
    }

    /// Whether more may be read for the peer.
    pub(super) fn has_room(&self) -> bool {
        self.block_bytes < OUTBOX_BYTES_MAX && self.presences.len() < OUTBOX_PRESENCES_MAX
    }

    fn is_empty(&self) -> bool {
        self.updates.is_empty() && self.presences.is_empty() && self.blocks.is_empty()
    }

    /// The next message with its length in front, `None` if nothing waits.
    pub(super) fn next_message(&mut self) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        let updates: Vec<(Vec<u8>, WantUpdate)> = std::iter::from_fn(|| self.updates.pop_front())
            .take(MESSAGE_ENTRIES_MAX)
            .map(|(cid, update)| (cid.to_bytes(), update))
            .collect();
        let entries: Vec<WantEntry<'_>> =
            updates.iter().map(|(cid, update)| entry(cid, *update)).collect();
        let mut bytes: usize = entries.iter().map(WantEntry::field_bytes).sum();
        let mut presences = Vec::new();
        while presences.len() < MESSAGE_ENTRIES_MAX
            && let Some(presence) = self.presences.pop_front()
        {
            presences.push(presence);
        }
        let presences: Vec<Presence<'_>> =
            presences.iter().map(|(cid, have)| Presence { cid, have: *have }).collect();
        bytes += presences.iter().map(Presence::field_bytes).sum::<usize>();
        let blocks = self.take_blocks(bytes);
        let blocks = blocks.iter().map(|(prefix, data)| Block { prefix, data }).collect();
        let message = Message { entries, presences, blocks, ..Message::default() };
        let framed = message.encode_framed();
        debug_assert!(framed.len() <= MESSAGE_OUT_BYTES_MAX, "a message of {} bytes", framed.len());
        Some(framed)
    }

    /// Blocks for a message that has `bytes` already: as many as fit, and one in any case.
    fn take_blocks(&mut self, mut bytes: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut taken = Vec::new();
        while let Some((prefix, data)) = self.blocks.front() {
            let prefix = prefix.to_bytes();
            bytes += Block { prefix: &prefix, data }.field_bytes();
            if bytes > MESSAGE_PACKED_BYTES_MAX && !taken.is_empty() {
                break;
            }
            self.block_bytes -= data.len();
            taken.extend(self.blocks.pop_front().map(|(_, data)| (prefix, data)));
        }
        self.check();
        taken
    }

    /// The account of bytes is that of the blocks, and no limit is passed by more than what was being
    /// read when it was reached. In builds with debug assertions only; long rows are not summed up.
    fn check(&self) {
        let Outbox { updates, presences, blocks, block_bytes } = self;
        let sum = || blocks.iter().map(|(_, block)| block.len()).sum::<usize>();
        debug_assert!(
            blocks.len() > CHECKED_BLOCKS_MAX || *block_bytes == sum(),
            "{block_bytes} bytes of blocks are {}",
            sum()
        );
        debug_assert!(updates.len() <= OUTBOX_ENTRIES_MAX, "{} wants wait", updates.len());
        let presences_max = OUTBOX_PRESENCES_MAX + READS_MAX * READ_WANTS_MAX;
        debug_assert!(presences.len() <= presences_max, "{} presences wait", presences.len());
        let bytes_max = OUTBOX_BYTES_MAX + READS_MAX * (READ_BYTES_MAX + BLOCK_BYTES_MAX);
        debug_assert!(*block_bytes <= bytes_max, "{block_bytes} bytes of blocks wait");
    }
}

fn entry(cid: &[u8], update: WantUpdate) -> WantEntry<'_> {
    let (cancel, ask) = match update {
        WantUpdate::Want(ask) => (false, ask),
        WantUpdate::Cancel => (true, WantType::Block),
    };
    WantEntry { cid, priority: 1, cancel, ask, send_dont_have: !cancel }
}

#[cfg(test)]
mod tests {
    use optimusdb_dag::LogCid;

    use super::super::limits::CID_BYTES_MAX;
    use super::super::wire::read_varint;
    use super::*;

    fn cid(number: u32) -> Cid {
        LogCid::of(&number.to_be_bytes()).into()
    }

    fn next(outbox: &mut Outbox) -> Option<Vec<u8>> {
        let framed = outbox.next_message()?;
        let (length, body) = read_varint(&framed).unwrap().unwrap();
        assert_eq!(length, body.len() as u64);
        Some(body.to_vec())
    }

    #[test]
    fn the_last_line_about_a_block_counts() {
        let mut outbox = Outbox::new();
        outbox.update(cid(1), WantUpdate::Want(WantType::Have));
        outbox.update(cid(2), WantUpdate::Want(WantType::Block));
        outbox.update(cid(1), WantUpdate::Want(WantType::Block));
        outbox.update(cid(2), WantUpdate::Cancel);
        let body = next(&mut outbox).unwrap();
        let message = Message::decode(&body).unwrap();
        let updates: Vec<_> = message.entries.iter().map(|e| (e.cid, e.ask, e.cancel)).collect();
        let (one, two) = (cid(1).to_bytes(), cid(2).to_bytes());
        assert_eq!(
            updates,
            [(&one[..], WantType::Block, false), (&two[..], WantType::Block, true)]
        );
        assert_eq!(next(&mut outbox), None);
    }

    #[test]
    fn entries_and_blocks_are_spread_over_messages() {
        let mut outbox = Outbox::new();
        for number in 0..OUTBOX_ENTRIES_MAX as u32 + 1 {
            outbox.update(cid(number), WantUpdate::Want(WantType::Block));
        }
        (0..3).for_each(|_| outbox.block(cid(0).prefix(), vec![0; MESSAGE_PACKED_BYTES_MAX / 2]));
        let mut seen = (0, Vec::new());
        while let Some(body) = next(&mut outbox) {
            let message = Message::decode(&body).unwrap();
            assert!(message.entries.len() <= MESSAGE_ENTRIES_MAX);
            seen.0 += message.entries.len();
            seen.1.push(message.blocks.len());
        }
        assert_eq!(seen, (OUTBOX_ENTRIES_MAX, vec![1, 1, 1, 0]));
    }

    #[test]
    fn the_greatest_message_is_within_its_limit() {
        let mut outbox = Outbox::new();
        for number in 0..MESSAGE_ENTRIES_MAX as u32 {
            outbox.update(cid(number), WantUpdate::Want(WantType::Have));
            outbox.presence(vec![7; CID_BYTES_MAX], false);
        }
        assert!(outbox.has_room());
        outbox.block(cid(0).prefix(), vec![0; BLOCK_BYTES_MAX]);
        outbox.block(cid(0).prefix(), vec![0; BLOCK_BYTES_MAX]);
        assert!(!outbox.has_room());
        assert_eq!(Message::decode(&next(&mut outbox).unwrap()).unwrap().blocks.len(), 1);
        assert!(outbox.has_room());
        assert_eq!(Message::decode(&next(&mut outbox).unwrap()).unwrap().blocks.len(), 1);
    }
}
