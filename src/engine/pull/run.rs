//! The steps of a pull.

use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::Instrument;

use super::super::catalog::resolve::find_named;
use super::super::core::{Engine, Inner};
use super::super::operation::Operation;
use super::super::publish::{Admitted, Candidate, Evidence, Facts, Origin, Report};
use super::blobs::FetchedBlob;
use super::evidence::{FetchedEvidence, Referrer};
use super::progress::{BlobState, PullEvent, PullRequest};
use super::publish::Gathered;
use super::pulling::Pulling;
use super::walk::Selection;
use crate::domain::{Descriptor, Digest, Error, Reference, Result};
use crate::registry::Access;

/// How many events wait for a slow client.
const EVENTS: usize = 64;

impl Engine {
    /// Pulls an image.
    ///
    /// The channel closes after the last event. Dropping the receiver gives the pull up.
    pub fn pull(&self, request: PullRequest) -> mpsc::Receiver<PullEvent> {
        let (events, receiver) = mpsc::channel(EVENTS);
        let engine = self.clone();
        let work = async move {
            let told = events.clone();
            // A task of its own: what a hostile registry can make panic takes down nothing else.
            let work = tokio::spawn(async move { engine.pull_all(request, told).await }.in_current_span());
            let stop = work.abort_handle();
            let result = tokio::select! {
                () = events.closed() => return stop.abort(),
                result = work => result,
            };
            let result = result.unwrap_or_else(|stopped| Err(Error::internal("the pull was stopped", stopped)));
            if let Err(error) = result {
                let _ = events.send(PullEvent::Failed(error)).await;
            }
        };
        tokio::spawn(work.in_current_span());
        receiver
    }

    async fn pull_all(&self, request: PullRequest, events: mpsc::Sender<PullEvent>) -> Result<()> {
        let name = request.reference.clone();
        // What rules judge is what is asked for.
        let asked = name.canonical()?;
        let repository = self.0.registries.repository(&asked, Access::Pull, request.credential.clone())?;
        let request = Arc::new(request);
        let pull = |name: Reference| {
            let pulling = Pulling::new(self, repository.clone(), request.clone(), events.clone());
            pulling.run(name)
        };
        if let Some(digest) = name.digest() {
            return pull(name.trimmed().with_digest(digest.clone())).await;
        }
        if name.tag().is_some() {
            return pull(name).await;
        }
        for tag in repository.tags().await? {
            match name.with_tag(&tag) {
                Ok(name) => {
                    let context = format!("error pulling {name}");
                    pull(name).await.map_err(|e| e.context(context))?;
                }
                Err(_) => tracing::warn!(image.repository = %name, "ignoring an invalid tag in the registry's list"),
            }
        }
        Ok(())
    }
}

impl Pulling {
    async fn run(mut self, name: Reference) -> Result<()> {
        let operation = Operation::start();
        let before = find_named(&self.engine.0.catalog.state(), &name).map(|record| record.target.digest.clone());
        let resolved = self.repository.resolve(&name).await?;
        let target = resolved.descriptor;
        let stays = self.lease.hold(&target.digest);
        let known = stays && self.engine.0.catalog.state().document(&target.digest).is_some();
        if let Some(bytes) = resolved.bytes.filter(|_| !known) {
            self.keep(&target, bytes)?;
        }
        let selection = self.select(&target).await?;
        let loader = self.loader(&name);
        let tag = name.tag().map_or_else(|| name.to_string(), str::to_owned);
        self.tell(PullEvent::From { path: name.path().to_owned(), tag }).await;
        let shown = selection.blobs.iter().any(|blob| !loader.is_here(blob));
        if shown {
            for layer in selection.blobs.iter().filter(|blob| blob.media_type.is_layer()) {
                self.tell_blob(layer, BlobState::Waiting).await;
            }
        }
        // Decided before layers are fetched, and where no admission asks for evidence, before evidence is.
        let (admitted, blobs, evidence) = match self.engine.0.publisher.needs_evidence() {
            true => {
                let evidence = self.fetch_evidence(&selection.documents, &loader).await;
                let (evidence, found, facts) = self.look_at(&target.digest, evidence).await?;
                let admitted = self.admit(&name, &target, found, facts).await?;
                let blobs = loader.fetch_all(&selection.blobs, selection.needed, shown).await?;
                (admitted, blobs, evidence)
            }
            false => {
                let admitted = self.admit(&name, &target, Evidence::not_asked_for(), Facts::default()).await?;
                let own = loader.fetch_all(&selection.blobs, selection.needed, shown);
                let beside = async { Ok(self.fetch_evidence(&selection.documents, &loader).await) };
                let (blobs, evidence) = futures_util::try_join!(own, beside)?;
                (admitted, blobs, evidence)
            }
        };
        let admitted = admitted.with_evidence(evidence.state());
        let fetched = blobs.into_iter().chain(evidence.blobs).collect();
        let digest = target.digest.clone();
        let layers: Vec<Descriptor> = match shown {
            true => selection.blobs.iter().filter(|blob| blob.media_type.is_layer()).cloned().collect(),
            false => Vec::new(),
        };
        self.publish(admitted, name.clone(), target, selection, fetched, evidence.referrers, before.as_ref()).await?;
        operation.done("pulled", name.familiar(), &digest);
        for layer in &layers {
            self.tell_blob(layer, BlobState::Complete).await;
        }
        self.tell(PullEvent::Digest(digest.clone())).await;
        let newer = before.is_none_or(|before| before != digest);
        self.tell(PullEvent::Done { name: name.familiar(), newer }).await;
        Ok(())
    }

    /// What admissions are shown of the evidence that was fetched, and of what was here before.
    async fn look_at(&self, target: &Digest, fetched: FetchedEvidence) -> Result<(FetchedEvidence, Evidence, Facts)> {
        let found = {
            let state = self.engine.0.catalog.state();
            self.engine.0.publisher.known_evidence(&state, &self.parsed).found_about(target, false)
        };
        let evidence = match fetched.missing() {
            Some(reason) => Evidence::Unknown(reason.to_owned()),
            None => found.evidence.clone(),
        };
        let look = move |inner: &Inner| {
            let read = |digest: &Digest, limit| match fetched.blobs.iter().find(|blob| blob.digest == *digest) {
                Some(blob) => inner.read_fetched(blob, limit),
                None => inner.read_whole(digest, limit),
            };
            let facts = found.facts(read);
            Ok((fetched, evidence, facts))
        };
        self.engine.blocking(look).await
    }

    async fn admit(&self, name: &Reference, target: &Descriptor, evidence: Evidence, facts: Facts) -> Result<Admitted> {
        let candidate = Candidate {
            name: name.into(),
            target: target.clone(),
            documents: self.parsed.clone().into(),
            evidence,
            facts,
            origin: Origin::Registry(name.repository()),
        };
        self.engine.0.publisher.admit(vec![candidate]).await
    }

    /// Publishes what was fetched, where there is anything new.
    #[expect(clippy::too_many_arguments, reason = "all of it is what one pull has gathered")]
    async fn publish(
        &mut self,
        admitted: Admitted,
        name: Reference,
        target: Descriptor,
        selection: Selection,
        blobs: Vec<FetchedBlob>,
        referrers: Vec<Referrer>,
        before: Option<&Digest>,
    ) -> Result<()> {
        let is_known = before == Some(&target.digest) && {
            let state = self.engine.0.catalog.state();
            state.name(&name.to_string()).is_some_and(|record| admitted.is_recorded(record))
                && state.sources(&target.digest).contains(&name.repository())
        };
        if is_known && self.parsed.is_empty() && blobs.is_empty() {
            let told = Report::Pull(name.clone());
            if self.engine.0.publisher.confirm((&name).into(), target.digest.clone(), told).await? {
                return Ok(());
            }
        }
        let (lease, documents) = (self.lease.clone(), std::mem::take(&mut self.documents.fetched));
        let needed = selection.blobs.into_iter().take(selection.needed).map(|blob| blob.digest);
        let needed = needed.chain([selection.manifest.digest]).collect();
        let publish = move |inner: &Inner| {
            let blobs = blobs.as_slice();
            let gathered = Gathered { admitted, name, target, documents, blobs, referrers, needed, lease: &lease };
            inner.publish_pulled(gathered)
        };
        self.engine.blocking(publish).await
    }
}
