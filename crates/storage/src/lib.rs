//! Where the bytes rest: SQLite for entries, heads, index and catalog, and the directory around it.
//!
//! The interface is synchronous and knows nothing of tasks or the network. One [`Database`] writes,
//! in transactions; [`Readers`] read beside it without waiting. An entry enters through
//! [`Tx::put_entry`], wherever it came from, and every row derived from it changes in the same
//! transaction. Blocks of files are apart from all that, in [`FileBlocks`]. A [`StoreTree`] shows the
//! entries of a store to fast sync. The bytes on disk are described in `docs/format.md`.

mod acked;
mod blocks;
mod catalog;
mod change;
mod check;
mod connection;
mod copied;
mod damage;
mod database;
mod entries;
mod error;
mod filter;
mod fingerprints;
mod heads;
mod index;
mod journal;
mod json;
pub mod limits;
mod links;
mod log_bound;
mod mend;
mod order;
mod passed;
mod readers;
mod repo;
mod schema;
mod select;
mod set_aside;
mod shared_rows;
mod snapshots;
mod sql;
mod stores;
pub mod tosca;
mod tree;
mod uploads;
mod view;

pub use blocks::{
    Adding, Contributed, FileBlocks, Pin, PinOutcome, PinState, ReadUpTo, Reading, RoomFigures,
    Sweep, SweepStep,
};
pub use catalog::{DATACATALOG_COLUMNS, DEFAULT_STORE};
pub use connection::{Durability, Place};
pub use damage::{Damage, Suspects};
pub use database::{Checkpoint, Database, Mended, Tx};
pub use error::{Error, Kind};
pub use filter::{Field, FieldPath, Filter, JsonType, Predicate};
pub use fingerprints::Fingerprints;
pub use journal::{Journal, JournalRecord, journal_records};
pub use order::{Order, SortField, SortKey, SortValue};
pub use readers::Readers;
pub use repo::Repo;
pub use select::Select;
pub use snapshots::Snapshots;
pub use sql::{
    PeerDoor, SqlCell, SqlColumn, SqlDoor, SqlParams, SqlPlaces, SqlRan, SqlReturned, SqlSink,
    SqlStatement, SqlTable, SqlTableKind, SqlValue, SqlWrites,
};
pub use stores::{Scope, StoreId, StoreRef, StoreRow, beside};
pub use tree::StoreTree;
pub use uploads::upload_digits;
pub use view::{PartOf, View};
