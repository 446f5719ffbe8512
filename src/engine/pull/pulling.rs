//! The state of one pull.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::super::core::{Engine, PullAttestations};
use super::super::leases::Lease;
use super::blobs::Loader;
use super::documents::Documents;
use super::progress::{BlobState, PullEvent, PullRequest};
use crate::domain::manifest::Document;
use crate::domain::platform::Matcher;
use crate::domain::{Descriptor, Digest, Reference};
use crate::registry::Repository;

/// The pull of one name.
pub(super) struct Pulling {
    pub(super) engine: Engine,
    pub(super) repository: Repository,
    pub(super) request: Arc<PullRequest>,
    pub(super) matcher: Matcher,
    pub(super) lease: Arc<Lease>,
    pub(super) documents: Documents,
    /// The same documents, parsed.
    pub(super) parsed: Vec<(Digest, Arc<Document>)>,
    pub(super) events: mpsc::Sender<PullEvent>,
}

impl Pulling {
    pub(super) fn new(
        engine: &Engine,
        repository: Repository,
        request: Arc<PullRequest>,
        events: mpsc::Sender<PullEvent>,
    ) -> Self {
        Self {
            engine: engine.clone(),
            repository,
            matcher: request.platform.as_ref().map_or_else(Matcher::host, Matcher::only),
            request,
            lease: Arc::new(engine.0.leases.acquire()),
            documents: Documents::default(),
            parsed: Vec::new(),
            events,
        }
    }

    pub(super) async fn tell(&self, event: PullEvent) {
        // Where the client is gone, the pull ends at its next await.
        let _ = self.events.send(event).await;
    }

    pub(super) async fn tell_blob(&self, blob: &Descriptor, state: BlobState) {
        self.tell(PullEvent::Blob { digest: blob.digest.clone(), state }).await;
    }

    pub(super) fn loader(&self, name: &Reference) -> Loader {
        Loader {
            engine: self.engine.clone(),
            repository: self.repository.clone(),
            registry: name.domain().to_owned(),
            lease: self.lease.clone(),
            events: self.events.clone(),
        }
    }

    /// Whether attestations of platforms are fetched that are not pulled.
    pub(super) fn of_all_platforms(&self) -> bool {
        self.engine.0.settings.pull_attestations == PullAttestations::All
    }
}
