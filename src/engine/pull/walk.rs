//! From a name to blobs: which of an image's documents and blobs a pull fetches.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::Pulling;
use crate::domain::manifest::{Document, Index};
use crate::domain::platform::Matcher;
use crate::domain::{Descriptor, Digest, Error, Kind, Platform, Result, attestation};

/// How deep indexes may be nested.
const MAX_DEPTH: usize = 8;

/// How many bytes of documents one image may hold in memory while it is pulled.
const MAX_DOCUMENTS: u64 = 32 << 20;

/// A manifest that was chosen, parsed.
type Chosen = (Descriptor, Arc<Document>);

/// The documents that a pull has fetched; those that were here already are in the catalog.
#[derive(Default)]
pub(super) struct Documents {
    pub(super) fetched: HashMap<Digest, Bytes>,
    bytes: u64,
}

impl Documents {
    /// Takes a document in.
    ///
    /// # Errors
    /// `ResourceExhausted` where the image has more of them than can be meant.
    pub(super) fn insert(&mut self, digest: Digest, bytes: Bytes) -> Result<()> {
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_DOCUMENTS {
            let text = format!("the image's manifests are larger than {MAX_DOCUMENTS} bytes in all");
            return Err(Error::new(Kind::ResourceExhausted, text));
        }
        self.fetched.insert(digest, bytes);
        Ok(())
    }
}

/// What a pull fetches of an image.
pub(super) struct Selection {
    /// The manifest of the platform.
    pub(super) manifest: Descriptor,
    /// Whether the image is one manifest without an index.
    pub(super) is_single: bool,
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
        let root = self.document(target).await?;
        let (mut path, mut barren) = (Vec::new(), HashSet::new());
        let chosen = self.choose(target.clone(), root, &mut path, &mut barren).await?;
        let Some((manifest, document)) = chosen else { return Err(no_match(self.request.platform.as_ref())) };
        let mut selection = Selection {
            manifest: manifest.clone(),
            is_single: path.is_empty(),
            documents: path.iter().map(|(descriptor, _)| descriptor.clone()).collect(),
            blobs: Vec::new(),
            needed: 0,
        };
        let mut known = HashSet::new();
        let mut add = |selection: &mut Selection, descriptor: Descriptor, document: &Document| {
            let new = document.children().filter(|child| known.insert(child.digest.clone()));
            selection.blobs.extend(new.cloned());
            selection.documents.push(descriptor);
        };
        add(&mut selection, manifest.clone(), &document);
        selection.needed = selection.blobs.len();
        let of_all = self.of_all_platforms();
        let wanted = |child: &&Descriptor| {
            attestation::subject(child).is_some_and(|subject| of_all || subject == manifest.digest)
                && child.media_type.is_manifest()
        };
        let attestations: Vec<Descriptor> =
            path.iter().flat_map(|(_, index)| index.manifests.iter().filter(wanted)).cloned().collect();
        let mut seen = HashSet::new();
        for descriptor in attestations.into_iter().filter(|found| seen.insert(found.digest.clone())) {
            match self.document(&descriptor).await {
                Ok(document) => add(&mut selection, descriptor, &document),
                // Copies of an image often leave attestations out; the image is none the worse for it.
                Err(error) if error.kind() == Kind::NotFound => {
                    tracing::info!(content.digest = %descriptor.digest, "the registry lacks an attestation manifest");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(selection)
    }

    /// A document from the store or else from the registry, held from now on.
    pub(super) async fn document(&mut self, descriptor: &Descriptor) -> Result<Arc<Document>> {
        let digest = &descriptor.digest;
        if !(descriptor.media_type.is_index() || descriptor.media_type.is_manifest()) {
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
        self.lease.hold(digest);
        self.documents.insert(digest.clone(), bytes)?;
        self.news = true;
        Ok(Arc::new(document))
    }

    /// The manifest that fits best, and in `path` the indexes above it; `None` where none fits. Indexes that hold none are
    /// noted in `barren`: one that many others name is looked through once.
    fn choose<'a>(
        &'a mut self,
        descriptor: Descriptor,
        document: Arc<Document>,
        path: &'a mut Vec<(Descriptor, Index)>,
        barren: &'a mut HashSet<Digest>,
    ) -> BoxFuture<'a, Result<Option<Chosen>>> {
        async move {
            let Document::Index(index) = document.as_ref() else { return Ok(Some((descriptor, document))) };
            if path.len() >= MAX_DEPTH {
                return Err(Error::invalid(format!("indexes are nested more than {MAX_DEPTH} deep")));
            }
            let own = descriptor.digest.clone();
            path.push((descriptor, index.clone()));
            for child in candidates(index, &self.matcher) {
                if barren.contains(&child.digest) {
                    continue;
                }
                let document = self.document(&child).await?;
                if let Some(chosen) = self.choose(child, document, path, barren).await? {
                    return Ok(Some(chosen));
                }
            }
            path.pop();
            barren.insert(own);
            Ok(None)
        }
        .boxed()
    }
}

/// The children of an index that fit a platform, the best first. Those that name no platform fit, but less than others:
/// only the best manifest is tried, but every nested index.
fn candidates(index: &Index, matcher: &Matcher) -> Vec<Descriptor> {
    let mut ranked: Vec<(usize, &Descriptor)> = index
        .manifests
        .iter()
        .filter(|child| child.media_type.is_index() || child.media_type.is_manifest())
        .filter(|child| !attestation::is_marked(child))
        .filter_map(|child| match child.platform.as_deref() {
            Some(platform) => Some((matcher.rank(platform)?, child)),
            None => Some((usize::MAX, child)),
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, child)| child.clone()).collect()
}

/// That an index has nothing for a platform, in Docker's words.
pub(super) fn no_match(platform: Option<&Platform>) -> Error {
    let platform = platform.cloned().unwrap_or_else(Platform::host);
    let text = format!(
        "no matching manifest for {platform} in the manifest list entries: no match for platform in manifest: not found"
    );
    Error::not_found(text)
}
