//! What the writer is asked to commit.

use std::collections::HashSet;
use std::sync::Arc;

use super::report::Report;
use crate::domain::manifest::{ConfigSummary, Document};
use crate::domain::{Digest, NameKey, StringMap};
use crate::engine::catalog::State;
use crate::engine::gc::parents::ParentIndex;
use crate::engine::leases::Leases;
use crate::store::{BlobRecord, Changes};

/// What a decision is made on: nothing changes between this and the commit.
pub(in crate::engine) struct View<'a> {
    pub(in crate::engine) state: &'a State,
    pub(in crate::engine) parents: &'a ParentIndex,
    pub(in crate::engine) leases: &'a Leases,
    /// What other engines hold. Known for decisions that are made alone, else empty.
    pub(in crate::engine) held_elsewhere: &'a HashSet<Digest>,
    /// Nanoseconds since the Unix epoch.
    pub(super) now: i64,
}

/// A change that was decided on.
pub(in crate::engine) struct Decision {
    pub(super) changes: Changes,
    pub(super) report: Report,
    /// Blobs to remove that no record knows.
    pub(super) unrecorded: Vec<Digest>,
    /// Names and targets that must stay as they are until the commit although it does not change them.
    pub(super) depends_on: Vec<String>,
}

/// Records of blobs that are placed.
#[derive(Clone, Default)]
pub(in crate::engine) struct Content {
    pub(in crate::engine) blobs: Vec<(Digest, BlobRecord)>,
    pub(in crate::engine) documents: Vec<(Digest, Arc<Document>)>,
    pub(in crate::engine) configs: Vec<(Digest, Arc<ConfigSummary>)>,
}

/// What comes with a name that is set.
pub(in crate::engine) struct Publication {
    /// The records that come along.
    pub(in crate::engine) content: Content,
    /// The repository that the image was pulled from, with its registry; absent where it came otherwise.
    pub(in crate::engine) pulled_from: Option<String>,
    /// Content that the image needs and that was here before: it must still be when the name is set.
    pub(in crate::engine) needs: Vec<Digest>,
    /// How the change is told.
    pub(in crate::engine) report: Report,
    /// What stands beside the names.
    pub(in crate::engine) record: RecordTerms,
}

/// What a client wants to stand beside a name that is set.
#[derive(Clone, Default)]
pub(in crate::engine) struct RecordTerms {
    /// The labels; those that stood beside the name before where absent.
    pub(in crate::engine) labels: Option<StringMap>,
    /// What counts as the time at which the name is set, in nanoseconds since the Unix epoch; now where absent.
    pub(in crate::engine) at: Option<i64>,
}

impl Decision {
    /// No change.
    pub(in crate::engine) fn nothing(report: Report) -> Self {
        Self { changes: Changes::default(), report, unrecorded: Vec::new(), depends_on: Vec::new() }
    }

    /// Content that counts from now on, without a name.
    pub(in crate::engine) fn content(content: Content) -> Self {
        let Content { blobs, documents, configs } = content;
        let changes = Changes { blobs, documents, configs, ..Changes::default() };
        Self { changes, ..Self::nothing(Report::Nothing) }
    }

    /// Names and blobs that go. The blobs must be condemned in the leases.
    pub(in crate::engine) fn removal(names: Vec<NameKey>, blobs: Vec<Digest>, report: Report) -> Self {
        let names = names.into_iter().map(|name| (name.to_string(), None)).collect();
        let changes = Changes { names, removed: blobs, ..Changes::default() };
        Self { changes, ..Self::nothing(report) }
    }

    /// Blobs that go and that no record knows. They must be condemned in the leases.
    pub(in crate::engine) fn unrecorded(blobs: Vec<Digest>) -> Self {
        Self { unrecorded: blobs, ..Self::nothing(Report::Nothing) }
    }

    /// The names and targets that the decision depends on, or changes.
    pub(super) fn touches(&self, state: &State) -> Vec<String> {
        let mut touched = self.depends_on.clone();
        for (name, record) in &self.changes.names {
            touched.push(name.clone());
            touched.extend(record.iter().map(|record| record.target.digest.to_string()));
            touched.extend(state.name(name).map(|old| old.target.digest.to_string()));
        }
        touched.extend(self.changes.sources.iter().map(|(digest, _)| digest.to_string()));
        touched
    }
}
