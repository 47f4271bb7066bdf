//! The errors of this room.

use std::path::PathBuf;

/// Why something could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another node holds the directory.
    #[error("the data directory {0} is in use by another node; stop it or choose another -repo")]
    Locked(PathBuf),
    /// The repository, or its database, was written by a newer version.
    #[error(
        "{path} has format {found}, and this version knows {known} at most; it was left untouched: use a newer optimusdb"
    )]
    NewerFormat {
        /// The directory or file.
        path: PathBuf,
        /// The version found there.
        found: u32,
        /// The newest version that this build reads.
        known: u32,
    },
    /// The disk, quota or memory behind the database is full. Nothing of the transaction was kept.
    #[error("no space left for the database: {0}")]
    Full(String),
    /// Blocks of files may take no more bytes.
    #[error(
        "files take {used} bytes of the {bytes_max} that they may (-storage-max), and there is no room for {more} more"
    )]
    NoRoom {
        /// Bytes that they take.
        used: u64,
        /// Bytes that were to be added.
        more: u64,
        /// Bytes that they may take.
        bytes_max: u64,
    },
    /// Another program holds a lock on the database. Nothing of the transaction was kept.
    #[error("another program holds the database: {0}")]
    Busy(String),
    /// A file or directory could not be used.
    #[error("{what} {path}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is stored contradicts itself.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// The entry in this row cannot be made again from what is stored of it.
    #[error(
        "the entry in row {row} is damaged on the disk ({why}); it is taken out of its log until a peer gives it back"
    )]
    DamagedEntry {
        /// Its row.
        row: i64,
        /// What is wrong with it.
        why: String,
    },
    /// A document in the index cannot be read. It is derived, and made again from its entry.
    #[error(
        "a document in the index is damaged on the disk; it is made again from its entry, so ask again"
    )]
    DamagedDocument,
    /// SQLite cannot read a part of the file.
    #[error("a part of the database cannot be read: {0}")]
    Unreadable(String),
    /// A limit of [`crate::limits`].
    #[error("{0}")]
    TooMany(String),
    /// A statement of SQL that cannot be carried out as it stands.
    #[error("{message}{}", offset.map_or(String::new(), |at| format!(" (at offset {at})")))]
    Statement {
        /// What SQLite said of it, or what is not allowed.
        message: String,
        /// Where in its text, in bytes.
        offset: Option<usize>,
    },
    /// The caller stopped the work.
    #[error("interrupted")]
    Interrupted,
    /// The snapshot that was read had to end: it kept the write-ahead log from being cut.
    #[error(
        "the read was ended, as so much was written meanwhile that the log of the database could not grow further; try again"
    )]
    SnapshotOver,
    /// Anything else that SQLite said.
    #[error("SQLite: {0}")]
    Sqlite(rusqlite::Error),
    /// A stored block that the log does not accept.
    #[error("stored block: {0}")]
    Block(#[from] optimusdb_dag::Error),
}

/// The class of an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing was changed; the same call may succeed when there is room or the lock is free.
    Unavailable,
    /// The call broke a limit.
    TooLarge,
    /// The call is wrong as it stands.
    Invalid,
    /// Bytes on disk are not what was written.
    Corrupt,
    /// The system or SQLite failed; the state of the disk is not known.
    Internal,
}

impl Error {
    /// The class of this error.
    pub fn kind(&self) -> Kind {
        match self {
            Error::Locked(_)
            | Error::Busy(_)
            | Error::Full(_)
            | Error::Interrupted
            | Error::SnapshotOver => Kind::Unavailable,
            Error::NoRoom { .. } => Kind::Unavailable,
            Error::TooMany(_) => Kind::TooLarge,
            Error::Statement { .. } => Kind::Invalid,
            Error::Corrupt(_)
            | Error::Block(_)
            | Error::DamagedEntry { .. }
            | Error::DamagedDocument
            | Error::Unreadable(_) => Kind::Corrupt,
            Error::NewerFormat { .. } | Error::Io { .. } | Error::Sqlite(_) => Kind::Internal,
        }
    }

    /// The row of the entry that is damaged, if that is what it says.
    pub(crate) fn damaged_row(&self) -> Option<i64> {
        match self {
            Error::DamagedEntry { row, .. } => Some(*row),
            _ => None,
        }
    }

    /// The error of a statement over documents of the index: one that is no JSON is damaged.
    pub(crate) fn of_documents(self) -> Error {
        use rusqlite::{Error as Said, ffi};
        match &self {
            Error::Sqlite(Said::SqliteFailure(ffi::Error { .. }, Some(message)))
                if message.contains("malformed JSON") =>
            {
                Error::DamagedDocument
            }
            Error::Corrupt(_) => Error::DamagedDocument,
            _ => self,
        }
    }

    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        let path = path.into();
        if matches!(
            source.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        ) {
            return Error::Full(format!("{what} {}: {source}", path.display()));
        }
        Error::Io { what, path, source }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{Error as Said, ffi};
        let Some(code) = error.sqlite_error().map(|e| e.extended_code) else {
            return match error {
                // A column holds something else than was written to it.
                Said::FromSqlConversionFailure(..)
                | Said::InvalidColumnType(..)
                | Said::IntegralValueOutOfRange(..)
                | Said::Utf8Error(..) => Error::Corrupt(error.to_string()),
                other => Error::Sqlite(other),
            };
        };
        match code & 0xff {
            ffi::SQLITE_FULL => Error::Full(error.to_string()),
            // A quota, a limit of file size, a shared-memory file that cannot grow: the system took
            // nothing more, and what it had is whole. A failed sync is another matter.
            _ if matches!(code, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE) => {
                Error::Full(error.to_string())
            }
            ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => Error::Unreadable(error.to_string()),
            // A bad sector. A sync that fails is another matter: what is on the disk is not known then.
            _ if matches!(
                code,
                ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS
            ) =>
            {
                Error::Unreadable(error.to_string())
            }
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Error::Busy(error.to_string()),
            ffi::SQLITE_INTERRUPT => Error::Interrupted,
            _ => Error::Sqlite(error),
        }
    }
}
