//! The evidence about an image, among what comes with it and what is here.

use std::collections::HashMap;
use std::sync::Arc;

use super::candidate::Evidence;
use super::facts::{Facts, Holder};
use super::publisher::Publisher;
use super::recorded::recorded;
use crate::domain::manifest::Document;
use crate::domain::{Descriptor, Digest, Result, attestation};
use crate::engine::catalog::State;
use crate::engine::graph::closure::Closure;
use crate::store::EvidenceState;

/// The most manifests of one image that are looked at for what they are.
const MAX_PLATFORMS: usize = 4096;

/// Documents that evidence is looked for in.
pub(in crate::engine) struct KnownEvidence<'a> {
    state: &'a State,
    documents: HashMap<&'a Digest, &'a Arc<Document>>,
    /// Those of the documents that refer to something, by what that is.
    referrers: HashMap<&'a Digest, Vec<&'a Digest>>,
    is_asked_for: bool,
}

impl Publisher {
    /// Prepares for looking through documents that come with images, and through what is here.
    pub(in crate::engine) fn known_evidence<'a>(
        &self,
        state: &'a State,
        documents: &'a [(Digest, Arc<Document>)],
    ) -> KnownEvidence<'a> {
        KnownEvidence::new(state, documents, self.needs_evidence())
    }
}

impl<'a> KnownEvidence<'a> {
    /// The same without a publisher; `is_asked_for`: whether anything is looked at.
    pub(in crate::engine) fn new(
        state: &'a State,
        documents: &'a [(Digest, Arc<Document>)],
        is_asked_for: bool,
    ) -> Self {
        let mut known = KnownEvidence { state, documents: HashMap::new(), referrers: HashMap::new(), is_asked_for };
        for (digest, document) in documents.iter().filter(|_| is_asked_for) {
            known.documents.insert(digest, document);
            if let Some(subject) = document.subject() {
                known.referrers.entry(&subject.digest).or_default().push(digest);
            }
        }
        known
    }

    /// The documents that refer to an image or to something under it, and those that refer to them. Unknown where no
    /// admission asks for it, or where it is recorded of the image that there may be more.
    pub(in crate::engine) fn about(&self, target: &Digest) -> Evidence {
        self.found_about(target, true).evidence
    }

    /// The same with what can be read of it. A pull, which has just asked, does not go by what is recorded.
    pub(in crate::engine) fn found_about(&self, target: &Digest, by_record: bool) -> Found {
        if !self.is_asked_for {
            let evidence = Evidence::not_asked_for();
            return Found { evidence, holders: Vec::new(), platforms: Ok(Vec::new()), is_asked_for: false };
        }
        let (mut found, mut holders) = (Vec::new(), Vec::new());
        let mut closure = Closure::of([target.clone()]);
        while let Some(digest) = closure.next() {
            if let Some(document) = self.document(&digest) {
                for child in document.children() {
                    // BuildKit's attestation manifests may be signed themselves.
                    if let (Some(subject), Some(held)) = (attestation::subject(child), self.document(&child.digest)) {
                        holders.push(Holder { subject, source: child.digest.clone(), document: held.clone() });
                    }
                }
                closure.add(document.children().map(|child| child.digest.clone()));
            }
            let mut referrers: Vec<&Digest> = self.referrers.get(&digest).into_iter().flatten().copied().collect();
            referrers.extend(self.state.referrers(&digest));
            referrers.sort_unstable();
            referrers.dedup();
            for source in &referrers {
                if let Some(document) = self.document(source) {
                    let (subject, source) = (digest.clone(), (*source).clone());
                    holders.push(Holder { subject, source, document: document.clone() });
                }
            }
            found.extend(referrers.iter().copied().cloned());
            closure.add(referrers.into_iter().cloned());
        }
        found.sort_unstable();
        found.dedup();
        let evidence = match recorded(self.state, target) {
            EvidenceState::Missing(reason) if by_record => Evidence::Unknown(reason.into()),
            _ => Evidence::Complete(found),
        };
        Found { evidence, holders, platforms: self.platforms(target), is_asked_for: true }
    }

    fn document(&self, digest: &Digest) -> Option<&'a Arc<Document>> {
        self.documents.get(digest).copied().or_else(|| self.state.document(digest))
    }

    /// The manifests of an image's platforms, as its indexes name them.
    fn platforms(&self, target: &Digest) -> Result<Vec<Digest>, String> {
        let Some(document) = self.document(target) else { return Err(format!("content {target} is not here")) };
        if !document.is_index() {
            return Ok(vec![target.clone()]);
        }
        let mut platforms = Vec::new();
        let is_image = |child: &&Descriptor| child.media_type.is_document() && !attestation::is_marked(child);
        let images = |index: &'a Document| {
            index.children().filter(is_image).map(|child| (&child.digest, child.media_type.is_index()))
        };
        let mut closure = Closure::of(images(document));
        while let Some((digest, is_index)) = closure.next() {
            if !is_index {
                platforms.push(digest.clone());
            } else if let Some(nested) = self.document(digest) {
                closure.add(images(nested));
            } else {
                return Err(format!("the index {digest} is not here"));
            }
            if platforms.len() > MAX_PLATFORMS {
                return Err(format!("more than {MAX_PLATFORMS} platforms"));
            }
        }
        match platforms.is_empty() {
            true => Err("the index names no platform".to_owned()),
            false => Ok(platforms),
        }
    }
}

/// What was found out about an image without reading blobs.
#[derive(Debug)]
pub(in crate::engine) struct Found {
    pub(in crate::engine) evidence: Evidence,
    holders: Vec<Holder>,
    /// Why they are not known, where they are not.
    platforms: Result<Vec<Digest>, String>,
    is_asked_for: bool,
}

impl Found {
    /// Reads the signatures. `read` gives a small blob, and may block.
    pub(in crate::engine) fn facts(self, read: impl Fn(&Digest, u64) -> Result<Vec<u8>>) -> Facts {
        match self.is_asked_for {
            true => Facts::read(&self.holders, self.platforms, read),
            false => Facts::default(),
        }
    }
}
