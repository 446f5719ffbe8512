//! What the engine tells of images: the newest shape of every answer, before a facade gives it a form.

use super::attestation::Statement;
use super::descriptor::{Descriptor, StringMap};
use super::manifest::{HistoryStep, ImageConfig};
use super::{Digest, Platform};

/// One image as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSummary {
    /// What the names point at, with the annotations of the last name in order.
    pub target: Descriptor,
    /// Seconds since the Unix epoch; 0 where no configuration is here.
    pub created: i64,
    /// The labels of the platform that fits the host best.
    pub labels: StringMap,
    /// Familiar names with their tags, sorted; empty for a dangling image.
    pub repo_tags: Vec<String>,
    /// One repository with the target's digest; empty for a dangling image.
    pub repo_digests: Vec<String>,
    /// Bytes of all content of the image that is here.
    pub size: u64,
    /// What stands under the image's index, or the image's one manifest, in order.
    pub manifests: Vec<ManifestSummary>,
    /// The repositories that the image was pulled from, with their registries; empty where it came otherwise.
    pub sources: Vec<String>,
}

/// One manifest of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestSummary {
    pub descriptor: Descriptor,
    /// Whether the manifest and every blob that it names are here.
    pub available: bool,
    /// Bytes of its content that are here, the manifest itself included.
    pub content_size: u64,
    pub kind: ManifestKind,
}

/// What a manifest stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestKind {
    /// An image of one platform.
    Image { platform: Platform },
    /// Statements about the manifest `subject`; `statements` is absent where the attestation manifest's blob is not here.
    Attestation { subject: Digest, statements: Option<Vec<Statement>> },
    /// Anything else.
    Unknown,
}

/// One image, or one platform of it, in full.
pub struct ImageDetail {
    /// The image's target, or the platform's manifest where a platform was asked for.
    pub target: Descriptor,
    /// Familiar names with their tags, sorted; empty for a dangling image.
    pub repo_tags: Vec<String>,
    /// Every repository with the target's digest, sorted.
    pub repo_digests: Vec<String>,
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
    pub tags: Vec<String>,
}
