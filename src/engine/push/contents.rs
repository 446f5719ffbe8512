//! What an image is made of, in the order in which a registry must get it.

use std::collections::{HashMap, HashSet};

use super::super::catalog::State;
use crate::domain::manifest::Document;
use crate::domain::{Descriptor, Digest, Error, Result};
use crate::store::Lease;

/// How deep indexes may be nested.
const MAX_DEPTH: usize = 8;

/// How many documents and blobs one image may be made of.
const MAX_PARTS: usize = 1 << 16;

/// Everything under one index or manifest, each part once.
#[derive(Default)]
pub(super) struct Contents {
    /// The index or manifest that all the rest is under. It is no part of `documents`.
    pub(super) root: Option<Descriptor>,
    /// Indexes and manifests, those first that name no others: each list names only what is in lists before it.
    pub(super) documents: Vec<Vec<Descriptor>>,
    /// Configurations, layers, statements and whatever else manifests name, in order.
    pub(super) blobs: Vec<Blob>,
    /// An index or manifest that is not here, so that what is under it is not known; absent where all are.
    pub(super) lost: Option<Digest>,
    known: HashSet<Digest>,
    heights: HashMap<Digest, usize>,
}

/// A blob of an image.
#[derive(Clone)]
pub(super) struct Blob {
    pub(super) descriptor: Descriptor,
    /// Whether it is in the store.
    pub(super) here: bool,
}

impl Blob {
    /// Whether the blob is not for registries.
    pub(super) fn is_foreign(&self) -> bool {
        is_foreign(&self.descriptor)
    }
}

/// Whether a layer may not be distributed by others than its maker, and says where that is.
pub(super) fn is_foreign(descriptor: &Descriptor) -> bool {
    let kind = descriptor.media_type.as_str();
    let marked = kind.contains(".foreign.") || kind.contains(".nondistributable.");
    marked && descriptor.rare.as_deref().is_some_and(|rare| !rare.urls.is_empty())
}

impl Contents {
    /// Walks down from an index or manifest. What is here is held.
    ///
    /// # Errors
    /// `InvalidArgument` where the image is nested too deep, is made of too much, or a blob has another size than its
    /// descriptor says.
    pub(super) fn of(state: &State, lease: &Lease, root: &Descriptor) -> Result<Self> {
        let mut contents = Self::default();
        contents.descend(state, lease, root, 0)?;
        if let Some(last) = contents.documents.last_mut() {
            last.retain(|document| document.digest != root.digest);
        }
        contents.root = Some(root.clone());
        Ok(contents)
    }

    /// Whether a blob is part of this.
    pub(super) fn holds(&self, digest: &Digest) -> bool {
        self.known.contains(digest)
    }

    /// Every index and manifest, the root last.
    pub(super) fn all_documents(&self) -> impl Iterator<Item = &Descriptor> {
        self.documents.iter().flatten().chain(&self.root)
    }

    /// Takes a document in, and gives the number of the list that it is in.
    fn descend(&mut self, state: &State, lease: &Lease, descriptor: &Descriptor, depth: usize) -> Result<usize> {
        if depth > MAX_DEPTH {
            return Err(Error::invalid(format!("indexes are nested more than {MAX_DEPTH} deep")));
        }
        if !self.known.insert(descriptor.digest.clone()) {
            return Ok(self.heights.get(&descriptor.digest).copied().unwrap_or_default());
        }
        self.check_parts()?;
        let here = is_here(state, lease, descriptor)?;
        let Some(document) = state.document(&descriptor.digest).filter(|_| here) else {
            self.lost.get_or_insert_with(|| descriptor.digest.clone());
            return Ok(0);
        };
        let mut height = 0;
        for child in document.children() {
            let is_document = child.media_type.is_index() || child.media_type.is_manifest();
            if is_document && matches!(document.as_ref(), Document::Index(_)) {
                height = height.max(self.descend(state, lease, child, depth + 1)? + 1);
            } else if self.known.insert(child.digest.clone()) {
                self.check_parts()?;
                self.blobs.push(Blob { descriptor: child.clone(), here: is_here(state, lease, child)? });
            }
        }
        self.heights.insert(descriptor.digest.clone(), height);
        if self.documents.len() <= height {
            self.documents.resize_with(height + 1, Vec::new);
        }
        self.documents[height].push(descriptor.clone());
        Ok(height)
    }

    fn check_parts(&self) -> Result<()> {
        match self.known.len() > MAX_PARTS {
            true => Err(Error::invalid(format!("the image is made of more than {MAX_PARTS} parts"))),
            false => Ok(()),
        }
    }
}

/// Whether a blob is here and stays.
fn is_here(state: &State, lease: &Lease, descriptor: &Descriptor) -> Result<bool> {
    let stays = lease.hold(&descriptor.digest);
    match state.blob(&descriptor.digest).filter(|_| stays) {
        Some(record) if record.size != descriptor.size => Err(Error::invalid(format!(
            "content {} has {} bytes, its descriptor says {}",
            descriptor.digest, record.size, descriptor.size
        ))),
        record => Ok(record.is_some()),
    }
}
