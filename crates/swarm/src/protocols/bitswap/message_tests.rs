//! Messages: bytes worked out by hand from the schema, every limit at its edge, and noise.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::wire::{read_varint, write_bytes, write_head};
use super::*;

/// Version 1, dag-cbor, sha2-256 of 32 bytes: the address of a log's block without its digest.
const DAG_CBOR_PREFIX: [u8; 4] = [0x01, 0x71, 0x12, 0x20];

/// The message without its length.
fn body(message: &Message<'_>) -> Vec<u8> {
    let framed = message.encode_framed();
    let (length, body) = read_varint(&framed).unwrap().unwrap();
    assert_eq!(length, body.len() as u64);
    body.to_vec()
}

fn bytes(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

fn want(cid: &[u8]) -> WantEntry<'_> {
    WantEntry { cid, priority: 1, cancel: false, ask: WantType::Block, send_dont_have: true }
}

#[test]
fn a_want_list_is_the_bytes_of_the_schema() {
    let (a, b) = ([0xaa; 3], [0xbb; 2]);
    let message = Message {
        full: true,
        entries: vec![
            want(&a),
            WantEntry {
                cid: &b,
                priority: 300,
                cancel: true,
                ask: WantType::Have,
                send_dont_have: false,
            },
        ],
        ..Message::default()
    };
    // The list, its two entries, and that it is the full one.
    let expected = bytes(
        "0a 1a
           0a 09  0a 03 aa aa aa  10 01  28 01
           0a 0b  0a 02 bb bb  10 ac 02  18 01  20 01
           10 01",
    );
    assert_eq!(body(&message), expected);
    assert_eq!(Message::decode(&expected), Ok(message));
}

#[test]
fn a_want_is_the_one_of_the_documentation() {
    let cid = [&DAG_CBOR_PREFIX[..], &[0xaa; 32]].concat();
    let message = Message { entries: vec![want(&cid)], ..Message::default() };
    let head = bytes("2e  0a 2c  0a 2a  0a 24  01 71 12 20");
    let expected = [head, vec![0xaa; 32], bytes("10 01  28 01")].concat();
    assert_eq!(message.encode_framed(), expected);
}

#[test]
fn blocks_and_presences_are_the_bytes_of_the_schema() {
    let message = Message {
        blocks: vec![Block { prefix: &DAG_CBOR_PREFIX, data: b"hi" }],
        presences: vec![
            Presence { cid: &[0xaa], have: true },
            Presence { cid: &[0xbb], have: false },
        ],
        pending_bytes: -1,
        ..Message::default()
    };
    let expected = bytes(
        "1a 0a  0a 04 01 71 12 20  12 02 68 69
         22 03  0a 01 aa
         22 05  0a 01 bb  10 01
         28 ff ff ff ff ff ff ff ff ff 01",
    );
    assert_eq!(body(&message), expected);
    assert_eq!(Message::decode(&expected), Ok(message));
    assert_eq!(Message::default().encode_framed(), [0]);
}

#[test]
fn defaults_written_out_and_unknown_fields_are_read() {
    // As some encoders write them: zeroes spelled out, an old field 2, fields nobody knows.
    let read = bytes(
        "0a 11
           0a 0d  0a 01 aa  10 00  18 00  20 00  28 00  30 07
           10 00
         12 02 ff ff
         3d 01 02 03 04
         41 01 02 03 04 05 06 07 08
         50 05",
    );
    let entry = WantEntry {
        cid: &[0xaa],
        priority: 0,
        cancel: false,
        ask: WantType::Block,
        send_dont_have: false,
    };
    assert_eq!(Message::decode(&read), Ok(Message { entries: vec![entry], ..Message::default() }));
}

#[test]
fn what_breaks_the_format_is_refused() {
    for (text, error) in [
        ("0a", MessageError::Truncated),
        ("0a 02 0a", MessageError::Truncated),
        ("1a ff ff ff ff ff ff ff ff ff 01", MessageError::Truncated),
        ("ff ff ff ff ff ff ff ff ff ff 01", MessageError::Varint),
        ("0b", MessageError::WireType),
        ("02 00", MessageError::FieldNumber),
        ("08 01", MessageError::FieldType),
        ("18 01", MessageError::FieldType),
        ("2a 00", MessageError::FieldType),
        ("0a 04 0a 02 08 01", MessageError::FieldType),
        ("3d 01 02 03", MessageError::Truncated),
    ] {
        assert_eq!(Message::decode(&bytes(text)), Err(error), "{text}");
    }
}

#[test]
fn every_limit_holds_at_its_edge() {
    let cid = [7; CID_BYTES_MAX + 1];
    let one = |length: usize| Message { entries: vec![want(&cid[..length])], ..Message::default() };
    assert!(Message::decode(&body(&one(CID_BYTES_MAX))).is_ok());
    assert_eq!(Message::decode(&body(&one(CID_BYTES_MAX + 1))), Err(MessageError::CidTooLong));

    let data = vec![7; BLOCK_BYTES_MAX + 1];
    let block = |length: usize| Message {
        blocks: vec![Block { prefix: &DAG_CBOR_PREFIX, data: &data[..length] }],
        ..Message::default()
    };
    assert!(Message::decode(&body(&block(BLOCK_BYTES_MAX))).is_ok());
    assert_eq!(
        Message::decode(&body(&block(BLOCK_BYTES_MAX + 1))),
        Err(MessageError::BlockTooLarge)
    );

    let wants = |count| Message { entries: vec![want(&[1]); count], ..Message::default() };
    assert!(Message::decode(&body(&wants(MESSAGE_ENTRIES_MAX))).is_ok());
    assert_eq!(Message::decode(&body(&wants(MESSAGE_ENTRIES_MAX + 1))), Err(MessageError::TooMany));

    let answers = |blocks, presences| Message {
        blocks: vec![Block { prefix: &[], data: &[] }; blocks],
        presences: vec![Presence { cid: &[], have: true }; presences],
        ..Message::default()
    };
    assert!(Message::decode(&body(&answers(96, MESSAGE_ANSWERS_MAX - 96))).is_ok());
    let over = body(&answers(96, MESSAGE_ANSWERS_MAX - 95));
    assert_eq!(Message::decode(&over), Err(MessageError::TooMany));
    let over = body(&answers(MESSAGE_ANSWERS_MAX + 1, 0));
    assert_eq!(Message::decode(&over), Err(MessageError::TooMany));

    // One unknown field fills the message.
    let mut filled = Vec::new();
    write_head(&mut filled, 15, MESSAGE_BYTES_MAX - 5);
    filled.resize(MESSAGE_BYTES_MAX, 0);
    assert_eq!(Message::decode(&filled), Ok(Message::default()));
    filled.push(0);
    assert_eq!(Message::decode(&filled), Err(MessageError::TooLarge));
}

#[test]
fn want_lists_in_pieces_are_one() {
    let mut pieces = Vec::new();
    for cid in [[1], [2]] {
        pieces.extend(body(&Message { entries: vec![want(&cid)], ..Message::default() }));
    }
    let entries = vec![want(&[1]), want(&[2])];
    assert_eq!(Message::decode(&pieces), Ok(Message { entries, ..Message::default() }));
    let mut bare = Vec::new();
    write_bytes(&mut bare, 1, &[]);
    assert_eq!(Message::decode(&bare), Ok(Message::default()));
}

/// The parts of a message, owned.
#[derive(Debug, Clone)]
struct Parts {
    entries: Vec<(Vec<u8>, i32, bool, bool, bool)>,
    blocks: Vec<(Vec<u8>, Vec<u8>)>,
    presences: Vec<(Vec<u8>, bool)>,
    full: bool,
    pending_bytes: i32,
}

impl Parts {
    fn message(&self) -> Message<'_> {
        let ask = |have: bool| if have { WantType::Have } else { WantType::Block };
        Message {
            full: self.full,
            entries: self
                .entries
                .iter()
                .map(|(cid, priority, cancel, have, send_dont_have)| WantEntry {
                    cid,
                    priority: *priority,
                    cancel: *cancel,
                    ask: ask(*have),
                    send_dont_have: *send_dont_have,
                })
                .collect(),
            blocks: self.blocks.iter().map(|(prefix, data)| Block { prefix, data }).collect(),
            presences: self
                .presences
                .iter()
                .map(|(cid, have)| Presence { cid, have: *have })
                .collect(),
            pending_bytes: self.pending_bytes,
        }
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    let cid = || vec(any::<u8>(), 0..40);
    let entry = (cid(), any::<i32>(), any::<bool>(), any::<bool>(), any::<bool>());
    (
        vec(entry, 0..5),
        vec((cid(), vec(any::<u8>(), 0..300)), 0..4),
        vec((cid(), any::<bool>()), 0..5),
        any::<bool>(),
        any::<i32>(),
    )
        .prop_map(|(entries, blocks, presences, full, pending_bytes)| Parts {
            entries,
            blocks,
            presences,
            full,
            pending_bytes,
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read(parts in parts()) {
        let message = parts.message();
        let body = body(&message);
        prop_assert_eq!(Message::decode(&body), Ok(message));
    }

    #[test]
    fn noise_is_an_error_or_a_message(noise in vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::decode(&noise) {
            let again = body(&message);
            prop_assert_eq!(Message::decode(&again), Ok(message));
        }
    }

    #[test]
    fn damage_is_an_error_or_a_message(
        parts in parts(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut body = body(&parts.message());
        prop_assume!(!body.is_empty());
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let _ = Message::decode(&body);
        body.truncate(cut.index(body.len()));
        let _ = Message::decode(&body);
    }
}
