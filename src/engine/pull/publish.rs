//! The end of a pull: what it fetched becomes an image, all at once.

use std::collections::HashMap;

use bytes::Bytes;

use super::super::core::Inner;
use super::super::downloads::ReceivedState;
use super::super::graph::image_graph::{BlobSource, ImageGraph};
use super::super::leases::Lease;
use super::super::publish::{Admitted, Content, Publication, RecordTerms, Report};
use super::super::stream::whole::read_whole;
use super::blobs::FetchedBlob;
use super::evidence::Referrer;
use crate::domain::{Descriptor, Digest, Error, Kind, Reference, Result};
use crate::store::blocking::wait;
use crate::store::{BlobRecord, IngestRequest, Staged};

/// What a pull has gathered.
pub(super) struct Gathered<'a> {
    pub(super) admitted: Admitted,
    pub(super) name: Reference,
    pub(super) target: Descriptor,
    /// The documents that were fetched.
    pub(super) documents: HashMap<Digest, Bytes>,
    pub(super) blobs: &'a [FetchedBlob],
    /// Documents that are evidence about the image.
    pub(super) referrers: Vec<Referrer>,
    /// What the image cannot do without.
    pub(super) needed: Vec<Digest>,
    pub(super) lease: &'a Lease,
}

impl Inner {
    /// Makes what was fetched durable and sets the name. Blocks.
    pub(super) fn publish_pulled(&self, gathered: Gathered<'_>) -> Result<()> {
        let mut placed = HashMap::new();
        let blobs = gathered.blobs;
        let result = self.try_publish(gathered, &mut placed);
        if result.is_err() {
            // Other pulls that share these learn that they are gone before they are.
            for blob in blobs {
                *wait(blob.received.state.lock()) = ReceivedState::Lost;
            }
            wait(self.publisher.discard(placed.into_keys().collect()));
        }
        result
    }

    fn try_publish(&self, gathered: Gathered<'_>, placed: &mut HashMap<Digest, BlobRecord>) -> Result<()> {
        let Gathered { admitted, name, target, documents, blobs, referrers, needed, lease } = gathered;
        if !admitted.is_of(&target.digest) {
            return Err(Error::internal("the pull failed", "another image was admitted"));
        }
        let mut staged = Vec::with_capacity(documents.len());
        for (digest, bytes) in &documents {
            staged.push(self.stage_document(digest, bytes)?);
        }
        self.place_all(staged, blobs, placed)?;
        let source = PullSource { inner: self, lease, placed };
        let mut graph = ImageGraph::default();
        graph.add_as(&source, target, Some(name.clone()), &[])?;
        for referrer in referrers {
            match referrer.tagged_subject {
                Some(subject) => graph.add_evidence(&source, &referrer.descriptor, &subject)?,
                None => graph.add(&source, referrer.descriptor, &[])?,
            }
        }
        {
            let state = self.catalog.state();
            graph.resolve_referrers(|subject| state.blob(subject).is_some());
        }
        let lost =
            |digest| Error::new(Kind::Unavailable, format!("content {digest} was lost during the pull: try again"));
        if let Some(missing) = needed.into_iter().find(|digest| !graph.blobs.contains(digest)) {
            return Err(lost(missing));
        }
        let (own, needs) =
            graph.blobs.iter().cloned().partition::<Vec<Digest>, _>(|digest| placed.contains_key(digest));
        // What nothing reaches does not stay.
        let unreached: Vec<Digest> = placed.keys().filter(|digest| !graph.blobs.contains(*digest)).cloned().collect();
        let records = own.into_iter().filter_map(|digest| Some((digest.clone(), *placed.get(&digest)?))).collect();
        let publication = Publication {
            content: Content { blobs: records, documents: graph.documents, configs: graph.configs },
            pulled_from: Some(name.repository()),
            needs,
            report: Report::Pull(name),
            record: RecordTerms::default(),
        };
        wait(self.publisher.publish(admitted, publication))?;
        wait(self.publisher.discard(unreached));
        Ok(())
    }

    fn stage_document(&self, digest: &Digest, bytes: &[u8]) -> Result<Staged> {
        let request = IngestRequest {
            reference: format!("pull {digest}"),
            total: bytes.len() as u64,
            expected: Some(digest.clone()),
            resume: false,
        };
        let mut ingest = wait(self.stores.blobs.ingest(request))?;
        wait(ingest.write(bytes))?;
        wait(ingest.finish())
    }

    /// Places documents, and those of the blobs that no other pull has placed.
    fn place_all(
        &self,
        mut staged: Vec<Staged>,
        blobs: &[FetchedBlob],
        placed: &mut HashMap<Digest, BlobRecord>,
    ) -> Result<()> {
        // Everybody takes them in the same order, so that nobody waits for one who waits for him.
        let mut blobs: Vec<&FetchedBlob> = blobs.iter().collect();
        blobs.sort_by(|a, b| a.digest.cmp(&b.digest));
        blobs.dedup_by(|a, b| a.digest == b.digest);
        let created_at = self.publisher.now();
        let mut taken = Vec::new();
        for blob in blobs {
            let mut state = wait(blob.received.state.lock());
            match std::mem::replace(&mut *state, ReceivedState::Lost) {
                ReceivedState::Staged(content) => {
                    staged.push(content);
                    // It counts as lost until it is placed, also where this panics.
                    taken.push(state);
                }
                ReceivedState::Placed => {
                    *state = ReceivedState::Placed;
                    placed.insert(blob.digest.clone(), BlobRecord { size: blob.received.size, created_at });
                }
                ReceivedState::Lost => {
                    let text = format!("content {} was lost during the pull: try again", blob.digest);
                    return Err(Error::new(Kind::Unavailable, text));
                }
            }
        }
        placed.extend(wait(self.publisher.place(staged))?);
        for mut state in taken {
            *state = ReceivedState::Placed;
        }
        Ok(())
    }
}

/// What a pull has placed, and what was here before.
struct PullSource<'a> {
    inner: &'a Inner,
    lease: &'a Lease,
    placed: &'a HashMap<Digest, BlobRecord>,
}

impl BlobSource for PullSource<'_> {
    fn size(&self, digest: &Digest) -> Option<u64> {
        match self.placed.get(digest) {
            Some(record) => Some(record.size),
            None => self.inner.catalog.state().blob(digest).map(|record| record.size),
        }
    }

    fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        self.inner.read_whole(digest, limit)
    }

    fn hold(&self, digest: &Digest) -> Result<()> {
        // What was removed in the meantime is found missing when the name is set.
        self.lease.hold_in_advance(digest);
        Ok(())
    }
}

impl Inner {
    /// A small blob that was fetched, whether a pull has placed it by now or not. Blocks.
    pub(super) fn read_fetched(&self, fetched: &FetchedBlob, limit: u64) -> Result<Vec<u8>> {
        let state = wait(fetched.received.state.lock());
        match &*state {
            ReceivedState::Staged(staged) => {
                read_whole(wait(staged.open())?.as_ref(), limit).map_err(|e| e.context(&fetched.digest))
            }
            ReceivedState::Placed | ReceivedState::Lost => self.read_whole(&fetched.digest, limit),
        }
    }
}
