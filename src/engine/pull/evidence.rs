//! Evidence that stands beside an image: signatures and attestations that name one of its documents as their subject.
//!
//! What a registry does not serve of it is no reason to refuse the image: who depends on evidence asks for it later, and
//! then finds it missing.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::blobs::{FetchedBlob, Loader};
use super::pulling::Pulling;
use crate::domain::manifest::Document;
use crate::domain::{Descriptor, Digest, Error, Kind, Result, attestation};
use crate::store::EvidenceState;

/// How many subjects are asked about at a time.
const AT_ONCE: usize = 4;

/// How many pieces of evidence about one subject are kept.
const MAX_REFERRERS: usize = 128;

/// The largest blob that is taken for evidence, in bytes.
const MAX_BLOB: u64 = 64 << 20;

/// Beginnings of the artifact types of signatures and attestations.
const TYPES: [&str; 6] = [
    "application/vnd.dev.sigstore.bundle",
    "application/vnd.dev.cosign.",
    "application/vnd.cncf.notary.signature",
    "application/vnd.in-toto",
    "application/vnd.dsse.envelope",
    "application/vnd.docker.attestation.",
];

/// A referrer that is a signature or an attestation, and what it is made of.
struct Piece {
    referrer: Referrer,
    blobs: Vec<Descriptor>,
}

/// A document that is evidence.
#[derive(Clone)]
pub(super) struct Referrer {
    pub(super) descriptor: Descriptor,
    /// What it is about, where only its tag says so.
    pub(super) tagged_subject: Option<Digest>,
}

/// What a registry answers about one document: its referrers, and what cosign's tags stand for.
struct Answers {
    subject: Digest,
    listed: Result<Vec<Descriptor>>,
    tagged: [Result<Option<(Descriptor, Bytes)>>; 2],
}

/// The evidence about an image that was fetched, all of a referrer or nothing of it.
#[derive(Default)]
pub(super) struct FetchedEvidence {
    pub(super) referrers: Vec<Referrer>,
    pub(super) blobs: Vec<FetchedBlob>,
    /// Why there may be more; absent where this is all.
    missing: Option<String>,
}

impl FetchedEvidence {
    /// Why there may be more; `None` where this is all.
    pub(super) fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// What is recorded of it.
    pub(super) fn state(&self) -> EvidenceState {
        match &self.missing {
            Some(reason) => EvidenceState::Missing(reason.as_str().into()),
            None => EvidenceState::Complete,
        }
    }

    fn lacks(&mut self, what: &Digest, error: &Error) {
        tracing::warn!(content.digest = %what, error = error.chain(), "could not fetch attestations or signatures; pulling without them");
        self.missing.get_or_insert_with(|| format!("evidence about {what} could not be fetched: {error}"));
    }
}

impl Pulling {
    /// Fetches the evidence about documents.
    pub(super) async fn fetch_evidence(&mut self, subjects: &[Descriptor], loader: &Loader) -> FetchedEvidence {
        let mut fetched = FetchedEvidence::default();
        for piece in self.find_evidence(subjects, &mut fetched).await {
            match loader.fetch_all(&piece.blobs, piece.blobs.len(), false).await {
                Ok(blobs) => {
                    fetched.blobs.extend(blobs);
                    fetched.referrers.push(piece.referrer);
                }
                Err(error) => fetched.lacks(&piece.referrer.descriptor.digest, &error),
            }
        }
        fetched
    }

    /// The evidence about documents: its manifests are fetched, its blobs are not yet.
    async fn find_evidence(&mut self, subjects: &[Descriptor], fetched: &mut FetchedEvidence) -> Vec<Piece> {
        let repository = &self.repository;
        let subjects: Vec<Digest> = subjects.iter().map(|subject| subject.digest.clone()).collect();
        let ask = |subject: Digest| async move {
            let listed = repository.referrers(&subject);
            let [signatures, attestations] = attestation::cosign_tags(&subject);
            let tagged = async { [repository.tagged(&signatures).await, repository.tagged(&attestations).await] };
            let (listed, tagged) = futures_util::join!(listed, tagged);
            Answers { subject, listed, tagged }
        };
        let answers: Vec<Answers> = stream::iter(subjects).map(ask).buffered(AT_ONCE).collect().await;
        let mut all = Vec::new();
        for Answers { subject, listed, tagged } in answers {
            for answer in tagged {
                let piece = match answer {
                    Ok(Some((descriptor, bytes))) => self.tagged(&subject, descriptor, bytes).await,
                    Ok(None) => Ok(None),
                    Err(error) => Err(error),
                };
                match piece {
                    Ok(piece) => all.extend(piece),
                    Err(error) => fetched.lacks(&subject, &error),
                }
            }
            let listed = match listed {
                Ok(listed) => listed,
                Err(error) => {
                    fetched.lacks(&subject, &error);
                    continue;
                }
            };
            let mut evidence = listed.into_iter().filter(may_be_evidence);
            for referrer in evidence.by_ref().take(MAX_REFERRERS) {
                match self.referrer(&subject, &referrer).await {
                    Ok(Some(piece)) => all.push(piece),
                    Ok(None) => {}
                    Err(error) => fetched.lacks(&referrer.digest, &error),
                }
            }
            if evidence.next().is_some() {
                let too_many = Error::new(Kind::ResourceExhausted, format!("more than {MAX_REFERRERS} referrers"));
                fetched.lacks(&subject, &too_many);
            }
        }
        all
    }

    /// A referrer in full; `None` where it is neither a signature nor an attestation.
    async fn referrer(&mut self, subject: &Digest, referrer: &Descriptor) -> Result<Option<Piece>> {
        let document = self.document(referrer).await?;
        if document.subject().is_none_or(|of| of.digest != *subject) {
            return Err(Error::invalid(format!("the referrer is not about {subject}")));
        }
        let Document::Manifest(manifest) = document.as_ref() else { return Ok(None) };
        let is_evidence = is_type(manifest.artifact_kind())
            || attestation::holds_statements(manifest)
            || manifest.layers.iter().any(|layer| is_type(layer.media_type.as_str()));
        if !is_evidence {
            return Ok(None);
        }
        Ok(Some(Piece {
            blobs: blobs(&document)?,
            referrer: Referrer { descriptor: referrer.clone(), tagged_subject: None },
        }))
    }

    /// What cosign's tag about a document stands for; `None` where that is not cosign's.
    async fn tagged(&mut self, subject: &Digest, descriptor: Descriptor, bytes: Bytes) -> Result<Option<Piece>> {
        if !descriptor.media_type.is_manifest() {
            return Ok(None);
        }
        let is_known =
            self.lease.hold(&descriptor.digest) && self.engine.0.catalog.state().document(&descriptor.digest).is_some();
        let document = match is_known || self.documents.fetched.contains_key(&descriptor.digest) {
            true => self.document(&descriptor).await?,
            false => {
                // Read before it is kept: what is not cosign's is not wanted.
                let read = Document::decode(&bytes, &descriptor.media_type)?;
                if attestation::with_subject(&read, subject).is_none() {
                    return Ok(None);
                }
                self.keep(&descriptor, bytes)?
            }
        };
        if let Some(about) = attestation::with_subject(&document, subject) {
            self.parsed.retain(|(digest, _)| *digest != descriptor.digest);
            self.parsed.push((descriptor.digest.clone(), Arc::new(about)));
        } else if document.subject().is_none_or(|of| of.digest != *subject) {
            return Ok(None);
        }
        let referrer = Referrer { descriptor, tagged_subject: Some(subject.clone()) };
        Ok(Some(Piece { blobs: blobs(&document)?, referrer }))
    }
}

/// The blobs of a piece of evidence.
fn blobs(document: &Document) -> Result<Vec<Descriptor>> {
    let blobs: Vec<Descriptor> = document.children().cloned().collect();
    match blobs.iter().find(|blob| blob.size > MAX_BLOB) {
        Some(large) => {
            let text = format!("content {} is too large for evidence: {} bytes", large.digest, large.size);
            Err(Error::new(Kind::ResourceExhausted, text))
        }
        None => Ok(blobs),
    }
}

/// Whether a registry's description leaves it possible that a referrer is evidence: many leave the type out.
fn may_be_evidence(referrer: &Descriptor) -> bool {
    let unspecific = |kind: &str| kind.is_empty() || kind.starts_with("application/vnd.oci.");
    referrer.media_type.is_manifest() && referrer.artifact_type().is_none_or(|kind| unspecific(kind) || is_type(kind))
}

fn is_type(kind: &str) -> bool {
    TYPES.iter().any(|known| kind.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MediaType;
    use crate::domain::descriptor::Rare;

    #[test]
    fn only_signatures_and_attestations_are_evidence() {
        let referrer = |kind: Option<&str>| {
            let rare = Rare { artifact_type: kind.map(Into::into), ..Rare::default() };
            Descriptor { rare: Some(Box::new(rare)), ..Descriptor::new(MediaType::OCI_MANIFEST, Digest::of(b"r"), 1) }
        };
        for kind in [
            None,
            Some("application/vnd.dev.sigstore.bundle.v0.3+json"),
            Some("application/vnd.dev.cosign.artifact.sig.v1+json"),
            Some("application/vnd.cncf.notary.signature"),
            Some("application/vnd.in-toto+json"),
            Some("application/vnd.oci.empty.v1+json"),
        ] {
            assert!(may_be_evidence(&referrer(kind)), "{kind:?}");
        }
        for kind in ["application/vnd.cncf.helm.config.v1+json", "text/plain", "application/spdx+json"] {
            assert!(!may_be_evidence(&referrer(Some(kind))), "{kind}");
        }
    }
}
