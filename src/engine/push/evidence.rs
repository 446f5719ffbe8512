//! Signatures and attestations that name what was pushed as their subject.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::contents::Contents;
use super::upload::Uploader;
use crate::domain::manifest::{Document, MAX_MANIFEST};
use crate::domain::{Descriptor, Digest, MediaType, Result};
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
                let Some((descriptor, entry)) = self.describe(&digest).await? else { continue };
                let parts = Contents::of(&self.engine.0.catalog.state(), lease, &descriptor)?;
                if parts.lost.is_some() || parts.blobs.iter().any(|blob| !blob.here) {
                    tracing::info!(content.digest = %digest, "a referrer is incomplete; it is not pushed");
                    continue;
                }
                self.send_parts(&parts, &HashMap::new()).await?;
                self.put(digest.to_string(), descriptor).await?;
                sent.push(entry);
                subjects.push(digest);
            }
            self.list(&subject, sent).await?;
        }
        Ok(())
    }

    /// The descriptor of a document that is here, and its entry in a list of referrers; `None` where it is gone.
    async fn describe(&self, digest: &Digest) -> Result<Option<(Descriptor, Value)>> {
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
        Ok(Some((descriptor, entry)))
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
