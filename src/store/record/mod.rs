//! Records: what is kept of blobs and names beside the blobs' bytes, and the bytes that records are stored as.
//!
//! A stored record begins with its version. What a version means never changes: a record that needs to say more gets a
//! further version, and the older ones are read as before, so that an additive change needs no migration. The stored form
//! is defined here alone (`stored.rs`); domain types can change without it.

mod stored;

use crate::domain::{Descriptor, Result, StringMap};

/// What is kept of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobRecord {
    /// Bytes.
    pub size: u64,
    /// When it arrived, in nanoseconds since the Unix epoch.
    pub created_at: i64,
}

/// What an image name points at. A store keeps it under the text of the name's key
/// ([`NameKey::as_str`](crate::domain::NameKey::as_str)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRecord {
    pub target: Descriptor,
    /// When there first was a record of the name, in nanoseconds since the Unix epoch.
    pub created_at: i64,
    /// When the name was last set, in nanoseconds since the Unix epoch.
    pub updated_at: i64,
    /// What clients have noted beside the name.
    pub labels: StringMap,
    /// Why the name may point there; absent where no rule was asked.
    pub verdict: Option<Box<Verdict>>,
    /// How much of the evidence about the image is here.
    pub evidence: EvidenceState,
}

impl NameRecord {
    /// A record of a name that is set at a moment, in nanoseconds since the Unix epoch.
    pub fn new(target: Descriptor, now: i64) -> Self {
        Self {
            target,
            created_at: now,
            updated_at: now,
            labels: StringMap::default(),
            verdict: None,
            evidence: EvidenceState::Complete,
        }
    }
}

/// How much of the signatures and attestations about an image is here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EvidenceState {
    /// Nobody has noted it: the record is of an older version.
    #[default]
    Unrecorded,
    /// All that there was when the name was set.
    Complete,
    /// There may be more, and why it is not here.
    Missing(Box<str>),
}

/// A decision that let an image in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The rule that decided.
    pub rule: String,
    /// Why it decided so.
    pub reason: String,
    /// Nanoseconds since the Unix epoch.
    pub decided_at: i64,
}

/// The repositories that an image was pulled from, each with its registry (and port), in the order of first pulls.
pub type Sources = Vec<String>;

/// A record that a store keeps as bytes.
pub trait Record: Sized {
    /// The version that is written here, the newest that can be read.
    const VERSION: u8;

    /// The bytes to store.
    ///
    /// # Errors
    /// `Internal` where it cannot be encoded.
    fn encode(&self) -> Result<Vec<u8>>;

    /// Reads what [`Record::encode`] wrote, in this version of Loadline or an older one.
    ///
    /// # Errors
    /// `DataLoss` where the bytes are no such record, or one of a version that is not known here.
    fn decode(bytes: &[u8]) -> Result<Self>;
}

/// What no version is: they are counted, one by one, and a record that begins with more is damaged.
const NO_VERSION: u8 = 128;

/// The version of a stored record that a newer version of Loadline wrote; `None` where it can be read, or is damaged.
pub fn newer_version<R: Record>(bytes: &[u8]) -> Option<u8> {
    bytes.first().copied().filter(|version| (R::VERSION + 1..NO_VERSION).contains(version))
}
