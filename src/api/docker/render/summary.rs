//! A row of the list of images.

use serde::Serialize;
use serde::ser::SerializeMap;
use utoipa::ToSchema;

use super::descriptor::OciDescriptor;
use super::grammar::{DigestText, ReferenceText};
use super::manifest::{self, ImageManifestSummary};
use super::names::{Tags, repo_digest};
use crate::api::docker::versions::{Detail, ListShape};
use crate::domain::descriptor::DescriptorJson;
use crate::domain::{Digest, StringMap, image};

/// An image in a list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImageSummary<'a> {
    /// The number of containers that use the image: 0, as Loadline does not run containers, or -1 if they are not counted.
    containers: i64,
    /// When the image was created, in seconds since the Unix epoch.
    created: i64,
    /// The digest of the image's index, or of its only manifest.
    #[schema(value_type = DigestText, inline = false)]
    id: &'a Digest,
    /// The labels of the platform that matches the host best.
    #[schema(value_type = std::collections::BTreeMap<String, String>,
        example = json!({"org.opencontainers.image.version": "1.0.0"}))]
    labels: Labels<'a>,
    /// The parent image: always empty.
    #[schema(example = "")]
    parent_id: &'static str,
    /// The descriptor of the image's index or manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<OciDescriptor>, nullable = false)]
    descriptor: Option<DescriptorJson<'a>>,
    /// The manifests of the image; present only if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    manifests: Option<Vec<ImageManifestSummary<'a>>>,
    /// One repository of the image, with the image's digest.
    #[schema(value_type = Vec<ReferenceText>,
        example = json!(["registry.example/team/app@sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7"]))]
    repo_digests: Names<'a>,
    /// The names of the image, with tags.
    #[schema(value_type = Vec<ReferenceText>, example = json!(["registry.example/team/app:1.0"]))]
    repo_tags: Names<'a>,
    /// The size of the content that other images also use, in bytes; -1 if not requested.
    shared_size: i64,
    /// The size of the image's content that is present locally, in bytes.
    size: u64,
    /// The same as `Size`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, deprecated, example = 3_041_652)]
    virtual_size: Option<u64>,
}

impl<'a> ImageSummary<'a> {
    /// The row of an image in a form.
    pub fn new(
        image: &'a image::ImageSummary<'a>,
        shape: &ListShape,
        detail: Detail,
        shared_size: Option<u64>,
    ) -> Self {
        let manifests = match detail {
            Detail::Row => None,
            Detail::Manifests => manifest::manifests(image.manifests, shape.statements, None),
            Detail::Identity => manifest::manifests(image.manifests, shape.statements, Some(image.sources)),
        };
        // Of an image's repositories, a list shows the one of its last name; inspect shows all.
        let (tags, digests) = match image.names.last() {
            None if shape.none_names => (Names::Word("<none>:<none>"), Names::Word("<none>@<none>")),
            None => (Names::Tags(Tags(&[])), Names::Tags(Tags(&[]))),
            Some(last) => (Names::Tags(Tags(image.names)), Names::Digest(repo_digest(last, &image.target.digest))),
        };
        Self {
            containers: if shape.containers { 0 } else { -1 },
            created: image.created,
            id: &image.target.digest,
            labels: Labels(image.labels),
            parent_id: "",
            descriptor: shape.descriptor.then(|| image.target.json()),
            manifests,
            repo_digests: digests,
            repo_tags: tags,
            shared_size: shared_size.map_or(-1, |size| i64::try_from(size).unwrap_or(i64::MAX)),
            size: image.size,
            virtual_size: shape.virtual_size.then_some(image.size),
        }
    }
}

/// Labels as a JSON object, which is empty where they are not known.
pub struct Labels<'a>(pub Option<&'a StringMap>);

impl Serialize for Labels<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(labels) => labels.json().serialize(serializer),
            None => serializer.serialize_map(Some(0))?.end(),
        }
    }
}

/// Names, one repository with a digest, or the word that stands for none.
pub enum Names<'a> {
    Tags(Tags<'a>),
    Digest(String),
    Word(&'static str),
}

impl Serialize for Names<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Tags(names) => names.serialize(serializer),
            Self::Digest(digest) => [digest].serialize(serializer),
            Self::Word(word) => [word].serialize(serializer),
        }
    }
}
