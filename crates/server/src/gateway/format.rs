//! The formats that content is answered in.

/// A format that a request can ask for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// The block as it is.
    Raw,
    /// A block and those below it, with their addresses.
    Car,
    /// Files and directories.
    Tar,
    /// A block that is dag-json.
    DagJson,
    /// A block that is dag-cbor.
    DagCbor,
    /// A block that is JSON, or a file with JSON in it.
    Json,
    /// A block that is CBOR.
    Cbor,
    /// A record of IPNS, which is not served.
    IpnsRecord,
}

impl Format {
    pub(super) const ALL: [Format; 8] = [
        Format::Raw,
        Format::Car,
        Format::Tar,
        Format::DagJson,
        Format::DagCbor,
        Format::Json,
        Format::Cbor,
        Format::IpnsRecord,
    ];

    /// What `?format=` calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Car => "car",
            Format::Tar => "tar",
            Format::DagJson => "dag-json",
            Format::DagCbor => "dag-cbor",
            Format::Json => "json",
            Format::Cbor => "cbor",
            Format::IpnsRecord => "ipns-record",
        }
    }

    /// What `Accept` calls it, and `Content-Type`.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Format::Raw => "application/vnd.ipld.raw",
            Format::Car => "application/vnd.ipld.car",
            Format::Tar => "application/x-tar",
            Format::DagJson => "application/vnd.ipld.dag-json",
            Format::DagCbor => "application/vnd.ipld.dag-cbor",
            Format::Json => "application/json",
            Format::Cbor => "application/cbor",
            Format::IpnsRecord => "application/vnd.ipfs.ipns-record",
        }
    }

    pub(super) fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    pub(super) fn of_media_type(media_type: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.media_type() == media_type)
    }
}
