//! Content that a name is to point at.

use std::sync::Arc;

use super::super::core::Inner;
use super::super::graph::image_graph::{BlobSource, ImageGraph};
use super::super::leases::Lease;
use crate::domain::manifest::{ConfigSummary, Document};
use crate::domain::{Descriptor, Digest, Error, Kind, Result};

/// What becomes of content that gets a name.
pub(super) struct Target {
    /// Documents that were not parsed before.
    pub(super) documents: Vec<(Digest, Arc<Document>)>,
    pub(super) configs: Vec<(Digest, Arc<ConfigSummary>)>,
    /// What must be here when the name is set.
    pub(super) needs: Vec<Digest>,
    /// Holds that until then.
    pub(super) lease: Lease,
}

impl Inner {
    /// Finds an image that is here, and reads it where nothing has yet. Blocks.
    ///
    /// # Errors
    /// `NotFound` where the content is not here; `InvalidArgument` where it is no image, or not what the descriptor says.
    pub(super) fn find_target(&self, target: &Descriptor) -> Result<Target> {
        let digest = &target.digest;
        let lease = self.leases.acquire();
        let not_here =
            || Error::not_found(format!("content {digest}: not found: an image can be named once its content is here"));
        if !lease.hold(digest) {
            return Err(not_here());
        }
        let (size, document) = {
            let state = self.catalog.state();
            let entry = state.entry(digest).ok_or_else(not_here)?;
            (entry.record.size, entry.document.clone())
        };
        if size != target.size {
            let text = format!("content {digest} has {size} bytes, its descriptor says {}", target.size);
            return Err(Error::invalid(text));
        }
        if !target.media_type.is_document() {
            let text = format!("content {digest} is no image: its type is {:.128?}", target.media_type.as_str());
            return Err(Error::invalid(text));
        }
        let evidence = || Error::invalid(format!("{digest} is evidence about an image, not an image"));
        let Some(document) = document else {
            let mut graph = ImageGraph::default();
            graph.add(&Stored { inner: self, lease: &lease }, target.clone(), &[])?;
            if graph.images.is_empty() {
                return Err(evidence());
            }
            let ImageGraph { documents, configs, blobs, .. } = graph;
            return Ok(Target { documents, configs, needs: blobs.into_iter().collect(), lease });
        };
        if document.is_index() != target.media_type.is_index() {
            let what = if document.is_index() { "an index" } else { "a manifest" };
            return Err(Error::invalid(format!("content {digest} is {what}, its descriptor says otherwise")));
        }
        if document.subject().is_some() {
            return Err(evidence());
        }
        Ok(Target { documents: Vec::new(), configs: Vec::new(), needs: vec![digest.clone()], lease })
    }
}

/// Blobs that are here.
struct Stored<'a> {
    inner: &'a Inner,
    lease: &'a Lease,
}

impl BlobSource for Stored<'_> {
    fn size(&self, digest: &Digest) -> Option<u64> {
        self.inner.catalog.state().blob(digest).map(|record| record.size)
    }

    fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        self.inner.read_whole(digest, limit)
    }

    fn hold(&self, digest: &Digest) -> Result<()> {
        match self.lease.hold(digest) {
            true => Ok(()),
            false => {
                Err(Error::new(Kind::Unavailable, format!("content {digest} was removed in the meantime: try again")))
            }
        }
    }
}
