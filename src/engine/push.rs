//! Push: images into a registry.
//!
//! What is to be sent is known before anything is sent: the whole image where all of it is here or in the registry, or
//! else one platform of it, and then the client is told which. Blobs go first, side by side, then the documents, each
//! after all that it names; the name goes last, so that nobody can pull half an image.

mod contents;
mod evidence;
mod origins;
mod selection;
mod upload;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::catalog::resolve::find_named;
use super::core::Engine;
use super::publish::Report;
use crate::domain::{Descriptor, Detail, Digest, Error, Platform, Reference, Result};
use crate::registry::{Access, Credential};
use contents::Contents;
use upload::Uploader;

/// How many events wait for a slow client.
const EVENTS: usize = 64;

/// What to push.
#[derive(Clone, Debug)]
pub struct PushRequest {
    /// A name of an image here, with a tag or a digest; with neither, every tag of the repository.
    pub reference: Reference,
    /// The one platform to push, without the index and the attestations; absent is the whole image.
    pub platform: Option<Platform>,
    /// Whether the signatures and attestations go along that name a pushed document as their subject.
    pub referrers: bool,
    /// What opens the registry.
    pub credential: Credential,
}

/// What happens in a push.
#[derive(Debug)]
pub enum PushEvent {
    /// The push to that repository begins.
    Repository(String),
    /// A blob is in a new state.
    Blob { digest: Digest, state: UploadState },
    /// A manifest was pushed in place of the index, because not all of the index's content is here.
    Instead { index: Descriptor, manifest: Descriptor },
    /// The push is about to fail because content of this image is not here.
    Missing(Descriptor),
    /// The image is in the registry under its name. `tag` is absent where that is a digest.
    Done { tag: Option<String>, digest: Digest, size: u64 },
    /// The push failed. Nothing follows.
    Failed(Error),
}

/// How far a blob is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadState {
    /// It is part of the image.
    Preparing,
    /// The registry needs it, and others go before it.
    Waiting,
    /// Bytes that were sent, of all.
    Pushing { current: u64, total: u64 },
    /// All of it was sent.
    Pushed,
    /// The registry has it already.
    Exists,
    /// The registry took it over from the repository at this path.
    Mounted(String),
    /// It is not for registries: its descriptor says where else it is to be had.
    Foreign,
    /// It is neither here nor in the registry.
    Unavailable,
}

impl Engine {
    /// Pushes an image.
    ///
    /// The channel closes after the last event. Dropping the receiver gives the push up.
    pub fn push(&self, request: PushRequest) -> mpsc::Receiver<PushEvent> {
        let (events, receiver) = mpsc::channel(EVENTS);
        let engine = self.clone();
        tokio::spawn(async move {
            let pushing = Pushing { engine, request: Arc::new(request), events: events.clone() };
            // A task of its own: what a hostile registry can make panic takes down nothing else.
            let work = tokio::spawn(async move { pushing.run().await });
            let stop = work.abort_handle();
            let result = tokio::select! {
                () = events.closed() => return stop.abort(),
                result = work => result,
            };
            let result = result.unwrap_or_else(|stopped| Err(Error::internal("the push was stopped", stopped)));
            if let Err(error) = result {
                let _ = events.send(PushEvent::Failed(error)).await;
            }
        });
        receiver
    }
}

/// One push, of one name or of several.
struct Pushing {
    engine: Engine,
    request: Arc<PushRequest>,
    events: mpsc::Sender<PushEvent>,
}

impl Pushing {
    async fn run(self) -> Result<()> {
        let name = &self.request.reference;
        self.tell(PushEvent::Repository(name.repository())).await;
        if name.tag().is_some() || name.digest().is_some() {
            return self.push(name).await;
        }
        let tags = self.tags(name);
        if tags.is_empty() {
            return Err(Error::not_found(Detail::NoTags { repository: name.familiar_name() }));
        }
        for name in &tags {
            self.push(name).await?;
        }
        Ok(())
    }

    /// Every name of a repository that has a tag, in order.
    fn tags(&self, repository: &Reference) -> Vec<Reference> {
        let state = self.engine.0.catalog.state();
        let names = state.names().filter_map(|(name, _)| super::catalog::name_reference(name));
        names.filter(|name| name.same_repository(repository) && name.tag().is_some()).collect()
    }

    async fn push(&self, name: &Reference) -> Result<()> {
        let lease = Arc::new(self.engine.0.leases.acquire());
        let record = find_named(&self.engine.0.catalog.state(), name);
        let Some(record) = record else {
            return Err(Error::not_found(Detail::NoSuchTag { name: name.familiar() }));
        };
        let target = &record.target;
        let mut pushed = match &self.request.platform {
            Some(platform) => selection::platform(&self.engine.0.catalog.state(), target, name, platform)?,
            None => target.clone(),
        };
        let mut contents = Contents::of(&self.engine.0.catalog.state(), &lease, &pushed)?;
        self.engine.0.leases.flush().await?;
        let uploader = self.uploader(name, target, &contents)?;
        let mut there = HashMap::new();
        if let Some(lost) = uploader.look_up(&contents, &mut there).await? {
            let error = Error::not_found(format!("content {lost}: not found"));
            if self.request.platform.is_some() || !target.media_type.is_index() {
                self.tell(PushEvent::Missing(pushed)).await;
                return Err(error);
            }
            pushed = selection::instead(&self.engine.0.catalog.state(), target, name)?;
            let chosen = Contents::of(&self.engine.0.catalog.state(), &lease, &pushed)?;
            for blob in contents.blobs.iter().filter(|blob| !blob.here && !chosen.holds(&blob.descriptor.digest)) {
                uploader.tell(&blob.descriptor, UploadState::Unavailable).await;
            }
            contents = chosen;
        }
        uploader.send(name, &contents, &there).await?;
        if self.request.referrers {
            uploader.send_referrers(&contents, &lease).await?;
        }
        if pushed.digest != target.digest && self.request.platform.is_none() {
            let (index, manifest) = (target.clone(), pushed.clone());
            self.tell(PushEvent::Instead { index, manifest }).await;
        }
        self.engine.0.publisher.report(Report::Push(name.clone()));
        let tag = name.tag().map(str::to_owned);
        self.tell(PushEvent::Done { tag, digest: pushed.digest, size: pushed.size }).await;
        Ok(())
    }

    fn uploader(&self, name: &Reference, target: &Descriptor, contents: &Contents) -> Result<Arc<Uploader>> {
        let credential = self.request.credential.clone();
        let repository = self.engine.0.registries.repository(name, Access::Push, credential)?;
        let mut origins = origins::find(&self.engine.0.catalog.state(), name, &target.digest, contents);
        let blobs = contents.blobs.iter().map(|blob| &blob.descriptor.digest);
        self.engine.0.uploads.pushed.complete(&mut origins, name, blobs);
        Ok(Arc::new(Uploader { engine: self.engine.clone(), repository, origins, events: self.events.clone() }))
    }

    async fn tell(&self, event: PushEvent) {
        // Where the client is gone, the push ends at its next await.
        let _ = self.events.send(event).await;
    }
}
