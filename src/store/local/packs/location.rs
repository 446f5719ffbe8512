//! Where blobs are.

use crate::domain::Digest;

use super::entry::entry_len;

/// Where a blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// The number of the pack.
    pub(super) pack: u32,
    /// Where in the pack the blob begins, in bytes.
    pub(super) start: u32,
    /// Bytes of the blob.
    pub(super) size: u32,
}

/// A blob in a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store::local) struct Packed {
    pub(super) digest: Digest,
    pub(super) location: Location,
}

impl Packed {
    pub(in crate::store::local) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Bytes of the blob.
    pub(in crate::store::local) fn size(&self) -> u64 {
        u64::from(self.location.size)
    }

    /// How many bytes of the pack it takes.
    pub(super) fn entry_len(&self) -> u64 {
        entry_len(&self.digest, self.location.size)
    }
}
