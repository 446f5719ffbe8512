//! The evidence about an image, among what comes with it and what is here.

use std::collections::HashMap;
use std::sync::Arc;

use super::candidate::Evidence;
use super::publisher::Publisher;
use crate::domain::Digest;
use crate::domain::manifest::Document;
use crate::engine::catalog::State;
use crate::engine::graph::closure::Closure;

/// Documents that evidence is looked for in.
pub(in crate::engine) struct KnownEvidence<'a> {
    state: &'a State,
    documents: HashMap<&'a Digest, &'a Document>,
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
        let is_asked_for = self.needs_evidence();
        let mut known = KnownEvidence { state, documents: HashMap::new(), referrers: HashMap::new(), is_asked_for };
        for (digest, document) in documents.iter().filter(|_| is_asked_for) {
            known.documents.insert(digest, document);
            if let Some(subject) = document.subject() {
                known.referrers.entry(&subject.digest).or_default().push(digest);
            }
        }
        known
    }
}

impl KnownEvidence<'_> {
    /// The documents that refer to an image or to something under it, and those that refer to them. Unknown where no
    /// admission asks for it.
    pub(in crate::engine) fn about(&self, target: &Digest) -> Evidence {
        if !self.is_asked_for {
            return Evidence::not_asked_for();
        }
        let mut found = Vec::new();
        let mut closure = Closure::of([target]);
        while let Some(digest) = closure.next() {
            let here = self.state.document(digest).map(Arc::as_ref);
            if let Some(document) = self.documents.get(digest).copied().or(here) {
                closure.add(document.children().map(|child| &child.digest));
            }
            let referrers = self.referrers.get(digest).into_iter().flatten().copied();
            let referrers: Vec<&Digest> = referrers.chain(self.state.referrers(digest)).collect();
            found.extend(referrers.iter().copied().cloned());
            closure.add(referrers);
        }
        found.sort_unstable();
        found.dedup();
        Evidence::Complete(found)
    }
}
