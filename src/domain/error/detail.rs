//! What a failure is about, for facades that have words of their own for it.

use std::borrow::Cow;
use std::fmt;

use crate::domain::digest::Digest;

/// What a failure is about.
///
/// `Display` is plain text for logs and for facades without words of their own. A facade that must speak a dialect matches
/// on the variant. Images and platforms are given in the form in which they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A text that says everything.
    Text(Cow<'static, str>),
    /// No image has this name or ID.
    NoSuchImage { image: String },
    /// The reference, as it was given, has a tag and a digest, and no name of the image at that digest has the tag.
    NoSuchName { name: String },
    /// Several images have IDs that start with this text.
    AmbiguousId { prefix: String },
    /// The image is not for the platform, or has no content for it.
    LacksPlatform { image: String, platform: String },
    /// The image has complete content for no platform.
    LacksEveryPlatform { image: String },
    /// Several manifests of the image are complete; without a platform asked for, this host can run none of them.
    SeveralManifests,
    /// Several manifests of the image fit the platform.
    SeveralManifestsFor { platform: String },
    /// The index in a registry names no manifest for the platform.
    NoMatchingManifest { platform: String },
    /// The registry has no such manifest.
    NoSuchRemoteManifest { name: String },
    /// An image cannot be saved for a platform that it is not for.
    CannotSavePlatform { image: String, platform: String },
    /// An image cannot be saved for a platform whose content is incomplete.
    CannotSaveIncomplete { image: String, platform: String },
    /// The manifest that holds attestations is not present locally.
    MissingAttestation { manifest: Digest },
    /// An ID stands for an image with several names, and force was not used.
    MustBeForced { image: Digest },
    /// Content of single platforms is removed only with force.
    PlatformsMustBeForced,
    /// The platform's manifest is all of the image: the image itself has to be removed.
    OnlyPlatform { manifest: Digest },
    /// The new name could not be told from a digest.
    NameLooksLikeDigest,
    /// The repository has no tags locally.
    NoTags { repository: String },
    /// The name to push does not exist locally.
    NoSuchTag { name: String },
    /// A rule of admission refuses the image.
    Denied { image: String, rule: String, reason: String },
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::NoSuchImage { image } => write!(f, "no such image: {image}"),
            Self::NoSuchName { name } => write!(f, "no such name: {name}"),
            Self::AmbiguousId { prefix } => write!(f, "several images have IDs that start with {prefix}"),
            Self::LacksPlatform { image, platform } => write!(f, "image {image} has no content for {platform}"),
            Self::LacksEveryPlatform { image } => write!(f, "image {image} has complete content for no platform"),
            Self::SeveralManifests => f.write_str("several manifests are complete, and none is for this host"),
            Self::SeveralManifestsFor { platform } => write!(f, "several manifests fit {platform}"),
            Self::NoMatchingManifest { platform } => write!(f, "the index names no manifest for {platform}"),
            Self::NoSuchRemoteManifest { name } => write!(f, "the registry has no manifest of {name}"),
            Self::CannotSavePlatform { image, platform } => {
                write!(f, "image {image} cannot be saved for {platform}: it is not for that platform")
            }
            Self::CannotSaveIncomplete { image, platform } => {
                write!(f, "image {image} cannot be saved for {platform}: its content is incomplete")
            }
            Self::MissingAttestation { manifest } => {
                write!(f, "attestation manifest {manifest} is not present locally")
            }
            Self::MustBeForced { image } => {
                write!(f, "image {image} has several names: removing it by its ID needs force")
            }
            Self::PlatformsMustBeForced => f.write_str("removing content of single platforms needs force"),
            Self::OnlyPlatform { manifest } => {
                write!(f, "manifest {manifest} is the whole image: remove the image instead")
            }
            Self::NameLooksLikeDigest => f.write_str("the new name could not be told from a digest"),
            Self::NoTags { repository } => write!(f, "no tag of {repository} exists locally"),
            Self::NoSuchTag { name } => write!(f, "no such tag: {name}"),
            Self::Denied { image, rule, reason } => write!(f, "image {image} is denied by rule {rule}: {reason}"),
        }
    }
}

impl From<Cow<'static, str>> for Detail {
    fn from(text: Cow<'static, str>) -> Self {
        Self::Text(text)
    }
}

impl From<&'static str> for Detail {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}
