//! Stores as a check finds them: nothing is made and nothing put right, unless that is asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Blob, BlobRecord, Changes, Entry};
use crate::domain::{Digest, Result};

/// Stores that nobody uses while this lives. Its calls block.
pub trait Audit: Send + Sync {
    /// Finds every record, which `record` is given one by one, and the name and size of every blob.
    ///
    /// # Errors
    /// `PermissionDenied` where something may not be read.
    fn scan(&self, record: &mut dyn FnMut(Entry)) -> Result<Inventory>;

    /// Opens a blob for reading, whether a record knows of it or not.
    ///
    /// # Errors
    /// `NotFound` where there is none; `PermissionDenied` where it may not be read.
    fn open_blob(&self, digest: &Digest) -> Result<Arc<dyn Blob>>;

    /// Repairs what was decided on: records first, then blobs. A crash in the middle leaves at most what the next start or
    /// check sees to.
    fn repair(self: Box<Self>, repair: &Repair) -> Result<()>;
}

/// What stores hold besides the records that can be read.
#[derive(Default)]
pub struct Inventory {
    /// Whether whoever used the stores last closed them.
    pub is_clean: bool,
    /// Whether the database is as it was written.
    pub is_database_intact: bool,
    pub unreadable: Vec<UnreadableRecord>,
    /// What stands where a blob belongs, whether a record knows of it or not.
    pub objects: BTreeMap<Digest, ObjectFile>,
    /// What stands among the blobs and can be none, sorted.
    pub strays: Vec<Stray>,
    /// What was being written, sorted.
    pub ingests: Vec<Stray>,
    /// What was being downloaded and is kept by the next start, sorted.
    pub resumable: Vec<Stray>,
}

/// A record that is there and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRecord {
    pub kind: RecordKind,
    /// The digest or name, or for a key that is neither its bytes in hexadecimal.
    pub key: String,
    /// The key as it is stored.
    pub raw: Vec<u8>,
    /// The version of the record, where it is one that a newer version of Loadline wrote.
    pub newer: Option<u8>,
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    Blob,
    Document,
    Config,
    Name,
    Sources,
}

/// What is found under a blob's digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectFile {
    /// As many bytes.
    Regular(u64),
    /// Something else, such as `a symbolic link`.
    Other(&'static str),
}

/// Something that does not belong where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stray {
    /// From the data root on.
    pub path: PathBuf,
    /// Bytes; 0 for what is not a file.
    pub size: u64,
}

/// What is to be done to stores.
#[derive(Default)]
pub struct Repair {
    /// Records to drop.
    pub unreadable: Vec<UnreadableRecord>,
    /// Records of blobs that are in place, which replace those that are there.
    pub blobs: Vec<(Digest, BlobRecord)>,
    /// Everything else that records are to say. The blobs that are removed go too.
    pub changes: Changes,
    /// Blobs to remove that no record knows.
    pub objects: Vec<Digest>,
    pub strays: Vec<Stray>,
}
