//! Pull: images out of a registry.
//!
//! Documents are fetched first, from the name down to the manifest of the platform; then its blobs and its attestations,
//! side by side with the evidence that others have put beside the image. Everything is held by a lease and becomes visible
//! in one step with the name: a pull that fails or is given up leaves nothing behind.

mod blobs;
mod documents;
mod evidence;
mod progress;
mod publish;
mod pulling;
mod run;
mod walk;

pub use progress::{BlobState, PullEvent, PullRequest};
