//! Publishing: the one place where an image gets a name, and where anything that is kept changes.
//!
//! ```text
//! Candidate ──admit──▶ Admitted ──publish──▶ the writer: decide on the newest state, commit, apply, report
//! ```
//!
//! A [`Candidate`] is an image that is to get a name. The chain of [`Admission`]s decides on it, as early as the caller can
//! offer it: a pull before it fetches layers. Only what was [`Admitted`] can be published, because nothing else can be made
//! into a commit that sets a name. Blobs are durable before the writer is asked ([`Publisher::place`]), so its work is
//! short: it decides on the state that the commit expects, and commits.
//!
//! When the records are shared with other engines, the writer also follows what those commit (`follow`).

mod admission;
mod admit;
mod candidate;
mod decision;
mod event_log;
mod facts;
mod follow;
mod known_evidence;
mod names;
mod placing;
mod publisher;
mod record_log;
mod recorded;
mod report;
mod shared;
mod writer;

pub use admission::{Admission, AdmitAll, Admitted, Denial, Verdict};
pub use candidate::{Candidate, Evidence, Origin};
pub(super) use decision::{Content, Decision, Publication, RecordTerms, View};
pub use event_log::EventQuery;
pub(super) use event_log::Events;
pub use facts::Facts;
pub(super) use known_evidence::{Found, KnownEvidence};
pub(super) use publisher::Publisher;
pub use record_log::RecordEvent;
pub(super) use report::Report;

#[cfg(test)]
mod tests;
