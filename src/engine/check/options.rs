//! How a check is done, and how far it is.

/// How a check is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    pub depth: CheckDepth,
    /// Whether to put right what can be.
    pub repair: bool,
}

/// How closely blobs are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckDepth {
    /// Only their sizes.
    Sizes,
    /// Every byte, against their digests.
    #[default]
    Content,
    /// The same, and layers are unpacked and compared with the diff IDs in their image's configuration.
    Layers,
}

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub what: &'static str,
    /// Bytes that were read, of all.
    pub done: u64,
    pub total: u64,
}
