//! A peer that writes whatever it likes on bitswap's streams.

use libp2p::futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{PeerId, Stream, StreamProtocol};
use libp2p_stream::Control;
use optimusdb_dag::Cid;
use tokio::sync::mpsc;

use super::world::Host;

const BITSWAP: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");

pub(crate) struct Raw {
    pub(crate) host: Host,
    control: Control,
    /// The bytes of every stream that the other side opened, up to its end.
    pub(crate) heard: mpsc::Receiver<Vec<u8>>,
}

impl Raw {
    pub(crate) async fn start() -> Raw {
        let behaviour = libp2p_stream::Behaviour::new();
        let control = behaviour.new_control();
        let mut incoming = behaviour.new_control().accept(BITSWAP).unwrap();
        let host = Host::start(behaviour, |_, _| {}).await;
        let (sender, heard) = mpsc::channel(256);
        tokio::spawn(async move {
            while let Some((_, mut stream)) = incoming.next().await {
                let sender = sender.clone();
                tokio::spawn(async move {
                    let mut bytes = Vec::new();
                    let _ = stream.read_to_end(&mut bytes).await;
                    let _ = sender.send(bytes).await;
                });
            }
        });
        Raw { host, control, heard }
    }

    pub(crate) async fn open(&self, peer: PeerId) -> Stream {
        self.control.clone().open_stream(peer, BITSWAP).await.unwrap()
    }

    /// Writes to a stream of its own and closes it.
    pub(crate) async fn send(&self, peer: PeerId, bytes: &[u8]) {
        let mut stream = self.open(peer).await;
        // The other side may end it first.
        let _ = stream.write_all(bytes).await;
        let _ = stream.close().await;
    }
}

pub(crate) fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn field(key: u8, inside: &[u8]) -> Vec<u8> {
    [vec![key], varint(inside.len()), inside.to_vec()].concat()
}

fn framed(body: &[u8]) -> Vec<u8> {
    [varint(body.len()), body.to_vec()].concat()
}

/// A message that wants blocks.
pub(crate) fn wants(cids: impl IntoIterator<Item: Into<Cid>>, send_dont_have: bool) -> Vec<u8> {
    let entries: Vec<u8> = cids
        .into_iter()
        .flat_map(|cid| {
            let cid = field(0x0a, &cid.into().to_bytes());
            field(0x0a, &[cid, vec![0x10, 1, 0x28, u8::from(send_dont_have)]].concat())
        })
        .collect();
    framed(&field(0x0a, &entries))
}

/// A message with one block of a log.
pub(crate) fn block(data: &[u8]) -> Vec<u8> {
    block_with(&[1, 0x71, 0x12, 0x20], data)
}

/// A message with one block and what stands before it.
pub(crate) fn block_with(prefix: &[u8], data: &[u8]) -> Vec<u8> {
    let prefix = field(0x0a, prefix);
    framed(&field(0x1a, &[prefix, field(0x12, data)].concat()))
}

/// A message that says of one block that it is here, or not.
pub(crate) fn presence(cid: impl Into<Cid>, have: bool) -> Vec<u8> {
    let cid = field(0x0a, &cid.into().to_bytes());
    framed(&field(0x22, &[cid, vec![0x10, u8::from(!have)]].concat()))
}
