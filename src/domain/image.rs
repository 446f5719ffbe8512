//! What the engine tells of images: the newest shape of every answer, before a facade gives it a form.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use super::descriptor::{Descriptor, StringMap};
use super::manifest::{ConfigSummary, Document, HistoryStep, ImageConfig, Manifest};
use super::{Digest, NameKey, Platform, Reference};

/// One image as a list shows it: a view of what is kept, so that no list copies its images.
#[derive(Clone, Debug)]
pub struct ImageSummary<'a> {
    /// What the names point at, with the annotations of the last name in order.
    pub target: &'a Descriptor,
    /// Seconds since the Unix epoch; 0 where no configuration is here.
    pub created: i64,
    /// The labels of the platform that fits the host best; absent where no configuration is here.
    pub labels: Option<&'a StringMap>,
    /// The names that Docker's clients know, sorted.
    pub names: &'a [Reference],
    /// The other names, sorted. With none of either, the image is dangling.
    pub opaque_names: &'a [NameKey],
    /// Bytes of all content of the image that is here.
    pub size: u64,
    /// What stands under the image's index, or the image's one manifest, in order.
    pub manifests: &'a [ManifestSummary],
    /// The repositories that the image was pulled from, with their registries; empty where it came otherwise.
    pub sources: &'a [String],
}

/// A descriptor, shared with the document that it stands in.
#[derive(Clone, Debug)]
pub struct SharedDescriptor(Place);

#[derive(Clone, Debug)]
enum Place {
    Alone(Arc<Descriptor>),
    /// The child of an index at a position, which was looked at when this was made.
    Child(Arc<Document>, usize),
}

impl SharedDescriptor {
    /// The child of an index at a position; `None` where the document is no index or has no such child.
    pub fn child(document: &Arc<Document>, at: usize) -> Option<Self> {
        match document.as_ref() {
            Document::Index(index) if at < index.manifests.len() => Some(Self(Place::Child(document.clone(), at))),
            _ => None,
        }
    }
}

impl From<Descriptor> for SharedDescriptor {
    fn from(descriptor: Descriptor) -> Self {
        Self(Place::Alone(Arc::new(descriptor)))
    }
}

impl Deref for SharedDescriptor {
    type Target = Descriptor;

    fn deref(&self) -> &Descriptor {
        match &self.0 {
            Place::Alone(descriptor) => descriptor,
            Place::Child(document, at) => match document.as_ref() {
                Document::Index(index) => &index.manifests[*at],
                Document::Manifest(_) => unreachable!("only an index has children"),
            },
        }
    }
}

/// One manifest of an image. It shares what it tells with the catalog.
#[derive(Clone, Debug)]
pub struct ManifestSummary {
    pub descriptor: SharedDescriptor,
    /// The document that the descriptor points at; absent where its blob is not here.
    pub document: Option<Arc<Document>>,
    pub kind: ManifestKind,
    /// The configuration of an image; absent where it is not here.
    pub config: Option<Arc<ConfigSummary>>,
    /// Whether the manifest and every blob that it names are here.
    pub available: bool,
    /// Bytes of its content that are here, the manifest itself included.
    pub content_size: u64,
}

/// What a manifest stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestKind {
    /// An image of one platform.
    Image,
    /// Statements about the manifest of that digest.
    Attestation(Digest),
    /// Anything else.
    Unknown,
}

impl ManifestSummary {
    /// The manifest itself; absent where its blob is not here.
    pub fn manifest(&self) -> Option<&Manifest> {
        match self.document.as_deref()? {
            Document::Manifest(manifest) => Some(manifest),
            Document::Index(_) => None,
        }
    }

    /// The platform of an image as its entry in an index says, in the entry's spelling; where there is none, what the
    /// configuration says.
    pub fn platform(&self) -> Cow<'_, Platform> {
        match (self.descriptor.platform.as_deref(), self.config.as_deref()) {
            (Some(platform), _) => Cow::Borrowed(platform),
            (None, Some(config)) => Cow::Borrowed(&config.platform),
            (None, None) => Cow::Owned(Platform::default()),
        }
    }
}

/// One image, or one platform of it, in full.
pub struct ImageDetail {
    /// The image's target, or the platform's manifest where a platform was asked for.
    pub target: Descriptor,
    /// What the names point at, whatever platform was asked for.
    pub digest: Digest,
    /// The names that Docker's clients know, sorted.
    pub names: Vec<Reference>,
    /// The other names, sorted. With none of either, the image is dangling.
    pub opaque_names: Vec<NameKey>,
    /// The configuration of the platform that fits best; absent where none is here.
    pub config: Option<ImageConfig>,
    /// Bytes of the content of the platform shown.
    pub size: u64,
    /// When a name of the image was last set.
    pub last_tag_time: jiff::Timestamp,
    /// What stands under the image's index.
    pub manifests: Vec<ManifestSummary>,
    /// The repositories that the image was pulled from, with their registries; empty where it came otherwise.
    pub sources: Vec<String>,
}

/// One step of an image's history, newest first in lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryItem {
    pub step: HistoryStep,
    /// The image for the newest step, absent for older ones.
    pub id: Option<Digest>,
    /// The packed size in bytes of the layer that the step made; 0 if it made none.
    pub size: u64,
    /// The image's names, on the newest step; empty on older ones.
    pub names: Vec<Reference>,
}
