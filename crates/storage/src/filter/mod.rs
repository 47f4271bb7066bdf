//! What SQLite is asked of documents.

mod path;

pub use path::{SqlPath, quote};
