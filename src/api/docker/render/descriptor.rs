//! Descriptors and platforms as the OCI image specification writes them.

use std::collections::BTreeMap;

use utoipa::ToSchema;

/// What is said of a blob: its type, digest and size, by the OCI image specification.
#[derive(ToSchema)]
#[schema(as = OCIDescriptor, example = json!({
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": "sha256:5856fc54da631d758059b384540ebac0ef666b859d2b8fe183f39436d0dd3967",
    "size": 856,
    "platform": {"architecture": "amd64", "os": "linux"},
}))]
#[expect(dead_code, reason = "documents what `DescriptorJson` writes")]
pub struct OciDescriptor {
    /// What the blob is.
    #[schema(rename = "mediaType")]
    media_type: String,
    /// The hash of the blob's bytes.
    digest: String,
    /// The blob's size in bytes.
    size: i64,
    /// Other places to fetch the blob from.
    #[schema(nullable = false)]
    urls: Option<Vec<String>>,
    /// What is noted beside the blob.
    #[schema(nullable = false)]
    annotations: Option<BTreeMap<String, String>>,
    /// The blob itself, in base64.
    #[schema(nullable = false)]
    data: Option<String>,
    /// What the blob runs on.
    #[schema(nullable = false, inline = false)]
    platform: Option<OciPlatform>,
    /// What the blob is an artifact of.
    #[schema(rename = "artifactType", nullable = false)]
    artifact_type: Option<String>,
}

/// What an image runs on, by the OCI image specification.
#[derive(ToSchema)]
#[schema(as = OCIPlatform, example = json!({"architecture": "arm", "os": "linux", "variant": "v7"}))]
#[expect(dead_code, reason = "documents what `PlatformJson` writes")]
pub struct OciPlatform {
    /// The CPU architecture, as Go names it.
    architecture: String,
    /// The operating system, as Go names it.
    os: String,
    /// The version of the operating system.
    #[schema(rename = "os.version", nullable = false)]
    os_version: Option<String>,
    /// What is needed of the operating system.
    #[schema(rename = "os.features", nullable = false)]
    os_features: Option<Vec<String>>,
    /// The variant of the architecture.
    #[schema(nullable = false)]
    variant: Option<String>,
}
