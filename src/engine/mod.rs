//! L3: what Loadline does, one verb a file. The only layer that sequences the others.
//!
//! [`Engine`] is what facades see. It answers lists from the catalog, which holds every parsed document in memory, and
//! goes to the store for bytes only.

mod admission;
mod attestations;
mod blobs;
mod catalog;
pub mod check;
mod client_leases;
mod clock;
mod core;
mod disk_usage;
mod downloads;
mod events;
mod filter;
mod gc;
mod graph;
mod history;
mod import;
mod inspect;
mod lease;
mod leases;
mod list;
mod load;
mod node;
mod operation;
mod prune;
mod publish;
mod pull;
mod push;
mod records;
mod remote;
mod remove;
mod renewal;
mod save;
mod stream;
mod tag;
mod uploads;
mod verify;

pub use crate::policy::rules::{Action as RuleAction, Decision as RuleDecision, Rules};
pub use crate::registry::{Credential, InsecureRegistry, Proxies, TokenService};
pub use crate::store::local::{LARGEST_PACKED_BLOB, MAX_PACKED_BLOB_SIZE};
pub use admission::{RulesAdmission, Verify};
pub use attestations::AttestationQuery;
pub use blobs::{Blob, BlobInfo, IngestStatus};
pub use catalog::ImageRecord;
pub use client_leases::{ClientLease, LeaseEnd, LeaseResource};
pub use clock::Clock;
pub use core::{Engine, PullAttestations, Settings};
pub use disk_usage::{ContentUsage, DiskUsage};
pub use filter::{EventFilter, ImageFilter, PruneFilter};
pub use import::{ImportEvent, ImportRequest};
pub use list::{ListQuery, ListedImage, Listing};
pub use load::{LoadEvent, LoadOptions};
pub use node::{NodeImage, Pinned};
pub use prune::Pruned;
pub use publish::{
    Admission, AdmitAll, Admitted, Candidate, Denial, EventQuery, Evidence, Facts, Origin, RecordEvent, Verdict,
};
pub use pull::{BlobState, PullEvent, PullRequest};
pub use push::{PushEvent, PushRequest, UploadState};
pub use records::{NewRecord, RecordEdit, RecordUpdate};
pub use remote::RemoteImage;
pub use remove::{RemoveOptions, Removed};
pub use save::{SaveOptions, Saved};
pub use verify::{PlatformVerification, Verification, VerifyQuery};

#[cfg(test)]
mod tests;
