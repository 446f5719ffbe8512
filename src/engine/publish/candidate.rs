//! What is offered for publishing.

use std::borrow::Cow;
use std::sync::Arc;

use super::facts::Facts;
use crate::domain::manifest::Document;
use crate::domain::{Descriptor, Digest, NameKey, Reference};

/// An image that is to get a name.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The name, or the digest for an image that is kept without one.
    pub name: NameKey,
    /// What the name will point at.
    pub target: Descriptor,
    /// The indexes and manifests of the image that came with it, each with its digest. Those that were here before are in
    /// the catalog.
    pub documents: Arc<[(Digest, Arc<Document>)]>,
    pub evidence: Evidence,
    /// The signatures, and what the image is made of. By default they are looked for among what is kept here.
    pub facts: Facts,
    pub origin: Origin,
}

impl Candidate {
    /// The reference that rules judge the name by: see [`NameKey::judged`]. Where it is absent, only rules about every image
    /// are about this one.
    pub fn judged_name(&self) -> Option<Cow<'_, Reference>> {
        self.name.judged()
    }
}

/// What is known of the signatures and attestations about an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// All that there is: the digests of the documents that hold it, besides those that the image's index names.
    Complete(Vec<Digest>),
    /// There may be more than is known, and why.
    Unknown(String),
}

impl Evidence {
    /// Nothing was looked for, because no admission needs it.
    pub(in crate::engine) fn not_asked_for() -> Self {
        Self::Unknown("no admission asks for it".to_owned())
    }
}

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was pulled from this repository, named with its registry.
    Registry(String),
    /// It was in an archive.
    Archive,
    /// It was made of a root file system.
    RootFilesystem,
    /// It is here, and gets a further name.
    Local,
}
