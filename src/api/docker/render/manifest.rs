//! The manifests of an image.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::attestation::StatementDescriptor;
use super::descriptor::{OciDescriptor, OciPlatform};
use super::identity::{Identity, identity};
use crate::domain::descriptor::DescriptorJson;
use crate::domain::image::{ManifestKind, ManifestSummary};
use crate::domain::platform::{Platform, PlatformJson};
use crate::domain::{Digest, attestation};

/// One manifest of an image.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImageManifestSummary<'a> {
    /// The manifest's digest.
    #[serde(rename = "ID")]
    #[schema(value_type = String)]
    id: &'a Digest,
    /// The manifest, as the image's index describes it.
    #[schema(value_type = OciDescriptor)]
    descriptor: DescriptorJson<'a>,
    /// Whether everything that the manifest names is here.
    available: bool,
    /// How much room the manifest and what it names take.
    #[schema(inline = false)]
    size: ManifestSize,
    /// What the manifest stands for.
    #[schema(value_type = ManifestKindName)]
    kind: &'static str,
    /// The platform's image, where the manifest is of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, inline = false)]
    image_data: Option<ImageData<'a>>,
    /// What is attested, where the manifest is of an attestation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, inline = false)]
    attestation_data: Option<AttestationData<'a>>,
}

/// What a manifest stands for.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "documents the values of `Kind`")]
pub enum ManifestKindName {
    Image,
    Attestation,
    Unknown,
}

/// How much room a manifest's content takes, in bytes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ManifestSize {
    /// Content and what is unpacked from it.
    total: u64,
    /// Content that is here.
    content: u64,
}

/// The image of one platform.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImageData<'a> {
    /// What the image runs on.
    #[schema(value_type = OciPlatform)]
    #[serde(serialize_with = "as_json")]
    platform: Cow<'a, Platform>,
    /// Where the image comes from, if that was asked for and is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, inline = false)]
    identity: Option<Identity<'a>>,
    /// How much room the image takes beside its content.
    #[schema(inline = false)]
    size: UnpackedSize,
    /// The containers that use the image: none, because Loadline runs no containers.
    #[schema(required = true)]
    containers: Option<Vec<String>>,
}

/// How much room an image takes beside its content, in bytes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UnpackedSize {
    /// Always 0: layers are not unpacked.
    unpacked: u64,
}

/// What an attestation manifest is about.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct AttestationData<'a> {
    /// The digest of the manifest that the statements are about.
    #[schema(value_type = String)]
    r#for: &'a Digest,
    /// The statements, in order; absent where the attestation manifest is not here.
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
