//! The IPFS gateway: files, directories and blocks by their addresses, for browsers and IPFS clients.
//!
//! It follows the specifications of the path gateway and of the trustless gateway; `docs/gateway.md`
//! says which parts. It only reads, wants no token, and serves whatever the node has or its peers
//! bring in time. Connections, refusals, ranges and streams are those of the API ([`crate::http`]).
//!
//! In reading order: `front` takes a request, `path` and `asked` say what it wants, `answer` finds
//! it and chooses who makes the answer: `contents` for bytes, `directory`, `car`, `tar`.

mod accept;
mod answer;
mod asked;
mod car;
mod contents;
mod describe;
mod directory;
mod figures;
mod format;
mod found;
mod front;
mod limits;
mod page;
mod path;
mod refusal;
mod tar;

pub(crate) use figures::GatewayFigures;
pub(crate) use front::GatewayFront;
