//! Signatures and attestations that name what was pushed as their subject.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::contents::Contents;
use super::upload::Uploader;
use crate::domain::manifest::{Document, MAX_MANIFEST};
use crate::domain::{Descriptor, Digest, MediaType, Result, attestation};
use crate::engine::leases::Lease;
use crate::registry::referrers_tag;

/// How many referrers go along with one image.
const MAX_REFERRERS: usize = 1024;

impl Uploader {
    /// Sends the referrers of an image's documents that are here, and theirs in turn. What of them is incomplete stays
    /// out: it would be no evidence.
    pub(super) async fn send_referrers(self: &Arc<Self>, contents: &Contents, lease: &Lease) -> Result<()> {
        let mut subjects: Vec<Digest> = contents.all_documents().map(|document| document.digest.clone()).collect();
        let mut known: HashSet<Digest> = subjects.iter().cloned().collect();
        while let Some(subject) = subjects.pop() {
            let found: Vec<Digest> = {
                let state = self.engine.0.catalog.state();
                state.referrers(&subject).into_iter().filter(|digest| !known.contains(digest)).cloned().collect()
            };
            let mut sent = Vec::new();
            for digest in found {
                if known.len() > MAX_REFERRERS + contents.all_documents().count() {
                    tracing::warn!(subject.digest = %subject, "too many referrers; the rest is not pushed");
                    break;
                }
                known.insert(digest.clone());
                let Some((descriptor, entry, is_tagged)) = self.describe(&digest).await? else { continue };
                let parts = Contents::of(&self.engine.0.catalog.state(), lease, &descriptor)?;
                if parts.lost.is_some() || parts.blobs.iter().any(|blob| !blob.here) {
                    tracing::info!(content.digest = %digest, "a referrer is incomplete; it is not pushed");
                    continue;
                }
                self.send_parts(&parts, &HashMap::new()).await?;
                if is_tagged {
                    // Nothing lists it: whoever looks for it goes by the tag.
                    self.put_tagged(&subject, descriptor).await?;
                    continue;
                }
                self.put(digest.to_string(), descriptor).await?;
                sent.push(entry);
                subjects.push(digest);
            }
            self.list(&subject, sent).await?;
        }
        Ok(())
    }

    /// Puts signatures or attestations under cosign's tag, unless others are there: those are somebody's too.
    async fn put_tagged(&self, subject: &Digest, descriptor: Descriptor) -> Result<()> {
        let is_signed = {
            let state = self.engine.0.catalog.state();
            let layers = state.manifest(&descriptor.digest).map(|manifest| manifest.layers.iter());
            layers.into_iter().flatten().any(|layer| layer.media_type.as_str().contains("simplesigning"))
        };
        let [signatures, attestations] = attestation::cosign_tags(subject);
        let tag = if is_signed { signatures } else { attestations };
        match self.repository.tagged(&tag).await? {
            Some((there, _)) if there.digest != descriptor.digest => {
                tracing::info!(subject.digest = %subject, tag, "the registry has other signatures; ours are not pushed");
                Ok(())
            }
            Some(_) => Ok(()),
            None => self.put(tag, descriptor).await,
        }
    }

    /// The descriptor of a document that is here, its entry in a list of referrers, and whether only a tag says what it is
    /// about; `None` where it is gone.
    async fn describe(&self, digest: &Digest) -> Result<Option<(Descriptor, Value, bool)>> {
        let document = self.engine.0.catalog.state().document(digest).cloned();
        let Some(document) = document else { return Ok(None) };
        let bytes = self.engine.whole(digest, MAX_MANIFEST).await?;
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let media_type = match (value["mediaType"].as_str(), document.as_ref()) {
            (Some(own), _) if !own.is_empty() => MediaType::new(own),
            (_, Document::Index(_)) => MediaType::OCI_INDEX,
            (_, Document::Manifest(_)) => MediaType::OCI_MANIFEST,
        };
        let descriptor = Descriptor::new(media_type, digest.clone(), bytes.len() as u64);
        let mut entry = json!(descriptor.json());
        let kind = match document.as_ref() {
            Document::Index(index) => index.artifact_type.as_deref(),
            Document::Manifest(manifest) => Some(manifest.artifact_kind()),
        };
        if let Some(kind) = kind {
            entry["artifactType"] = kind.into();
        }
        if value["annotations"].is_object() {
            entry["annotations"] = value["annotations"].clone();
        }
        let is_tagged = document.subject().is_some() && value["subject"].is_null();
        Ok(Some((descriptor, entry, is_tagged)))
    }

    /// Sees to it that the registry lists referrers. One without the referrers API does not, and there clients keep the
    /// list themselves, under a tag made from the subject's digest (OCI distribution specification, "Pushing Manifests
    /// with Subject").
    async fn list(&self, subject: &Digest, sent: Vec<Value>) -> Result<()> {
        if sent.is_empty() {
            return Ok(());
        }
        let listed = self.repository.referrers(subject).await?;
        let is_listed = |entry: &Value| {
            listed.iter().any(|descriptor| entry["digest"].as_str() == Some(descriptor.digest.to_string().as_str()))
        };
        if sent.iter().all(is_listed) {
            return Ok(());
        }
        let new = sent.iter().filter(|entry| !is_listed(entry)).cloned();
        let manifests: Vec<Value> = listed.iter().map(|descriptor| json!(descriptor.json())).chain(new).collect();
        let media_type = MediaType::OCI_INDEX;
        let index = json!({"schemaVersion": 2, "mediaType": media_type.as_str(), "manifests": manifests});
        self.repository.put_manifest(&referrers_tag(subject), &media_type, index.to_string().into()).await?;
        Ok(())
    }
}
