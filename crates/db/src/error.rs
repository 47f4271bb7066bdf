//! The errors of this room, by what the caller can do about them.

/// What went wrong, with one line of text for the user.
///
/// The variant says what the caller can do about it; the text says what happened and why. Errors of
/// lower rooms are converted where they arrive, so that none of their types shows in the interface of
/// the node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request is wrong as it stands; sending it again will not help.
    #[error("{0}")]
    Invalid(String),
    /// No such store, document or record.
    #[error("{0}")]
    NotFound(String),
    /// The caller may not do this.
    #[error("{0}")]
    Denied(String),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// Over a limit of size or count; the text names the limit.
    #[error("{0}")]
    TooLarge(String),
    /// Not now: full queue, full disk, shutting down. The same request may succeed later.
    #[error("{0}")]
    Unavailable(String),
    /// Files may take no more room.
    #[error("{0}")]
    NoRoom(String),
    /// It did not end within its time.
    #[error("{0}")]
    TimedOut(String),
    /// A capability that this version does not have.
    #[error("{0}")]
    NotBuilt(String),
    /// What is on disk contradicts itself.
    #[error("{0}")]
    Corrupt(String),
    /// A defect of ours.
    #[error("{0}")]
    Internal(String),
}

/// The class of an [`Error`], for mapping to status codes and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is documented at the variant of the same name")]
pub enum Kind {
    Invalid,
    NotFound,
    Denied,
    Conflict,
    TooLarge,
    Unavailable,
    NoRoom,
    TimedOut,
    NotBuilt,
    Corrupt,
    Internal,
}

impl Error {
    /// The class of this error.
    pub fn kind(&self) -> Kind {
        match self {
            Error::Invalid(_) => Kind::Invalid,
            Error::NotFound(_) => Kind::NotFound,
            Error::Denied(_) => Kind::Denied,
            Error::Conflict(_) => Kind::Conflict,
            Error::TooLarge(_) => Kind::TooLarge,
            Error::Unavailable(_) => Kind::Unavailable,
            Error::NoRoom(_) => Kind::NoRoom,
            Error::TimedOut(_) => Kind::TimedOut,
            Error::NotBuilt(_) => Kind::NotBuilt,
            Error::Corrupt(_) => Kind::Corrupt,
            Error::Internal(_) => Kind::Internal,
        }
    }
}

impl From<optimusdb_storage::Error> for Error {
    fn from(error: optimusdb_storage::Error) -> Self {
        use optimusdb_storage::Error as Storage;
        let text = error.to_string();
        match error {
            Storage::Interrupted => {
                Error::TimedOut("the request did not end within its time; narrow it".into())
            }
            Storage::Full(_) => Error::Unavailable(format!(
                "this node refuses writes until there is room on its disk: {text}"
            )),
            Storage::Locked(_) | Storage::Busy(_) | Storage::SnapshotOver => {
                Error::Unavailable(text)
            }
            Storage::NoRoom { .. } => Error::NoRoom(text),
            Storage::TooMany(_) => Error::TooLarge(text),
            Storage::Statement { .. } => Error::Invalid(text),
            Storage::Corrupt(_)
            | Storage::Block(_)
            | Storage::DamagedEntry { .. }
            | Storage::DamagedDocument => Error::Corrupt(text),
            Storage::Unreadable(_) => Error::Corrupt(format!(
                "{text}; start the node once with -reindex, or restore its directory, or give it a \
                 new one (docs/OPERATIONS.md, \"A damaged disk\")"
            )),
            Storage::NewerFormat { .. } | Storage::Io { .. } | Storage::Sqlite(_) => {
                Error::Internal(text)
            }
        }
    }
}

impl From<optimusdb_swarm::Error> for Error {
    fn from(error: optimusdb_swarm::Error) -> Self {
        use optimusdb_swarm::{Error as Swarm, Kind as SwarmKind};
        let text = error.to_string();
        match error.kind() {
            SwarmKind::Invalid => Error::Invalid(text),
            SwarmKind::Refused => Error::Denied(text),
            SwarmKind::Unavailable if matches!(error, Swarm::Deadline(_)) => Error::TimedOut(text),
            SwarmKind::Unavailable => Error::Unavailable(text),
            SwarmKind::Internal if matches!(error, Swarm::Taken { .. }) => Error::Unavailable(
                format!("{text}: choose another with -ipfs-port, 0 takes any free one"),
            ),
            SwarmKind::Internal if matches!(error, Swarm::Listen(_)) => {
                Error::Internal(format!("{text} (-ipfs-host, -ipfs-port)"))
            }
            SwarmKind::Internal => Error::Internal(text),
        }
    }
}
