//! Uploads of one engine: how many may run at a time, and what was pushed where.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::domain::{Digest, Reference};

/// How many repositories a blob is looked for in.
pub(super) const MAX_ORIGINS: usize = 2;

/// How many blobs are remembered to have been pushed.
const MAX_REMEMBERED: usize = 1 << 14;

/// Repositories of one registry that may hold a blob, the likeliest first.
pub(super) type Origins = HashMap<Digest, Vec<Reference>>;

/// Every upload of one engine.
pub(super) struct Uploads {
    pub(super) permits: Semaphore,
    /// How many may run at a time.
    pub(super) limit: usize,
    pub(super) pushed: Pushed,
}

impl Uploads {
    /// Uploads of which at most `limit` run at a time.
    pub(super) fn new(limit: usize) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        Self { permits: Semaphore::new(limit), limit, pushed: Pushed::default() }
    }
}

/// Which blobs were pushed where since the start.
#[derive(Default)]
pub(super) struct Pushed(Mutex<HashMap<(String, Digest), Reference>>);

impl Pushed {
    /// Notes that a repository holds blobs.
    pub(super) fn remember<'a>(&self, repository: &Reference, blobs: impl Iterator<Item = &'a Digest>) {
        let mut all = self.0.lock();
        for blob in blobs {
            if all.len() >= MAX_REMEMBERED {
                all.clear();
            }
            all.entry((repository.domain().to_owned(), blob.clone())).or_insert_with(|| repository.clone());
        }
    }

    /// Adds what is remembered of blobs that no image is known to have come with.
    pub(super) fn complete<'a>(
        &self,
        origins: &mut Origins,
        name: &Reference,
        blobs: impl Iterator<Item = &'a Digest>,
    ) {
        let all = self.0.lock();
        for digest in blobs {
            if let Some(repository) = all.get(&(name.domain().to_owned(), digest.clone()))
                && !repository.same_repository(name)
            {
                let known = origins.entry(digest.clone()).or_default();
                if known.len() < MAX_ORIGINS && !known.contains(repository) {
                    known.push(repository.clone());
                }
            }
        }
    }
}
