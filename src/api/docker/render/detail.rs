//! One image in full.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use super::config::{ConfigJson, ImageConfig};
use super::descriptor::OciDescriptor;
use super::grammar::{DigestText, ReferenceText};
use super::identity::{Identity, identity};
use super::manifest::{self, ImageManifestSummary};
use super::names::{Tags, repo_digests};
use crate::api::docker::versions::DetailShape;
use crate::domain::descriptor::DescriptorJson;
use crate::domain::image::ImageDetail;
use crate::domain::{Digest, manifest as blob};

/// What Docker shows where a time is not known.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// An image, or one platform of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImageInspect<'a> {
    /// The digest of the image's index or manifest, or of the platform's manifest if a platform was requested.
    #[schema(value_type = DigestText, inline = false)]
    id: &'a Digest,
    /// The names of the image, with tags.
    #[schema(value_type = Vec<ReferenceText>, example = json!(["registry.example/team/app:1.0"]))]
    repo_tags: Tags<'a>,
    /// The repositories of the image, each with the image's digest.
    #[schema(value_type = Vec<ReferenceText>,
        example = json!(["registry.example/team/app@sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7"]))]
    repo_digests: Vec<String>,
    /// The parent image: always empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "")]
    parent: Option<&'a str>,
    /// The comment of the image's last build step.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "buildkit.dockerfile.v0")]
    comment: Option<String>,
    /// When the image was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false, example = "2026-01-01T00:00:00Z")]
    created: Option<Cow<'a, str>>,
    /// The container that the image was committed from: always empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "")]
    container: Option<&'a str>,
    /// The configuration of that container: always null.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ImageConfig>)]
    container_config: Option<Option<()>>,
    /// The version of Docker that built the image: always empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "")]
    docker_version: Option<&'a str>,
    /// The author of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Ann <ann@example.com>")]
    author: Option<&'a str>,
    /// The runtime configuration of the image; null if its configuration is not present locally.
    #[schema(value_type = Option<ImageConfig>, required = true)]
    config: Option<ConfigJson<'a>>,
    /// The CPU architecture, in Go's notation.
    #[schema(example = "arm64")]
    architecture: &'a str,
    /// The variant of the architecture.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false, example = "v7")]
    variant: &'a str,
    /// The operating system, in Go's notation.
    #[schema(example = "linux")]
    os: &'a str,
    /// The version of the operating system.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false, example = "10.0.20348.169")]
    os_version: &'a str,
    /// The size of the platform's content that is present locally, in bytes.
    size: u64,
    /// The same as `Size`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, deprecated, example = 1_067_320)]
    virtual_size: Option<u64>,
    /// The storage driver of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, inline = false)]
    graph_driver: Option<DriverData>,
    /// The layers of the root file system.
    #[serde(rename = "RootFS")]
    #[schema(inline = false)]
    root_fs: RootFs<'a>,
    /// What the daemon records about the image.
    #[schema(inline = false)]
    metadata: ImageMetadata,
    /// The descriptor of the image's index or manifest, or of the platform's manifest if a platform was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<OciDescriptor>, nullable = false)]
    descriptor: Option<DescriptorJson<'a>>,
    /// The manifests of the image; present only if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    manifests: Option<Vec<ImageManifestSummary<'a>>>,
    /// Where the image was pulled from, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, inline = false)]
    identity: Option<Identity<'a>>,
}

/// The storage driver of an image.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct DriverData {
    /// Always null.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>, required = true, example = json!(null))]
    data: Option<()>,
    /// The name of the driver.
    #[schema(example = "overlayfs")]
    name: &'static str,
}

/// The layers of an image's root file system.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct RootFs<'a> {
    /// Always `layers`; absent for a platform whose configuration is not present locally.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(example = "layers", required = false)]
    r#type: &'a str,
    /// The digests of the uncompressed layers, bottom first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false,
        example = json!(["sha256:574cc6587cfcacce046835c1eada18bc9e9d5c98572dbccffc68962295f6edbe"]))]
    layers: Vec<&'a str>,
}

/// What the daemon records about an image.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImageMetadata {
    /// When a name of the image was last set.
    #[schema(format = DateTime, example = "2026-11-20T18:32:44.572843485Z")]
    last_tag_time: String,
}

impl<'a> ImageInspect<'a> {
    /// The image in a form. Manifests are shown where they were asked for.
    pub fn new(image: &'a ImageDetail, shape: &DetailShape, manifests: bool) -> Self {
        let config = image.config.as_ref();
        let text = |key| config.map_or("", |config| config.text(key));
        let shown = |text: &'a str| (shape.empty_texts || !text.is_empty()).then_some(text);
        let unknown = shape.virtual_size.then_some(Cow::Borrowed(NO_TIME));
        let comment = config.map(comment).unwrap_or_default();
        let (kind, layers) = config.map(blob::ImageConfig::rootfs).unwrap_or_default();
        Self {
            id: &image.target.digest,
            repo_tags: Tags(&image.names),
            repo_digests: repo_digests(&image.names, &image.digest),
            parent: shown(""),
            comment: (shape.empty_texts || !comment.is_empty()).then_some(comment),
            created: config.and_then(created).or(unknown),
            container: shape.container.then_some(""),
            container_config: shape.container.then_some(None),
            docker_version: shown(""),
            author: shown(text("author")),
            config: config
                .map(|config| ConfigJson { members: config.runtime().unwrap_or(&NO_MEMBERS), form: shape.config }),
            architecture: text("architecture"),
            variant: text("variant"),
            os: text("os"),
            os_version: text("os.version"),
            size: image.size,
            virtual_size: shape.virtual_size.then_some(image.size),
            graph_driver: shape.empty_texts.then_some(DriverData { data: None, name: "overlayfs" }),
            root_fs: RootFs { r#type: kind, layers },
            metadata: ImageMetadata { last_tag_time: image.last_tag_time.to_string() },
            descriptor: shape.descriptor.then(|| image.target.json()),
            manifests: if manifests { manifest::manifests(&image.manifests, shape.statements, None) } else { None },
            identity: if shape.identity { identity(&image.sources) } else { None },
        }
    }
}

static NO_MEMBERS: std::sync::LazyLock<serde_json::Map<String, serde_json::Value>> =
    std::sync::LazyLock::new(Default::default);

/// The configuration's comment, or else that of its newest step, where BuildKit leaves one.
fn comment(config: &blob::ImageConfig) -> String {
    match config.text("comment") {
        "" => config.history().pop().map(|step| step.comment).unwrap_or_default(),
        comment => comment.to_owned(),
    }
}

/// The time of creation with the offset that it was written with, and no more digits of a second than needed.
fn created(config: &blob::ImageConfig) -> Option<Cow<'_, str>> {
    let time = config.created()?;
    let text = config.text("created");
    let Some((seconds, rest)) = text.split_once('.') else { return Some(Cow::Borrowed(text)) };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (fraction, offset) = rest.split_at(digits);
    if digits > 9 {
        return Some(Cow::Owned(time.to_string()));
    }
    let needed = fraction.trim_end_matches('0');
    Some(Cow::Owned(if needed.is_empty() {
        format!("{seconds}{offset}")
    } else {
        format!("{seconds}.{needed}{offset}")
    }))
}
