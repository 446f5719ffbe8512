//! The manifests of an image.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::attestation::StatementDescriptor;
use super::descriptor::{OciDescriptor, OciPlatform};
use super::grammar::DigestText;
use super::identity::{Identity, identity};
use crate::domain::descriptor::DescriptorJson;
use crate::domain::image::{ManifestKind, ManifestSummary};
use crate::domain::platform::{Platform, PlatformJson};
use crate::domain::{Digest, attestation};

/// A manifest of an image.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImageManifestSummary<'a> {
    /// The digest of the manifest.
    #[serde(rename = "ID")]
    #[schema(value_type = DigestText, inline = false)]
    id: &'a Digest,
    /// The descriptor of the manifest, from the index of the image.
    #[schema(value_type = OciDescriptor)]
    descriptor: DescriptorJson<'a>,
    /// Whether all content of the manifest is present locally.
    available: bool,
    /// The disk space that the manifest and its content use.
    #[schema(inline = false)]
    size: ManifestSize,
    /// The kind of the manifest.
    #[schema(value_type = ManifestKindName)]
    kind: &'static str,
    /// The image of a platform; present for manifests of kind `image`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, inline = false)]
    image_data: Option<ImageData<'a>>,
    /// The attestations; present for manifests of kind `attestation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, inline = false)]
    attestation_data: Option<AttestationData<'a>>,
}

/// The kind of a manifest.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "documents the values of `Kind`")]
pub enum ManifestKindName {
    Image,
    Attestation,
    Unknown,
}

/// The disk space that the content of a manifest uses, in bytes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ManifestSize {
    /// The size of the content and of what is unpacked from it.
    total: u64,
    /// The size of the content that is present locally.
    content: u64,
}

/// The image of one platform.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImageData<'a> {
    /// The platform of the image.
    #[schema(value_type = OciPlatform)]
    #[serde(serialize_with = "as_json")]
    platform: Cow<'a, Platform>,
    /// Where the image was pulled from, if known; present only if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, inline = false)]
    identity: Option<Identity<'a>>,
    /// The disk space that the image uses in addition to its content.
    #[schema(inline = false)]
    size: UnpackedSize,
    /// The containers that use the image: always null or empty, as Loadline does not run containers.
    #[schema(required = true, example = json!([]))]
    containers: Option<Vec<String>>,
}

/// The disk space that an image uses in addition to its content, in bytes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UnpackedSize {
    /// Always 0: layers are not unpacked.
    unpacked: u64,
}

/// The contents of an attestation manifest.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct AttestationData<'a> {
    /// The digest of the manifest that the statements are about.
    #[schema(value_type = DigestText, inline = false)]
    r#for: &'a Digest,
    /// The statements, in order; absent if the attestation manifest is not present locally.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, extensions(("x-loadline-extension" = json!(true))))]
    statements: Option<Vec<StatementDescriptor<'a>>>,
}

/// The manifests of an image; absent where there are none. `statements` says whether attestations show theirs, `sources`
/// where the image was pulled from, if that is to be shown.
pub fn manifests<'a>(
    manifests: &'a [ManifestSummary],
    statements: bool,
    sources: Option<&'a [String]>,
) -> Option<Vec<ImageManifestSummary<'a>>> {
    let summary = |manifest| ImageManifestSummary::new(manifest, statements, sources);
    let shown: Vec<_> = manifests.iter().map(summary).collect();
    (!shown.is_empty()).then_some(shown)
}

fn as_json<S: Serializer>(platform: &Platform, serializer: S) -> Result<S::Ok, S::Error> {
    PlatformJson(platform).serialize(serializer)
}

impl<'a> ImageManifestSummary<'a> {
    fn new(manifest: &'a ManifestSummary, with_statements: bool, sources: Option<&'a [String]>) -> Self {
        let (kind, image_data, attestation_data) = match &manifest.kind {
            ManifestKind::Image => {
                let size = UnpackedSize { unpacked: 0 };
                // What is not here was not pulled.
                let identity = sources.filter(|_| manifest.available).and_then(identity);
                ("image", Some(ImageData { platform: manifest.platform(), identity, size, containers: None }), None)
            }
            ManifestKind::Attestation(subject) => {
                let shown = manifest.manifest().filter(|_| with_statements);
                let statements = shown.map(|shown| attestation::statements(shown).map(Into::into).collect());
                ("attestation", None, Some(AttestationData { r#for: subject, statements }))
            }
            ManifestKind::Unknown => ("unknown", None, None),
        };
        Self {
            id: &manifest.descriptor.digest,
            descriptor: manifest.descriptor.json(),
            available: manifest.available,
            size: ManifestSize { total: manifest.content_size, content: manifest.content_size },
            kind,
            image_data,
            attestation_data,
        }
    }
}
