//! What a pull is asked for, and what it tells of its progress.

use crate::domain::{Digest, Error, Platform, Reference};
use crate::registry::Credential;

/// What to pull.
#[derive(Clone, Debug)]
pub struct PullRequest {
    /// A name with a tag or a digest (which goes before a tag); with neither, every tag of the repository.
    pub reference: Reference,
    /// Of an image for several platforms, the one to pull; absent is the host's.
    pub platform: Option<Platform>,
    /// What opens the registry.
    pub credential: Credential,
}

/// What happens in a pull, in this order for each tag.
#[derive(Debug)]
pub enum PullEvent {
    /// The image was found. `tag` is its tag, or for a pull by digest the whole reference.
    From { path: String, tag: String },
    /// A blob is in a new state. Not told of images that are here already.
    Blob { digest: Digest, state: BlobState },
    /// The image is here, under its name.
    Digest(Digest),
    /// The pull of one name has ended. `newer` tells whether the name points at something else than before.
    Done { name: String, newer: bool },
    /// The pull failed. Nothing follows.
    Failed(Error),
}

/// How far a blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobState {
    /// It is needed. Told of layers only.
    Waiting,
    /// It was here before.
    Exists,
    /// Bytes that have arrived, of all.
    Downloading { current: u64, total: u64 },
    /// All of it has arrived.
    Downloaded,
    /// It is part of an image that is here. Told of layers only.
    Complete,
}
