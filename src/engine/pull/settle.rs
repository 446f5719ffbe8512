//! The end of a pull: what it fetched becomes an image, all at once.

use std::collections::HashMap;

use super::super::graph::image_graph::{BlobSource, ImageGraph};
use super::super::publish::names::name_changes;
use super::super::{Inner, now};
use super::Landed;
use crate::domain::{Descriptor, Digest, Error, Kind, Reference, Result};
use crate::store::{Changes, Lease, Staged};

/// What a pull has gathered.
pub(super) struct Harvest<'a> {
    pub(super) name: Reference,
    pub(super) target: Descriptor,
    /// The documents that were fetched.
    pub(super) documents: HashMap<Digest, bytes::Bytes>,
    pub(super) blobs: &'a [Landed],
    /// Documents that are evidence about the image.
    pub(super) referrers: Vec<Descriptor>,
    /// What the image cannot do without.
    pub(super) needed: Vec<Digest>,
    pub(super) lease: &'a Lease,
}

impl Inner {
    /// Makes what was fetched durable and sets the name. Blocks.
    pub(super) fn settle(&self, harvest: Harvest<'_>) -> Result<()> {
        let mut staged = HashMap::new();
        for (digest, bytes) in &harvest.documents {
            let mut ingest = self.store.ingest(&format!("pull {digest}"), bytes.len() as u64, Some(digest.clone()))?;
            ingest.write(bytes)?;
            staged.insert(digest.clone(), ingest.finish()?);
        }
        let blobs = harvest.blobs.iter().map(|landed| (&landed.digest, landed)).collect();
        let mut source = PullSource { inner: self, lease: harvest.lease, staged, blobs };
        let source_of = harvest.name.repository();
        let target = harvest.target.digest.clone();
        // From here on no other pull can take a blob that both have fetched, and no name can move.
        let mut writer = self.writer();
        let mut graph = ImageGraph::default();
        graph.add(&source, harvest.target, &[])?;
        match graph.images.first_mut() {
            Some(image) => image.name = Some(harvest.name),
            None => return Err(Error::invalid(format!("{target} is evidence about an image, not an image"))),
        }
        for referrer in harvest.referrers {
            graph.add(&source, referrer, &[])?;
        }
        {
            let state = self.catalog.state();
            graph.resolve_referrers(|subject| state.blob(subject).is_some());
        }
        if let Some(lost) = harvest.needed.iter().find(|digest| !graph.blobs.contains(*digest)) {
            // Another pull had taken it and could not keep it.
            return Err(Error::new(Kind::Unavailable, format!("content {lost} was lost during the pull: try again")));
        }
        let blobs = graph.blobs.iter().filter_map(|digest| source.take(digest)).collect();
        let now = now();
        let (names, sources) = {
            let state = self.catalog.state();
            let mut sources = state.sources(&target).to_vec();
            if !sources.contains(&source_of) {
                sources.push(source_of);
            }
            (name_changes(&state, &graph.images, now), vec![(target, sources)])
        };
        let ImageGraph { documents, configs, .. } = graph;
        writer.commit(Changes { blobs, documents, configs, names, sources, now, ..Changes::default() })
    }
}

/// What a pull has, wherever it is. Holds true only while the writer is held.
struct PullSource<'a> {
    inner: &'a Inner,
    lease: &'a Lease,
    staged: HashMap<Digest, Staged>,
    blobs: HashMap<&'a Digest, &'a Landed>,
}

impl PullSource<'_> {
    /// A blob that is to be committed; `None` where another pull has committed it, or it was here before.
    fn take(&mut self, digest: &Digest) -> Option<Staged> {
        let fetched = || self.blobs.get(digest)?.fetched.staged().take();
        self.staged.remove(digest).or_else(fetched)
    }
}

impl BlobSource for PullSource<'_> {
    fn size(&self, digest: &Digest) -> Option<u64> {
        if let Some(staged) = self.staged.get(digest) {
            return Some(staged.size);
        }
        let fetched = self.blobs.get(digest).and_then(|landed| landed.fetched.staged().as_ref().map(|s| s.size));
        fetched.or_else(|| self.inner.catalog.state().blob(digest).map(|record| record.size))
    }

    fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        if let Some(staged) = self.staged.get(digest) {
            return super::super::blobs::read_whole(staged.open()?.as_ref(), limit).map_err(|e| e.context(digest));
        }
        match self.blobs.get(digest) {
            Some(landed) => self.inner.read_landed(landed, limit),
            None => self.inner.read_whole(digest, limit),
        }
    }

    fn hold(&self, digest: &Digest) -> Result<()> {
        self.lease.hold(digest);
        Ok(())
    }
}

impl Inner {
    /// A small blob that was fetched, whether a pull has committed it by now or not. The writer must be held, or else a
    /// blob may be neither here nor there.
    pub(super) fn read_landed(&self, landed: &Landed, limit: u64) -> Result<Vec<u8>> {
        if let Some(staged) = landed.fetched.staged().as_ref() {
            let read = super::super::blobs::read_whole(staged.open()?.as_ref(), limit);
            return read.map_err(|e| e.context(&landed.digest));
        }
        self.read_whole(&landed.digest, limit)
    }
}
