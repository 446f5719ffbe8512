//! Texts that follow a grammar.

use utoipa::ToSchema;

/// The digest of a blob: the algorithm, a colon, and the hash in lower-case hexadecimal digits.
#[derive(ToSchema)]
#[schema(
    as = Digest,
    value_type = String,
    pattern = "^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$",
    example = "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7"
)]
#[expect(dead_code, reason = "documents what `Digest` writes")]
pub struct DigestText(String);

/// An image reference: a repository with a tag, a digest or both. Repositories on Docker Hub are shortened, as docker's
/// CLI shows them. API versions before 1.43 write `<none>` in place of what an image without a name does not have.
#[derive(ToSchema)]
#[schema(
    as = ImageReference,
    value_type = String,
    pattern = r"^(<none>[:@]<none>|([0-9A-Za-z.-]+(:[0-9]+)?/|\[[0-9A-Fa-f:]+\](:[0-9]+)?/)?[a-z0-9]+(([._]|__|-+|/)[a-z0-9]+)*(:\w[\w.-]{0,127})?(@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?)$",
    example = "registry.example/team/app:1.0"
)]
#[expect(dead_code, reason = "documents what `Reference` writes")]
pub struct ReferenceText(String);

/// A version of the API.
#[derive(ToSchema)]
#[schema(as = ApiVersion, value_type = String, pattern = r"^1\.[0-9]+$", example = "1.55")]
#[expect(dead_code, reason = "documents how versions are written")]
pub struct VersionText(String);
