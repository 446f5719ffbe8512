//! Load: images out of an archive.
//!
//! Blobs go to the store as they come, in batches with one sync each; what the archive says they are is read at its end,
//! and names are set last. Until then everything is held by a lease, and a load that fails or is given up takes back what
//! it brought.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc;

use super::core::{Engine, Inner};
use super::gc::collect::collect;
use super::graph::image_graph::{BlobSource, Image, ImageGraph};
use super::leases::Lease;
use super::operation::Operation;
use super::publish::{Candidate, Content, Evidence, Facts, Found, Origin, Publication, RecordTerms, Report};
use super::stream::blocking_reader::blocking_reader;
use super::stream::whole::read_whole;
use crate::archive::{self, Sink};
use crate::domain::{Descriptor, Digest, Error, Kind, Platform, Reference, Result, attestation};
use crate::store::blocking::wait;
use crate::store::{IngestRequest, Staged};

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
        let reader = blocking_reader(archive, &events);
        let (engine, client) = (self.clone(), tracing::Span::current());
        tokio::task::spawn_blocking(move || {
            let _client = client.entered();
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
    fn load(&self, options: &LoadOptions, archive: impl Read) -> Result<Vec<LoadEvent>> {
        let mut loading = Loading {
            inner: self,
            operation: Operation::start(),
            lease: self.leases.acquire(),
            staged: HashMap::new(),
            found: HashSet::new(),
            recorded: Vec::new(),
            buffer: vec![0; BUFFER],
        };
        // A panic must not look like a load that found nothing, and must not leave its blobs behind.
        let run = std::panic::AssertUnwindSafe(|| loading.run(options, archive));
        let result = std::panic::catch_unwind(run)
            .unwrap_or_else(|_| Err(Error::internal("the load failed", "a panic, which was logged")));
        let Loading { lease, staged, recorded, .. } = loading;
        // What was staged and not placed goes first: it may be what filled the disk.
        drop(staged);
        drop(lease);
        if !recorded.is_empty()
            && let Err(error) = wait(collect(&self.publisher, Some(recorded)))
        {
            tracing::warn!(error = error.chain(), "could not remove what a load left behind; the next prune does");
        }
        result
    }
}

/// A load in progress.
struct Loading<'a> {
    inner: &'a Inner,
    operation: Operation,
    lease: Lease,
    /// Blobs that are written and not placed.
    staged: HashMap<Digest, Staged>,
    /// Blobs of the archive that were here when they came, and so were not written.
    found: HashSet<Digest>,
    /// Blobs that this load has recorded and that no name may hold.
    recorded: Vec<Digest>,
    buffer: Vec<u8>,
}

impl Sink for Loading<'_> {
    fn wants(&mut self, digest: &Digest) -> bool {
        let is_found = self.lease.hold(digest) && self.inner.catalog.state().blob(digest).is_some();
        if is_found {
            self.found.insert(digest.clone());
        }
        !(self.staged.contains_key(digest) || is_found)
    }

    fn take(&mut self, expected: Option<&Digest>, size: u64, content: &mut dyn Read) -> Result<Digest> {
        let request =
            IngestRequest { reference: "load".to_owned(), total: size, expected: expected.cloned(), resume: false };
        let mut ingest = wait(self.inner.stores.blobs.ingest(request))?;
        loop {
            match content.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => wait(ingest.write(&self.buffer[..read]))?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(archive::unreadable(e)),
            }
        }
        let staged = wait(ingest.finish())?;
        let digest = staged.digest.clone();
        if expected.is_none() && !self.wants(&digest) {
            return Ok(digest);
        }
        self.staged.insert(digest.clone(), staged);
        if self.staged.len() >= BATCH {
            self.record_staged()?;
        }
        Ok(digest)
    }

    fn read(&mut self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        BlobSource::read(self, digest, limit)
    }
}

impl Loading<'_> {
    fn run(&mut self, options: &LoadOptions, archive: impl Read) -> Result<Vec<LoadEvent>> {
        let listing = archive::read(archive, self)?;
        let graph = self.graph(listing, options).and_then(Self::of_something);
        // Another engine may have removed what was here. Then the archive is not to blame, nor has the image less.
        let lost = {
            let state = self.inner.catalog.state();
            let is_lost = |digest: &&Digest| !self.staged.contains_key(*digest) && state.blob(digest).is_none();
            self.found.iter().find(is_lost).map(removed_meanwhile)
        };
        match lost {
            Some(error) => Err(error),
            None => self.finish(graph?),
        }
    }

    /// What the images of an archive are made of.
    fn graph(&mut self, listing: archive::Listing, options: &LoadOptions) -> Result<ImageGraph> {
        let mut graph = ImageGraph::default();
        match listing {
            archive::Listing::Layout(descriptors) => {
                for descriptor in &descriptors {
                    match attestation::archived_subject(descriptor, &descriptors) {
                        Some(subject) => graph.add_evidence(self, descriptor, &subject)?,
                        None => graph.add(self, descriptor.clone(), &options.platforms)?,
                    }
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
        Ok(graph)
    }

    /// A graph that has something to keep.
    fn of_something(graph: ImageGraph) -> Result<ImageGraph> {
        if graph.images.is_empty() && graph.evidence.is_empty() {
            return Err(Error::invalid("archive holds no image: what it holds is about images that are not here"));
        }
        Ok(graph)
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

    /// Makes the blobs so far durable. They can be read by digest from then on, but no name leads to them.
    fn record_staged(&mut self) -> Result<()> {
        let blobs: Vec<Staged> = self.staged.drain().map(|(_, staged)| staged).collect();
        let digests: Vec<Digest> = blobs.iter().map(|staged| staged.digest.clone()).collect();
        wait(self.inner.publisher.record(blobs))?;
        self.recorded.extend(digests);
        Ok(())
    }

    /// Has the images decided on, then makes them durable, names last.
    fn finish(&mut self, graph: ImageGraph) -> Result<Vec<LoadEvent>> {
        let publisher = &self.inner.publisher;
        let documents: Arc<[_]> = graph.documents.clone().into();
        // One image may have thousands of names: it is looked at once.
        let mut found: HashMap<Digest, Found> = {
            let state = self.inner.catalog.state();
            let known = publisher.known_evidence(&state, &documents);
            let targets = graph.images.iter().map(|image| &image.target.digest);
            targets.map(|digest| (digest.clone(), known.found_about(digest, true))).collect()
        };
        let mut shown: HashMap<Digest, (Evidence, Facts)> = HashMap::new();
        for (digest, found) in found.drain() {
            let evidence = found.evidence.clone();
            let facts = found.facts(|blob, limit| BlobSource::read(&*self, blob, limit));
            shown.insert(digest, (evidence, facts));
        }
        let candidate = |image: &Image| {
            let (evidence, facts) = shown.get(&image.target.digest).cloned()?;
            let (name, target, documents) = (image.key(), image.target.clone(), documents.clone());
            Some(Candidate { name, target, documents, evidence, facts, origin: Origin::Archive })
        };
        let candidates: Vec<Candidate> = graph.images.iter().filter_map(candidate).collect();
        let admitted = wait(publisher.admit(candidates))?;
        self.staged.retain(|digest, _| graph.blobs.contains(digest));
        let blobs = wait(publisher.place(self.staged.drain().map(|(_, staged)| staged).collect()))?;
        let placed: HashSet<Digest> = blobs.iter().map(|(digest, _)| digest.clone()).collect();
        let publication = Publication {
            content: Content { blobs, documents: graph.documents, configs: graph.configs },
            pulled_from: None,
            needs: graph.blobs.iter().filter(|digest| !placed.contains(*digest)).cloned().collect(),
            report: Report::Load(graph.images.iter().map(|image| image.target.clone()).collect()),
            record: RecordTerms::default(),
        };
        if let Err(error) = wait(publisher.publish(admitted, publication)) {
            self.lease = self.inner.leases.acquire();
            wait(publisher.discard(placed.into_iter().collect()));
            return Err(error);
        }
        self.recorded.retain(|digest| !graph.blobs.contains(digest));
        // Its subject may have gone while it came.
        self.recorded.extend(graph.evidence);
        let event = |image: &Image| match &image.name {
            Some(name) => LoadEvent::Named(name.familiar()),
            None => LoadEvent::Untagged(image.target.digest.clone()),
        };
        let shown = |image: &Image| image.name.as_ref().map_or_else(|| "<none>".to_owned(), Reference::familiar);
        let images: Vec<_> = graph.images.iter().map(|image| (shown(image), &image.target.digest)).collect();
        self.operation.loaded(&images);
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
            Some(staged) => read_whole(wait(staged.open())?.as_ref(), limit).map_err(|e| e.context(digest)),
            None => self.inner.read_whole(digest, limit).map_err(|error| match error.kind() {
                Kind::NotFound => removed_meanwhile(digest),
                _ => error,
            }),
        }
    }

    fn hold(&self, digest: &Digest) -> Result<()> {
        match self.lease.hold(digest) || self.staged.contains_key(digest) {
            true => Ok(()),
            // It was here when the archive was read, in another image that was deleted meanwhile.
            false => Err(removed_meanwhile(digest)),
        }
    }
}

fn removed_meanwhile(digest: &Digest) -> Error {
    Error::new(Kind::Unavailable, format!("content {digest} was removed during the load: try again"))
}
