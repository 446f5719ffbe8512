//! What an archive says it holds.

use super::compression::Compression;
use crate::domain::{Descriptor, Digest};

/// A file of a docker-archive, which is named by path instead of digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveFile {
    pub digest: Digest,
    pub size: u64,
    pub compression: Compression,
}

/// What an archive says it holds: at least one image or document.
#[derive(Debug)]
pub enum Listing {
    /// The descriptors of an OCI layout's `index.json`, in order.
    Layout(Vec<Descriptor>),
    /// The images of a docker-archive's `manifest.json`, in order.
    Docker(Vec<DockerImage>),
}

/// One image of a docker-archive.
#[derive(Debug, PartialEq, Eq)]
pub struct DockerImage {
    /// The manifest that stands for the image, in the compact JSON that Docker Engine writes.
    pub manifest: Vec<u8>,
    /// Names as the archive gives them; may be empty.
    pub names: Vec<String>,
}
