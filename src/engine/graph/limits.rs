//! How much of one image is looked at. What an image names is its maker's choice: indexes may be nested without end, and
//! name one another so often that a walk without limits would never return.

use crate::domain::{Error, Kind};

/// How deep documents may be nested under an image's target, whose own depth is 0. Images that are built today have an
/// index and manifests: depth 1.
pub(in crate::engine) const MAX_DEPTH: usize = 8;

/// How many entries of an image's indexes are listed; the rest is left out. Real images have dozens.
pub(in crate::engine) const MAX_ENTRIES: usize = 4096;

/// How many documents and blobs may be sent for one image, each counted once. Each costs the registry a request or more.
pub(in crate::engine) const MAX_PARTS: usize = 1 << 16;

/// How many bytes of documents one image may hold in memory while it is pulled.
pub(in crate::engine) const MAX_DOCUMENT_BYTES: u64 = 32 << 20;

/// An image that is larger than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum LimitExceeded {
    /// More than [`MAX_DEPTH`].
    Depth,
    /// More than [`MAX_PARTS`].
    Parts,
    /// More than [`MAX_DOCUMENT_BYTES`].
    DocumentBytes,
}

impl From<LimitExceeded> for Error {
    fn from(exceeded: LimitExceeded) -> Self {
        match exceeded {
            LimitExceeded::Depth => Self::invalid(format!("indexes are nested more than {MAX_DEPTH} deep")),
            LimitExceeded::Parts => Self::invalid(format!("the image is made of more than {MAX_PARTS} parts")),
            LimitExceeded::DocumentBytes => {
                let text = format!("the image's manifests are larger than {MAX_DOCUMENT_BYTES} bytes in all");
                Self::new(Kind::ResourceExhausted, text)
            }
        }
    }
}
