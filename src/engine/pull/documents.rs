//! The documents of an image that is being pulled.

use std::collections::HashMap;

use bytes::Bytes;

use super::super::graph::limits::{LimitExceeded, MAX_DOCUMENT_BYTES};
use crate::domain::Digest;

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
    /// `DocumentBytes` where the image has more of them than can be meant.
    pub(super) fn insert(&mut self, digest: Digest, bytes: Bytes) -> Result<(), LimitExceeded> {
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_DOCUMENT_BYTES {
            return Err(LimitExceeded::DocumentBytes);
        }
        self.fetched.insert(digest, bytes);
        Ok(())
    }
}
