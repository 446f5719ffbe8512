//! Descriptors and platforms as the OCI image specification writes them.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::grammar::DigestText;

/// A descriptor of the OCI image specification: the type, digest and size of a blob.
#[derive(ToSchema)]
#[schema(as = OCIDescriptor, example = json!({
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": "sha256:5856fc54da631d758059b384540ebac0ef666b859d2b8fe183f39436d0dd3967",
    "size": 856,
    "platform": {"architecture": "amd64", "os": "linux"},
}))]
#[expect(dead_code, reason = "documents what `DescriptorJson` writes")]
pub struct OciDescriptor {
    /// The media type of the blob.
    #[schema(rename = "mediaType", example = "application/vnd.oci.image.manifest.v1+json")]
    media_type: String,
    /// The digest of the blob.
    #[schema(inline = false)]
    digest: DigestText,
    /// The size of the blob in bytes.
    size: i64,
    /// Other URLs of the blob.
    #[schema(nullable = false, example = json!(["https://mirror.example/blob"]))]
    urls: Option<Vec<String>>,
    /// Annotations.
    #[schema(nullable = false, example = json!({"org.opencontainers.image.ref.name": "1.0"}))]
    annotations: Option<BTreeMap<String, String>>,
    /// The content of the blob, in base64.
    #[schema(nullable = false, example = "e30=")]
    data: Option<String>,
    /// The platform of the image.
    #[schema(nullable = false, inline = false)]
    platform: Option<OciPlatform>,
    /// The type of the artifact.
    #[schema(rename = "artifactType", nullable = false, example = "application/vnd.example.sbom.v1")]
    artifact_type: Option<String>,
}

/// A platform of the OCI image specification.
#[derive(ToSchema)]
#[schema(as = OCIPlatform, example = json!({"architecture": "arm", "os": "linux", "variant": "v7"}))]
#[expect(dead_code, reason = "documents what `PlatformJson` writes")]
pub struct OciPlatform {
    /// The CPU architecture, in Go's notation.
    #[schema(example = "arm")]
    architecture: String,
    /// The operating system, in Go's notation.
    #[schema(example = "linux")]
    os: String,
    /// The version of the operating system.
    #[schema(rename = "os.version", nullable = false, example = "10.0.20348.169")]
    os_version: Option<String>,
    /// Required features of the operating system.
    #[schema(rename = "os.features", nullable = false, example = json!(["win32k"]))]
    os_features: Option<Vec<String>>,
    /// The variant of the architecture.
    #[schema(nullable = false, example = "v7")]
    variant: Option<String>,
}
