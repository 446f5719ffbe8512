//! What an image is made of, in the order in which a registry must get it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::catalog::State;
use super::super::graph::descent::{Descent, Node, NodeRef, Step};
use super::super::graph::limits::{LimitExceeded, MAX_PARTS};
use crate::domain::manifest::Document;
use crate::domain::{Descriptor, Digest, Error, Result};
use crate::engine::leases::Lease;

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
    /// In which list of `documents` each one is.
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
        let mut reading = Reading { state, lease, descent: Descent::new(), contents: Self::default() };
        reading.enter(root)?;
        while let Some(step) = reading.descent.step() {
            match step {
                Step::Child(child) if child.is_document() => reading.enter(child.into_descriptor())?,
                Step::Child(child) => reading.add_blob(child.into_descriptor())?,
                Step::Left(node) => reading.contents.add_document(node),
            }
        }
        let mut contents = reading.contents;
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

    /// Adds a document all of whose children were added.
    fn add_document(&mut self, node: NodeRef<'_>) {
        let above = |child: &Descriptor| self.heights.get(&child.digest).copied().unwrap_or_default() + 1;
        let nested =
            node.document.children().filter(|child| node.document.is_index() && child.media_type.is_document());
        let height = nested.map(above).max().unwrap_or_default();
        self.heights.insert(node.descriptor.digest.clone(), height);
        if self.documents.len() <= height {
            self.documents.resize_with(height + 1, Vec::new);
        }
        self.documents[height].push(node.descriptor.clone());
    }

    /// Notes a part of the image; `false` where it is one already.
    fn add_part(&mut self, digest: &Digest) -> Result<bool, LimitExceeded> {
        let is_new = self.known.insert(digest.clone());
        match self.known.len() > MAX_PARTS {
            true => Err(LimitExceeded::Parts),
            false => Ok(is_new),
        }
    }
}

/// An image on whose way down its contents are gathered.
struct Reading<'a> {
    state: &'a State,
    lease: &'a Lease,
    descent: Descent<&'a Descriptor, &'a Arc<Document>>,
    contents: Contents,
}

impl<'a> Reading<'a> {
    fn enter(&mut self, descriptor: &'a Descriptor) -> Result<()> {
        if !self.contents.add_part(&descriptor.digest)? {
            return Ok(());
        }
        let here = is_here(self.state, self.lease, descriptor)?;
        match self.state.document(&descriptor.digest).filter(|_| here) {
            Some(document) => drop(self.descent.enter(Node { descriptor, document })?),
            None => drop(self.contents.lost.get_or_insert_with(|| descriptor.digest.clone())),
        }
        Ok(())
    }

    fn add_blob(&mut self, descriptor: &Descriptor) -> Result<()> {
        if self.contents.add_part(&descriptor.digest)? {
            let here = is_here(self.state, self.lease, descriptor)?;
            self.contents.blobs.push(Blob { descriptor: descriptor.clone(), here });
        }
        Ok(())
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
