//! From a name to blobs: which of an image's documents and blobs a pull fetches.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::super::graph::descent::{Descent, Node, OwnedNode, Step};
use super::pulling::Pulling;
use crate::domain::manifest::Document;
use crate::domain::platform::Matcher;
use crate::domain::{Descriptor, Detail, Error, Kind, Platform, Result, attestation};

/// What a pull fetches of an image.
pub(super) struct Selection {
    /// The manifest of the platform.
    pub(super) manifest: Descriptor,
    /// Every document of the image that is fetched: what evidence may speak of.
    pub(super) documents: Vec<Descriptor>,
    /// Its blobs without repetitions, in order: those of the manifest, then those of its attestations.
    pub(super) blobs: Vec<Descriptor>,
    /// How many of them, from the first on, the image cannot do without.
    pub(super) needed: usize,
}

impl Pulling {
    /// Fetches the documents of one platform and its attestations.
    ///
    /// # Errors
    /// `NotFound` where the image has nothing for the platform.
    pub(super) async fn select(&mut self, target: &Descriptor) -> Result<Selection> {
        let path = self.choose(target).await?;
        let Some((chosen, indexes)) = path.split_last() else { return Err(no_match(self.request.platform.as_ref())) };
        let manifest = chosen.descriptor.as_ref();
        let mut selection = Selection {
            manifest: manifest.clone(),
            documents: indexes.iter().map(|index| Descriptor::clone(&index.descriptor)).collect(),
            blobs: Vec::new(),
            needed: 0,
        };
        let mut known = HashSet::new();
        let mut add = |selection: &mut Selection, descriptor: Descriptor, document: &Document| {
            let new = document.children().filter(|child| known.insert(child.digest.clone()));
            selection.blobs.extend(new.cloned());
            selection.documents.push(descriptor);
        };
        add(&mut selection, manifest.clone(), &chosen.document);
        selection.needed = selection.blobs.len();
        let of_all = self.of_all_platforms();
        let wanted = |child: &&Descriptor| {
            attestation::subject(child).is_some_and(|subject| of_all || subject == manifest.digest)
                && child.media_type.is_manifest()
        };
        let attestations: Vec<Descriptor> =
            indexes.iter().flat_map(|index| index.document.children().filter(wanted)).cloned().collect();
        let mut seen = HashSet::new();
        for descriptor in attestations.into_iter().filter(|found| seen.insert(found.digest.clone())) {
            match self.document(&descriptor).await {
                Ok(document) => add(&mut selection, descriptor, &document),
                // Copies of an image often leave attestations out; the image is none the worse for it.
                Err(error) if error.kind() == Kind::NotFound => {
                    tracing::info!(content.digest = %descriptor.digest, "the registry lacks an attestation manifest; pulling without it");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(selection)
    }

    /// A document from the store or else from the registry, held from now on.
    pub(super) async fn document(&mut self, descriptor: &Descriptor) -> Result<Arc<Document>> {
        let digest = &descriptor.digest;
        if !descriptor.media_type.is_document() {
            let text = format!("content {digest} is no image but {:?}", descriptor.media_type);
            return Err(Error::invalid(text));
        }
        if let Some(bytes) = self.documents.fetched.get(digest) {
            return Document::decode(bytes, &descriptor.media_type).map(Arc::new);
        }
        if self.lease.hold(digest)
            && let Some(document) = self.engine.0.catalog.state().document(digest)
        {
            return Ok(document.clone());
        }
        let (_, bytes) = self.repository.manifest(digest, Some(&descriptor.media_type)).await?;
        self.keep(descriptor, bytes)
    }

    /// Takes in the bytes of a document that the registry client has checked against their digest.
    pub(super) fn keep(&mut self, descriptor: &Descriptor, bytes: Bytes) -> Result<Arc<Document>> {
        let digest = &descriptor.digest;
        if bytes.len() as u64 != descriptor.size {
            let text = format!("content {digest} has {} bytes, its descriptor says {}", bytes.len(), descriptor.size);
            return Err(Error::invalid(text));
        }
        let document = Document::decode(&bytes, &descriptor.media_type).map_err(|e| e.context(digest))?;
        self.lease.hold_in_advance(digest);
        self.documents.insert(digest.clone(), bytes)?;
        let document = Arc::new(document);
        self.parsed.push((digest.clone(), document.clone()));
        Ok(document)
    }

    /// The manifest that fits best, after the indexes that lead to it from the target; empty where none fits. An index
    /// that holds none is looked through once, however many others name it.
    async fn choose(&mut self, target: &Descriptor) -> Result<Vec<OwnedNode>> {
        let mut descent = Descent::new();
        let mut next = Some(Arc::new(target.clone()));
        while let Some(descriptor) = next {
            let document = self.document(&descriptor).await?;
            let is_manifest = !document.is_index();
            let candidates = candidates(&document, &self.matcher);
            descent.enter_chosen(Node { descriptor, document }, candidates)?;
            if is_manifest {
                return Ok(descent.path().cloned().collect());
            }
            next = next_candidate(&mut descent);
        }
        Ok(Vec::new())
    }
}

/// The next document to look at; `None` where all were.
fn next_candidate(descent: &mut Descent<Arc<Descriptor>, Arc<Document>>) -> Option<Arc<Descriptor>> {
    loop {
        if let Step::Child(child) = descent.step()?
            && !descent.has_entered(&child.descriptor().digest)
        {
            return Some(Arc::new(child.descriptor().clone()));
        }
    }
}

/// The children of an index that fit a platform by their positions, the best first; none of a manifest. Those that name no
/// platform fit, but less than others: only the best manifest is tried, but every nested index.
fn candidates(document: &Document, matcher: &Matcher) -> Vec<usize> {
    let Document::Index(index) = document else { return Vec::new() };
    let mut ranked: Vec<(usize, usize)> = index
        .manifests
        .iter()
        .enumerate()
        .filter(|(_, child)| child.media_type.is_document() && !attestation::is_marked(child))
        .filter_map(|(at, child)| match child.platform.as_deref() {
            Some(platform) => Some((matcher.rank(platform)?, at)),
            None => Some((usize::MAX, at)),
        })
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, at)| at).collect()
}

/// That an index has nothing for a platform.
pub(super) fn no_match(platform: Option<&Platform>) -> Error {
    let platform = platform.cloned().unwrap_or_else(Platform::host);
    Error::not_found(Detail::NoMatchingManifest { platform: platform.to_string() })
}
