//! The steps of a push.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::Instrument;

use super::super::catalog::resolve::find_named;
use super::super::core::Engine;
use super::super::operation::Operation;
use super::super::publish::Report;
use super::contents::Contents;
use super::progress::{PushEvent, PushRequest, UploadState};
use super::upload::Uploader;
use super::{origins, selection};
use crate::domain::{Descriptor, Detail, Error, Reference, Result};
use crate::registry::Access;

/// How many events wait for a slow client.
const EVENTS: usize = 64;

impl Engine {
    /// Pushes an image.
    ///
    /// The channel closes after the last event. Dropping the receiver gives the push up.
    pub fn push(&self, request: PushRequest) -> mpsc::Receiver<PushEvent> {
        let (events, receiver) = mpsc::channel(EVENTS);
        let engine = self.clone();
        let work = async move {
            let pushing = Pushing { engine, request: Arc::new(request), events: events.clone() };
            // A task of its own: what a hostile registry can make panic takes down nothing else.
            let work = tokio::spawn(async move { pushing.run().await }.in_current_span());
            let stop = work.abort_handle();
            let result = tokio::select! {
                () = events.closed() => return stop.abort(),
                result = work => result,
            };
            let result = result.unwrap_or_else(|stopped| Err(Error::internal("the push was stopped", stopped)));
            if let Err(error) = result {
                let _ = events.send(PushEvent::Failed(error)).await;
            }
        };
        tokio::spawn(work.in_current_span());
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
        let names = state.names().filter_map(|(key, _)| key.reference());
        names.filter(|name| name.same_repository(repository) && name.tag().is_some()).cloned().collect()
    }

    async fn push(&self, name: &Reference) -> Result<()> {
        let operation = Operation::start();
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
        operation.done("pushed", name.familiar(), &pushed.digest);
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
