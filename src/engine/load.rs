//! Load: images out of an archive.
//!
//! Blobs go to the store as they come, in batches with one sync each; what the archive says they are is read at its end,
//! and names are set last. Until then everything is held by a lease, and a load that fails or is given up takes back what
//! it brought.

use std::collections::HashMap;
use std::io::{self, Read};

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc;

use super::graph::image_graph::{BlobSource, Image, ImageGraph};
use super::publish::names::name_changes;
use super::stream::blocking_reader::PieceReader;
use super::{Engine, Inner, now};
use crate::archive::{self, Sink};
use crate::domain::{Descriptor, Digest, Error, Kind, Platform, Reference, Result};
use crate::store::{Changes, Lease, Staged};

/// How many blobs one sync makes durable.
const BATCH: usize = 4096;

/// Bytes that are read from the archive at a time.
const BUFFER: usize = 256 << 10;

/// How a load is done.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Load only these platforms, with the attestations about them; everything where empty.
    pub platforms: Vec<Platform>,
}

/// What happened in a load.
#[derive(Debug)]
pub enum LoadEvent {
    /// A name was set; in its familiar form.
    Named(String),
    /// An image without a name is kept under its digest.
    Untagged(Digest),
    /// The load failed, and everything it brought is taken back. Nothing follows.
    Failed(Error),
}

impl Engine {
    /// Loads the images of an archive that arrives as a stream: an OCI layout or a docker-archive, plain or compressed.
    ///
    /// Events arrive when the load is durable; the channel closes after the last. Dropping the receiver gives the load
    /// up.
    pub fn load(
        &self,
        options: LoadOptions,
        archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> mpsc::Receiver<LoadEvent> {
        let (events, receiver) = mpsc::channel(16);
        let reader = PieceReader::of(archive, &events);
        let engine = self.clone();
        tokio::task::spawn_blocking(move || {
            let result = engine.0.load(&options, reader);
            match result {
                Ok(done) => done.into_iter().for_each(|event| drop(events.blocking_send(event))),
                Err(error) => drop(events.blocking_send(LoadEvent::Failed(error))),
            }
        });
        receiver
    }
}

impl Inner {
    fn load(&self, options: &LoadOptions, archive: PieceReader) -> Result<Vec<LoadEvent>> {
        let mut loading = Loading {
            inner: self,
            lease: self.leases.acquire(),
            staged: HashMap::new(),
            committed: Vec::new(),
            buffer: vec![0; BUFFER],
        };
        // A panic must not look like a load that found nothing, and must not leave its blobs behind.
        let run = std::panic::AssertUnwindSafe(|| loading.run(options, archive));
        let result = std::panic::catch_unwind(run)
            .unwrap_or_else(|_| Err(Error::internal("the load failed", "a panic, which was logged")));
        let Loading { lease, staged, committed, .. } = loading;
        // What was staged and not committed goes first: it may be what filled the disk.
        drop(staged);
        drop(lease);
        let cleared = match committed.is_empty() {
            true => Ok(()),
            false => self.collect(Some(&committed)).map(drop),
        };
        if let Err(error) = cleared {
            tracing::warn!(error = error.chain(), "removing what a load left behind; a later collection will");
        }
        result
    }
}

/// A load in progress.
struct Loading<'a> {
    inner: &'a Inner,
    lease: Lease,
    /// Blobs that are written and not committed.
    staged: HashMap<Digest, Staged>,
    /// Blobs that this load committed and that no name may hold.
    committed: Vec<Digest>,
    buffer: Vec<u8>,
}

impl Sink for Loading<'_> {
    fn wants(&mut self, digest: &Digest) -> bool {
        let stays = self.lease.hold(digest);
        !(self.staged.contains_key(digest) || stays && self.inner.catalog.state().blob(digest).is_some())
    }

    fn take(&mut self, expected: Option<&Digest>, size: u64, content: &mut dyn Read) -> Result<Digest> {
        let mut ingest = self.inner.store.ingest("load", size, expected.cloned())?;
        loop {
            match content.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => ingest.write(&self.buffer[..read])?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(archive::unreadable(e)),
            }
        }
        let staged = ingest.finish()?;
        let digest = staged.digest.clone();
        if expected.is_none() && !self.wants(&digest) {
            return Ok(digest);
        }
        self.staged.insert(digest.clone(), staged);
        if self.staged.len() >= BATCH {
            self.commit_staged()?;
        }
        Ok(digest)
    }
}

impl Loading<'_> {
    fn run(&mut self, options: &LoadOptions, archive: PieceReader) -> Result<Vec<LoadEvent>> {
        let listing = archive::read(archive, self)?;
        let mut graph = ImageGraph::default();
        match listing {
            archive::Listing::Layout(descriptors) => {
                for descriptor in descriptors {
                    graph.add(self, descriptor, &options.platforms)?;
                }
            }
            archive::Listing::Docker(images) => {
                for image in images {
                    self.add_docker(&mut graph, image, &options.platforms)?;
                }
            }
        }
        {
            let state = self.inner.catalog.state();
            graph.resolve_referrers(|subject| state.blob(subject).is_some());
        }
        self.finish(graph)
    }

    fn add_docker(
        &mut self,
        graph: &mut ImageGraph,
        image: archive::DockerImage,
        platforms: &[Platform],
    ) -> Result<()> {
        let size = image.manifest.len() as u64;
        let digest = self.take(None, size, &mut image.manifest.as_slice())?;
        let target = Descriptor::new(crate::domain::MediaType::DOCKER_MANIFEST, digest, size);
        if image.names.is_empty() {
            return graph.add(self, target, platforms);
        }
        for name in image.names {
            let mut target = target.clone();
            if let Ok(reference) = Reference::parse(&name) {
                let reference = reference.with_default_tag();
                let tag = reference.tag().unwrap_or_default();
                target.annotations = archive::name_annotations(&reference.to_string(), tag).into_iter().collect();
            }
            graph.add(self, target, platforms)?;
        }
        Ok(())
    }

    /// Makes the blobs so far durable. They are visible from then on, but no name leads to them.
    fn commit_staged(&mut self) -> Result<()> {
        let blobs: Vec<Staged> = self.staged.drain().map(|(_, staged)| staged).collect();
        let digests: Vec<Digest> = blobs.iter().map(|staged| staged.digest.clone()).collect();
        self.inner.commit(Changes { blobs, now: now(), ..Changes::default() })?;
        self.committed.extend(digests);
        Ok(())
    }

    /// Commits what is planned, names last.
    fn finish(&mut self, graph: ImageGraph) -> Result<Vec<LoadEvent>> {
        self.staged.retain(|digest, _| graph.blobs.contains(digest));
        let blobs = self.staged.drain().map(|(_, staged)| staged).collect();
        let now = now();
        // Which names move depends on what they point at now, so nothing may change in between.
        let mut writer = self.inner.writer();
        let names = name_changes(&self.inner.catalog.state(), &graph.images, now);
        writer.commit(Changes {
            blobs,
            documents: graph.documents,
            configs: graph.configs,
            names,
            now,
            ..Changes::default()
        })?;
        self.committed.retain(|digest| !graph.blobs.contains(digest));
        self.committed.extend(graph.evidence);
        self.inner.emit_loaded(graph.images.iter().map(|image| &image.target));
        let event = |image: &Image| match &image.name {
            Some(name) => LoadEvent::Named(name.familiar()),
            None => LoadEvent::Untagged(image.target.digest.clone()),
        };
        Ok(graph.images.iter().map(event).collect())
    }
}

impl BlobSource for Loading<'_> {
    fn size(&self, digest: &Digest) -> Option<u64> {
        match self.staged.get(digest) {
            Some(staged) => Some(staged.size),
            None => self.inner.catalog.state().blob(digest).map(|record| record.size),
        }
    }

    fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        match self.staged.get(digest) {
            Some(staged) => super::blobs::read_whole(staged.open()?.as_ref(), limit).map_err(|e| e.context(digest)),
            None => self.inner.read_whole(digest, limit),
        }
    }

    fn hold(&self, digest: &Digest) -> Result<()> {
        match self.lease.hold(digest) || self.staged.contains_key(digest) {
            true => Ok(()),
            // It was here when the archive was read, in another image that was deleted meanwhile.
            false => {
                Err(Error::new(Kind::Unavailable, format!("content {digest} was removed during the load: try again")))
            }
        }
    }
}
