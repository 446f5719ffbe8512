//! The way of blobs and documents into a registry.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use super::super::core::Engine;
use super::super::uploads::Origins;
use super::contents::{Blob, Contents};
use super::progress::{PushEvent, UploadState};
use crate::domain::manifest::MAX_MANIFEST;
use crate::domain::{Descriptor, Digest, Error, Kind, Reference, Result};
use crate::registry::{BlobStream, Mounted, Repository, UploadSession};

/// How often the progress of one blob is told. What takes less is told of at its end only.
const PROGRESS: Duration = Duration::from_millis(100);

/// Sends one image.
pub(super) struct Uploader {
    pub(super) engine: Engine,
    pub(super) repository: Repository,
    pub(super) origins: Origins,
    pub(super) events: mpsc::Sender<PushEvent>,
}

/// What a registry says of a blob.
enum Lookup {
    /// It is in the repository.
    Present(UploadState),
    /// It is not, and an upload may have been opened for it.
    Missing(Option<UploadSession>),
}

impl Uploader {
    /// Looks in the registry for what is not here. What of an image is neither here nor there; `None` where all of it is
    /// to be had, and then `there` tells how.
    pub(super) async fn look_up(
        &self,
        contents: &Contents,
        there: &mut HashMap<Digest, UploadState>,
    ) -> Result<Option<Digest>> {
        if let Some(lost) = &contents.lost {
            return Ok(Some(lost.clone()));
        }
        for blob in contents.blobs.iter().filter(|blob| !blob.here && !blob.is_foreign()) {
            let digest = &blob.descriptor.digest;
            match self.find(digest).await? {
                Lookup::Present(state) => drop(there.insert(digest.clone(), state)),
                Lookup::Missing(_) => return Ok(Some(digest.clone())),
            }
        }
        Ok(None)
    }

    /// Sends an image, and sets its name.
    pub(super) async fn send(
        self: &Arc<Self>,
        name: &Reference,
        contents: &Contents,
        there: &HashMap<Digest, UploadState>,
    ) -> Result<()> {
        let Some(root) = &contents.root else { return self.send_parts(contents, there).await };
        let asking = async { Ok(self.is_tagged(name, &root.digest).await) };
        let ((), is_tagged) = try_join(self.send_parts(contents, there), asking).await?;
        match name.tag() {
            Some(_) if is_tagged => Ok(()),
            Some(tag) => self.put(tag.to_owned(), root.clone()).await,
            None => self.put(root.digest.to_string(), root.clone()).await,
        }
    }

    /// Sends everything under an index or manifest, but not that itself.
    pub(super) async fn send_parts(
        self: &Arc<Self>,
        contents: &Contents,
        there: &HashMap<Digest, UploadState>,
    ) -> Result<()> {
        for blob in &contents.blobs {
            self.tell(&blob.descriptor, UploadState::Preparing).await;
        }
        let limit = self.engine.0.uploads.limit;
        let blobs = contents.blobs.iter().map(|blob| {
            let state = there.get(&blob.descriptor.digest).cloned();
            let (uploader, blob) = (self.clone(), blob.clone());
            async move { uploader.send_blob(blob, state).await }
        });
        side_by_side(limit, blobs).await?;
        let sent = contents.blobs.iter().filter(|blob| !blob.is_foreign()).map(|blob| &blob.descriptor.digest);
        self.engine.0.uploads.pushed.remember(self.repository.name(), sent);
        for documents in &contents.documents {
            let documents = documents.iter().map(|document| {
                let (uploader, document) = (self.clone(), document.clone());
                async move { uploader.put(document.digest.to_string(), document).await }
            });
            side_by_side(limit, documents).await?;
        }
        Ok(())
    }

    /// Stores a document under a tag or its digest.
    pub(super) async fn put(&self, reference: String, document: Descriptor) -> Result<()> {
        let bytes = self.engine.whole(&document.digest, MAX_MANIFEST).await?;
        let stored = self.repository.put_manifest(&reference, &document.media_type, bytes.into()).await?;
        match stored == document.digest || !reference.contains(':') {
            true => Ok(()),
            false => {
                Err(Error::new(Kind::DataLoss, format!("content of {} does not match its digest", document.digest)))
            }
        }
    }

    /// Whether a name's tag stands for a document already. Registries may refuse to have a tag set again, even to what it is.
    async fn is_tagged(&self, name: &Reference, digest: &Digest) -> bool {
        let Some(Ok(name)) = name.tag().map(|tag| name.trimmed().with_tag(tag)) else { return false };
        self.repository.resolve(&name).await.is_ok_and(|resolved| resolved.descriptor.digest == *digest)
    }

    async fn send_blob(&self, blob: Blob, there: Option<UploadState>) -> Result<()> {
        let descriptor = &blob.descriptor;
        if blob.is_foreign() {
            self.tell(descriptor, UploadState::Foreign).await;
            return Ok(());
        }
        let found = match there {
            Some(state) => Lookup::Present(state),
            None => self.find(&descriptor.digest).await?,
        };
        let session = match found {
            Lookup::Present(state) => {
                self.tell(descriptor, state).await;
                return Ok(());
            }
            Lookup::Missing(session) => session,
        };
        let permits = &self.engine.0.uploads.permits;
        let _permit = match permits.try_acquire() {
            Ok(permit) => permit,
            Err(_) => {
                self.tell(descriptor, UploadState::Waiting).await;
                let permit = permits.acquire().await;
                permit.map_err(|closed| Error::internal("the daemon uploads no more", closed))?
            }
        };
        let open = self.opening(descriptor);
        self.repository.upload(descriptor, session, open).await?;
        self.tell(descriptor, UploadState::Pushed).await;
        Ok(())
    }

    /// Looks for a blob in the repository, and lets the registry take it over from another one.
    async fn find(&self, digest: &Digest) -> Result<Lookup> {
        if self.repository.exists(digest).await? {
            return Ok(Lookup::Present(UploadState::Exists));
        }
        for origin in self.origins.get(digest).into_iter().flatten() {
            match self.repository.mount(digest, origin).await {
                Ok(Mounted::Yes) => return Ok(Lookup::Present(UploadState::Mounted(origin.path().to_owned()))),
                Ok(Mounted::No(Some(session))) => return Ok(Lookup::Missing(Some(session))),
                Ok(Mounted::No(None)) => {}
                // The credential may not be good for that repository.
                Err(error) => tracing::debug!(content.digest = %digest, error = error.chain(), "mounting a blob"),
            }
        }
        Ok(Lookup::Missing(None))
    }

    /// Opens a blob of the store at an offset, again and again, and tells how much of it was taken.
    fn opening(&self, descriptor: &Descriptor) -> impl Fn(u64) -> BlobStream + Send + Sync + 'static {
        let (engine, events, blob) = (self.engine.clone(), self.events.clone(), descriptor.clone());
        let shown = is_shown(descriptor);
        move |offset| {
            let (engine, events, blob) = (engine.clone(), events.clone(), blob.clone());
            let (digest, total) = (blob.digest.clone(), blob.size);
            let opened =
                async move { Ok::<_, Error>(engine.blob(&digest).await?.stream(offset, u64::MAX, usize::MAX)) };
            let (mut current, mut last) = (offset, Instant::now());
            let told = stream::once(opened).try_flatten().inspect_ok(move |piece| {
                current += piece.len() as u64;
                if shown && last.elapsed() >= PROGRESS {
                    last = Instant::now();
                    let state = UploadState::Pushing { current, total };
                    // Progress that a slow client does not take is overtaken by the next.
                    let _ = events.try_send(PushEvent::Blob { digest: blob.digest.clone(), state });
                }
            });
            told.boxed()
        }
    }

    /// Tells of a blob, if clients are told of such blobs.
    pub(super) async fn tell(&self, descriptor: &Descriptor, state: UploadState) {
        if is_shown(descriptor) {
            let _ = self.events.send(PushEvent::Blob { digest: descriptor.digest.clone(), state }).await;
        }
    }
}

/// Does all the work, at most so much at a time; each piece of work is a task of its own, so that it goes on where its
/// connection does. Where one fails, the others are given up.
async fn side_by_side(
    limit: usize,
    all: impl Iterator<Item = impl Future<Output = Result<()>> + Send + 'static>,
) -> Result<()> {
    let mut running = JoinSet::new();
    let ended = |result: Result<Result<()>, JoinError>| {
        result.unwrap_or_else(|stopped| Err(Error::internal("an upload was stopped", stopped)))
    };
    for work in all {
        if running.len() >= limit
            && let Some(result) = running.join_next().await
        {
            ended(result)?;
        }
        running.spawn(work);
    }
    while let Some(result) = running.join_next().await {
        ended(result)?;
    }
    Ok(())
}

/// Whether clients are told of a blob: configurations are too small.
fn is_shown(blob: &Descriptor) -> bool {
    !blob.media_type.is_config()
}
