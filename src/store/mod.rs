//! L1: what is kept: blobs by digest, the records about them, and leases.
//!
//! Three traits, which other crates can implement as well:
//!
//! | trait | keeps |
//! | --- | --- |
//! | [`BlobStore`] | the bytes of blobs, by digest |
//! | [`MetadataStore`] | records: names, what blobs were parsed to, where images came from; it changes in one way only, by a [`Commit`] against an expected [`Revision`] |
//! | [`LeaseStore`] | who needs which content, and until when |
//!
//! [`Stores`] is a set of them that belongs together. Two implementations stand here, on local files ([`local::open`]) and
//! in memory ([`MemoryStore`]). One suite, [`conformance`], says in code what every implementation promises.
//!
//! The order that keeps both stores together: a blob is durable ([`BlobStore::place`]) before a commit records it, and a
//! commit drops the record before the blob goes ([`BlobStore::remove`]). A crash in between leaves a blob that no record
//! knows, never a record without its blob.
//!
//! Methods are asynchronous, because a store may be reached over a network. Work that waits for a disk is moved off the
//! runtime's threads by the implementation ([`blocking::offload`]), unless the caller is on a thread that may wait
//! ([`blocking::wait`]).

mod audit;
mod blobs;
pub mod blocking;
pub mod conformance;
mod journal;
mod leases;
pub mod local;
mod memory;
mod metadata;
pub mod record;

use std::sync::Arc;

pub use audit::{Audit, Inventory, ObjectFile, RecordKind, Repair, Stray, UnreadableRecord};
pub use blobs::{Blob, BlobStore, Ingest, IngestRequest, IngestStatus, MIN_PARTIAL, Staged, StagedContent, StoreUsage};
pub use leases::{HeldLease, LeaseId, LeaseStore};
pub use memory::MemoryStore;
pub use metadata::{
    Batch, Changes, Commit, CommitOutcome, Entry, MetadataStore, OperationId, ReadScope, Records, Revision,
};
pub use record::{BlobRecord, EvidenceState, NameRecord, Sources, Verdict};

/// The stores of one data root, or of one fleet.
#[derive(Clone)]
pub struct Stores {
    pub blobs: Arc<dyn BlobStore>,
    pub metadata: Arc<dyn MetadataStore>,
    pub leases: Arc<dyn LeaseStore>,
}
