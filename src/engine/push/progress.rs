//! What a push is asked for, and what it tells of its progress.

use crate::domain::{Descriptor, Digest, Error, Platform, Reference};
use crate::registry::Credential;

/// What to push.
#[derive(Clone, Debug)]
pub struct PushRequest {
    /// A name of an image here, with a tag or a digest; with neither, every tag of the repository.
    pub reference: Reference,
    /// The one platform to push, without the index and the attestations; absent is the whole image.
    pub platform: Option<Platform>,
    /// Whether the signatures and attestations go along that name a pushed document as their subject.
    pub referrers: bool,
    /// What opens the registry.
    pub credential: Credential,
}

/// What happens in a push.
#[derive(Debug)]
pub enum PushEvent {
    /// The push to that repository begins.
    Repository(String),
    /// A blob is in a new state.
    Blob { digest: Digest, state: UploadState },
    /// A manifest was pushed in place of the index, because not all of the index's content is here.
    Instead { index: Descriptor, manifest: Descriptor },
    /// The push is about to fail because content of this image is not here.
    Missing(Descriptor),
    /// The image is in the registry under its name. `tag` is absent where that is a digest.
    Done { tag: Option<String>, digest: Digest, size: u64 },
    /// The push failed. Nothing follows.
    Failed(Error),
}

/// How far a blob is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadState {
    /// It is part of the image.
    Preparing,
    /// The registry needs it, and others go before it.
    Waiting,
    /// Bytes that were sent, of all.
    Pushing { current: u64, total: u64 },
    /// All of it was sent.
    Pushed,
    /// The registry has it already.
    Exists,
    /// The registry took it over from the repository at this path.
    Mounted(String),
    /// It is not for registries: its descriptor says where else it is to be had.
    Foreign,
    /// It is neither here nor in the registry.
    Unavailable,
}
