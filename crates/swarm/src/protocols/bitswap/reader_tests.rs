//! The reader on streams that end, lie and stall.

use std::pin::Pin;
use std::task::{Context, Poll};

use libp2p::futures::AsyncRead;
use libp2p::futures::io::Cursor;
use optimusdb_dag::{Codec, HashCode, LogCid};

use super::super::message::{Block, Presence, WantEntry, WantType};
use super::super::wire::write_varint;
use super::*;

fn pool() -> ReadPool {
    ReadPool::of_peer(ReadPool::all())
}

async fn read(bytes: Vec<u8>) -> Result<Option<ReceivedMessage>, ReadError> {
    let read = next_message(&mut Cursor::new(bytes), &pool()).await;
    Ok(read?.map(|(received, _)| received))
}

#[tokio::test]
async fn messages_follow_each_other() {
    let cid = Cid::from(LogCid::of(b"block"));
    // A file's block in version 0, and an address under SHA-1, which is not taken for a hash.
    let file: Cid = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG".parse().unwrap();
    let foreign = [[1, 0x55, 0x11, 0x14].as_slice(), &[7; 20]].concat();
    let entry = |cid, send_dont_have| WantEntry {
        cid,
        priority: 1,
        cancel: false,
        ask: WantType::Have,
        send_dont_have,
    };
    let (cid_bytes, file_bytes) = (cid.to_bytes(), file.to_bytes());
    let first = Message {
        full: true,
        entries: vec![
            entry(&cid_bytes, true),
            entry(&foreign, true),
            entry(&foreign, false),
            entry(&file_bytes, true),
        ],
        ..Message::default()
    };
    let second = Message {
        entries: vec![WantEntry { cancel: true, ..entry(&cid_bytes, false) }],
        presences: vec![
            Presence { cid: &cid_bytes, have: false },
            Presence { cid: &foreign, have: true },
            Presence { cid: &file_bytes, have: true },
        ],
        ..Message::default()
    };
    let mut stream = Cursor::new([first.encode_framed(), second.encode_framed()].concat());
    let want = Want { ask: WantType::Have, send_dont_have: true };
    let (read, _) = next_message(&mut stream, &pool()).await.unwrap().unwrap();
    let wants = vec![(cid.clone(), Some(want)), (file.clone(), Some(want))];
    assert_eq!((read.full, read.wants), (true, wants));
    assert_eq!(read.foreign_wants, [foreign]);
    let (read, _) = next_message(&mut stream, &pool()).await.unwrap().unwrap();
    assert_eq!((read.full, read.wants), (false, vec![(cid.clone(), None)]));
    assert_eq!(read.presences, [(cid, false), (file, true)]);
    assert!(next_message(&mut stream, &pool()).await.unwrap().is_none());
}

#[test]
fn a_block_stands_under_the_address_that_its_prefix_makes() {
    let codec = Codec::new(0x300000).unwrap();
    let hashes = [HashCode::Sha2_256, HashCode::Sha2_512, HashCode::Blake2b256, HashCode::Blake3];
    let cids = hashes.map(|hash| Cid::of(codec, hash, b"block").unwrap());
    let prefixes = cids.each_ref().map(|cid| cid.prefix().to_bytes());
    // SHA-1; half of a SHA-256; a version that there is not; an address with its digest; nothing.
    let sha2_256 = Cid::of(codec, HashCode::Sha2_256, b"block").unwrap().to_bytes();
    let refused: [&[u8]; 5] =
        [&[1, 0x55, 0x11, 0x14], &[1, 0x55, 0x12, 0x10], &[2, 0x55, 0x12, 0x20], &sha2_256, &[]];
    let blocks = prefixes.iter().map(Vec::as_slice).chain(refused);
    let blocks = blocks.map(|prefix| Block { prefix, data: b"block" }).collect();
    let message = Message { blocks, ..Message::default() }.encode_framed();
    let (_, body) = read_varint(&message).unwrap().unwrap();
    let received = ReceivedMessage::decode(body).unwrap();
    assert_eq!(received.blocks, cids.map(|cid| (cid, b"block".to_vec())));
    assert_eq!(received.foreign_blocks, refused.len() as u64);
}

#[tokio::test]
async fn lengths_are_held_to_the_limit() {
    let framed = |length: usize, sent: usize| {
        let mut bytes = Vec::new();
        write_varint(&mut bytes, length as u64);
        bytes.resize(bytes.len() + sent, 0xff);
        bytes
    };
    let too_large = |result| matches!(result, Err(ReadError::Message(MessageError::TooLarge)));
    let cut_off = |result| matches!(result, Err(ReadError::Message(MessageError::Truncated)));
    assert!(cut_off(read(framed(MESSAGE_BYTES_MAX, 10)).await));
    assert!(too_large(read(framed(MESSAGE_BYTES_MAX + 1, 10)).await));
    assert!(too_large(read(vec![0xff; 10]).await));
    assert!(cut_off(read(vec![0xff]).await));
    let empty = read(vec![0]).await.unwrap();
    assert_eq!(empty, Some(ReceivedMessage::default()));
    assert!(read(framed(3, 3)).await.is_err());
}

/// A stream on which nothing comes.
struct Silence;

impl AsyncRead for Silence {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_rest_between_messages_and_not_within_one() {
    let hour = Duration::from_secs(60 * 60);
    assert!(timeout(hour, next_message(&mut Silence, &pool())).await.is_err());
    let message = Message { full: true, ..Message::default() }.encode_framed();
    for begun in 1..message.len() {
        let mut stream = Cursor::new(message[..begun].to_vec()).chain(Silence);
        let read = next_message(&mut stream, &pool()).await;
        assert!(matches!(read, Err(ReadError::TooSlow)), "after {begun} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn large_messages_of_one_peer_wait_for_memory() {
    let message = Message { blocks: Vec::new(), ..Message::default() };
    let mut large = Vec::new();
    write_varint(&mut large, MESSAGE_BYTES_MAX as u64);
    // An unknown field fills the message.
    large.extend([0x7a]);
    write_varint(&mut large, (MESSAGE_BYTES_MAX - 5) as u64);
    large.resize(large.len() + MESSAGE_BYTES_MAX - 5, 0);
    let all = ReadPool::all();
    let peer = ReadPool::of_peer(Arc::clone(&all));
    let mut shares = Vec::new();
    for _ in 0..PEER_READING_KIB_MAX * 1024 / MESSAGE_BYTES_MAX {
        let read = next_message(&mut Cursor::new(&large), &peer).await;
        shares.push(read.unwrap().unwrap().1);
    }
    let one_more = next_message(&mut Cursor::new(&large), &peer).await;
    assert!(matches!(one_more, Err(ReadError::TooSlow)));
    // Small ones and other peers go on.
    let small = next_message(&mut Cursor::new(message.encode_framed()), &peer).await;
    assert!(small.unwrap().unwrap().1.is_none());
    let other = next_message(&mut Cursor::new(&large), &ReadPool::of_peer(all)).await;
    assert!(other.unwrap().is_some());
    shares.pop();
    assert!(next_message(&mut Cursor::new(&large), &peer).await.unwrap().is_some());
}

#[test]
fn streams_of_one_peer_are_counted() {
    let peer = pool();
    let mut turns: Vec<_> = (0..PEER_STREAMS_MAX).map(|_| peer.stream().unwrap()).collect();
    assert!(peer.stream().is_none());
    turns.pop();
    assert!(peer.stream().is_some());
}
