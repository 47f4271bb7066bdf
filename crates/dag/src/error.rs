//! Why something was refused: one variant per reason.
//!
//! Everything read from outside may be hostile, so each rule of the format has
//! its own variant and tests name it. What a caller does with a refusal depends
//! on its [`Kind`].

use crate::LogCid;

/// What a refusal means to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The input breaks a rule of the format; asking again will not help.
    Invalid,
    /// The input is well formed, but its writer may not do this.
    Denied,
    /// The input is over a limit.
    TooLarge,
    /// Bytes are not those their hash names.
    Corrupt,
    /// Something needed is missing now; asking again may help.
    Unavailable,
}

/// Every reason for which this crate refuses something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are no vote.
    #[error("not a vote")]
    Vote,
    // Hashes and addresses.
    /// The text is not a content address, or not in the one spelling that its place asks for.
    #[error("not a content address")]
    CidText,
    /// A content address of a version other than 0 and 1, or one that version 0 cannot be.
    #[error("not a content address of version {0}")]
    CidVersion(u64),
    /// A content address whose hash cannot be checked here.
    #[error("a content address has the unknown hash {0:#x}")]
    CidHash(u64),
    /// A digest of another length than its hash has.
    #[error("a content address has a digest of the wrong length")]
    CidDigest,
    /// A content address that no block of a log has: those are dag-cbor, with sha2-256.
    #[error("not the content address of a log's block")]
    CidForeign,
    /// The text is not `/orbitdb/` and a content address.
    #[error("not a store address")]
    AddressText,
    /// The text is not `/ipfs/` or `/orbitdb/` and a content address.
    #[error("not the address of an access controller")]
    AccessAddress,
    /// The bytes do not hash to the name they came under.
    #[error("the bytes are not those of block {0}")]
    HashMismatch(LogCid),

    // Values (DAG-CBOR).
    /// The bytes end inside a value.
    #[error("the bytes end inside a value")]
    Truncated,
    /// Bytes follow the value.
    #[error("bytes follow the value")]
    Trailing,
    /// A varint of more bits than its place allows, 64 at most.
    #[error("a varint has too many bits")]
    VarintRange,
    /// A number or length is written in more bytes than necessary.
    #[error("a number is written in more bytes than necessary")]
    NotMinimal,
    /// A string, list or map of indefinite length.
    #[error("an item of indefinite length")]
    Indefinite,
    /// The keys of a map are out of canonical order.
    #[error("map keys are out of order")]
    KeyOrder,
    /// A key occurs twice in a map.
    #[error("a map key occurs twice")]
    KeyRepeated,
    /// A map key that is not text.
    #[error("a map key is not text")]
    KeyNotText,
    /// The key `__proto__`, which JavaScript cannot hold.
    #[error("a map key is `__proto__`")]
    KeyProto,
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A tag other than 42.
    #[error("tag {0} is not allowed")]
    Tag(u64),
    /// A tag 42 that holds no content address.
    #[error("a link holds no content address")]
    Link,
    /// A float of 16 or 32 bits.
    #[error("a float is not written in 64 bits")]
    FloatWidth,
    /// A float with an integral value, or minus zero.
    #[error("a whole number is written as a float")]
    FloatIntegral,
    /// NaN or an infinity.
    #[error("a float is not finite")]
    FloatNotFinite,
    /// `undefined`, or another simple value.
    #[error("simple value {0} is not allowed")]
    Simple(u8),
    /// An integer beyond -2^64 ..= 2^64 - 1.
    #[error("an integer is out of range")]
    IntegerRange,
    /// Lists and maps nested deeper than `VALUE_DEPTH_MAX`.
    #[error("a value is nested too deeply")]
    TooDeep,
    /// More values than `VALUE_ITEMS_MAX`.
    #[error("a value contains too many values")]
    TooManyItems,

    // Shapes of blocks.
    /// A block is over the limit of its sort.
    #[error("{what} of {bytes} bytes, at most {bytes_max} are allowed")]
    BlockTooLarge {
        /// Which sort of block.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A field is missing.
    #[error("field `{0}` is missing")]
    FieldMissing(&'static str),
    /// A field that does not belong there.
    #[error("unknown field beside `{0}`")]
    FieldUnknown(&'static str),
    /// A value has the wrong sort.
    #[error("`{0}` has the wrong sort of value")]
    FieldSort(&'static str),
    /// A store kind other than documents, events, keyvalue.
    #[error("unknown kind of store")]
    StoreKind,

    // Keys and identities.
    /// A public key that is not 33 bytes of compressed secp256k1 in lower-case hexadecimal.
    #[error("not a public key")]
    PublicKey,
    /// A private key that is zero or not below the group order.
    #[error("not a private key")]
    PrivateKey,
    /// A signature that is not lower-case hexadecimal.
    #[error("a signature is not lower-case hexadecimal")]
    SignatureText,
    /// A signature that is not canonical DER.
    #[error("a signature is not DER")]
    SignatureDer,
    /// A signature with the greater of its two possible `s`.
    #[error("a signature has a high s")]
    SignatureHighS,
    /// A signature that does not fit its message and key.
    #[error("a signature does not verify")]
    SignatureWrong,
    /// An identity of a type other than `publickey`.
    #[error("unknown type of identity")]
    IdentityType,
    /// `signatures.id` of an identity does not verify.
    #[error("the identity's signing key did not sign its id")]
    IdentityIdSignature,
    /// `signatures.publicKey` of an identity does not verify.
    #[error("the identity's id key did not sign its signing key")]
    IdentityKeySignature,

    // Access.
    /// An access controller of a type other than `ipfs`.
    #[error("unknown type of access controller")]
    AccessType,
    /// A capability other than `write` and `admin`.
    #[error("unknown capability")]
    Capability,
    /// More writers than `ACCESS_WRITERS_MAX`.
    #[error("too many writers")]
    TooManyWriters,
    /// The identity may not append to this log, and never will.
    #[error("the identity may not append to this log")]
    AccessDenied,
    /// The identity may not append to this log, as far as its access log is known here.
    #[error("the identity was not granted to append to this log")]
    AccessNotGranted,
    /// The identity may not append to this log any more, and nobody who may has built on this.
    #[error("the identity may not append to this log any more")]
    AccessRevoked,

    // Entries.
    /// An entry of a version other than 2.
    #[error("unknown version of entry")]
    EntryVersion,
    /// An entry of another log.
    #[error("the entry belongs to another log")]
    WrongLog,
    /// The identity given is not the one the entry names.
    #[error("not the identity the entry names")]
    WrongIdentity,
    /// `key` is not the public key of the identity.
    #[error("the entry's key is not bound to its identity")]
    KeyNotBound,
    /// `clock.id` is not `key`.
    #[error("the entry's clock is not that of its key")]
    ClockNotOwn,
    /// A clock time outside 1 ..= 2^53 - 1.
    #[error("clock time {0} is out of range")]
    ClockRange(u64),
    /// A clock time not above that of every parent.
    #[error("clock time {time} is not above its parents' {newest}")]
    ClockNotAfter {
        /// The entry's time.
        time: u64,
        /// The greatest of its parents' times.
        newest: u64,
    },
    /// A clock time further above its parents than `CLOCK_JUMP_TICKS_MAX`.
    #[error("clock time {time} leaps from its parents' {newest}")]
    ClockJump {
        /// The entry's time.
        time: u64,
        /// The greatest of its parents' times, 0 without parents.
        newest: u64,
    },
    /// More parents than `NEXT_LINKS_MAX`.
    #[error("too many parents")]
    TooManyNext,
    /// More references than `REFS_MAX`.
    #[error("too many references")]
    TooManyRefs,
    /// The same parent twice.
    #[error("the same parent twice")]
    NextRepeated,

    // Sync.
    /// A sync message breaks this rule of its form.
    #[error("sync message: {0}")]
    SyncMessage(&'static str),

    // Files.
    /// The bytes are not those that the address of a block of a file names.
    #[error("the bytes are not those of block {0}")]
    BlockMismatch(String),
    /// The bytes are no node of dag-pb.
    #[error("not a node of dag-pb: {0}")]
    DagPb(&'static str),
    /// A node is no part of a file or directory, or breaks this rule of them.
    #[error("not UnixFS: {0}")]
    UnixFs(&'static str),
    /// The bytes are no dag-json: not JSON, too deep, or with a link that is none.
    #[error("not a value of dag-json, or deeper than 128 levels")]
    DagJson,
    /// A path leads on below what is no directory.
    #[error("{0:?} is not in a directory")]
    NotADirectory(String),
    /// A directory has no entry of that name.
    #[error("no {0:?} in the directory")]
    NoEntry(String),
    /// A path leads into a block that is neither file nor directory.
    #[error("a path leads into a block of codec {0:#x}, which holds no files")]
    PathIntoCodec(u64),
    /// A relative path that names no place in a directory.
    #[error("path {0:?}: {1}")]
    FilePath(String, &'static str),
    /// Files or directories over a limit.
    #[error("{0}")]
    FilesTooLarge(&'static str),
    /// The bytes are no CAR, for this reason.
    #[error("not a CAR: {0}")]
    Car(&'static str),

    // Joins.
    /// An ancestor of the entry was refused.
    #[error("ancestor {0} was refused")]
    AncestorRefused(LogCid),
    /// A block could not be had.
    #[error("block {0} could not be had")]
    BlockMissing(LogCid),
    /// The join tracks as many entries as it may.
    #[error("the join is full")]
    JoinFull,
}

impl Error {
    /// What the refusal means to a caller.
    pub fn kind(&self) -> Kind {
        match self {
            Error::HashMismatch(_) | Error::BlockMismatch(_) => Kind::Corrupt,
            Error::BlockTooLarge { .. }
            | Error::TooDeep
            | Error::TooManyItems
            | Error::TooManyWriters
            | Error::TooManyNext
            | Error::FilesTooLarge(_)
            | Error::TooManyRefs => Kind::TooLarge,
            Error::AccessDenied | Error::KeyNotBound | Error::WrongIdentity => Kind::Denied,
            Error::BlockMissing(_)
            | Error::JoinFull
            | Error::AccessNotGranted
            | Error::AccessRevoked => Kind::Unavailable,
            _ => Kind::Invalid,
        }
    }
}
