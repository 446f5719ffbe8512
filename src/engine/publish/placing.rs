//! Blobs on their way from an ingest to a record.

use super::decision::{Content, Decision};
use super::publisher::Publisher;
use crate::domain::{Digest, Result};
use crate::store::{BlobRecord, Staged};

impl Publisher {
    /// Makes blobs durable and readable by their digests; returns the records to publish them with. Until a commit has
    /// recorded them, whoever called this must hold them by a lease, and take them back with [`Publisher::discard`] where
    /// there will be no such commit.
    pub(in crate::engine) async fn place(&self, staged: Vec<Staged>) -> Result<Vec<(Digest, BlobRecord)>> {
        let created_at = self.now();
        let records: Vec<(Digest, BlobRecord)> =
            staged.iter().map(|staged| (staged.digest.clone(), BlobRecord { size: staged.size, created_at })).collect();
        self.leases().flush().await?;
        if let Err(error) = self.stores().blobs.place(staged).await {
            self.discard(records.into_iter().map(|(digest, _)| digest).collect()).await;
            return Err(error);
        }
        Ok(records)
    }

    /// Places blobs and records them, without a name.
    pub(in crate::engine) async fn record(&self, staged: Vec<Staged>) -> Result<()> {
        let blobs = self.place(staged).await?;
        let digests: Vec<Digest> = blobs.iter().map(|(digest, _)| digest.clone()).collect();
        let content = Content { blobs, ..Content::default() };
        let recorded = self.change(move |_| Ok((Decision::content(content.clone()), ()))).await;
        if recorded.is_err() {
            self.discard(digests).await;
        }
        recorded
    }

    /// Removes placed blobs that no record knows and nobody holds. What cannot be removed is left to the next start.
    pub(in crate::engine) async fn discard(&self, blobs: Vec<Digest>) {
        if blobs.is_empty() {
            return;
        }
        let decided = self.change_alone(move |view| {
            let nobody_needs =
                |digest: &&Digest| view.state.blob(digest).is_none() && !view.held_elsewhere.contains(*digest);
            let unneeded = blobs.iter().filter(nobody_needs).cloned().collect();
            // Whoever holds one of them has placed it as well, or will.
            let condemned = view.leases.condemn_free(unneeded);
            Ok((Decision::unrecorded(condemned.clone()), condemned))
        });
        match decided.await {
            Ok(condemned) => self.remove_blobs(condemned).await,
            Err(error) => {
                tracing::warn!(
                    error = error.chain(),
                    "could not remove blobs of an operation that failed; the next start does"
                );
            }
        }
    }

    /// Removes the bytes of blobs whose records a commit has dropped. It goes on when whoever waits for it does not.
    pub(in crate::engine) async fn remove_blobs(&self, condemned: Vec<Digest>) {
        if condemned.is_empty() {
            return;
        }
        let blobs = self.stores().blobs.clone();
        let removal = async move { blobs.remove(&condemned).await };
        let _ = self.shared.runtime.spawn(removal).await;
    }
}
