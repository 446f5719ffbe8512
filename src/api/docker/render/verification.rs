//! Whether an image is signed as rules want.

use serde::Serialize;
use utoipa::ToSchema;

use super::grammar::DigestText;
use crate::domain::verification::{Judged, Signer};
use crate::engine::{PlatformVerification, Verification};

/// Whether an image is signed as rules want.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImageVerification<'a> {
    /// Whether every platform asked about is signed as the rule wants. False if no rule is about the image.
    verified: bool,
    /// Whether the rules let the image in: because it is verified, or without that.
    admitted: bool,
    /// The image with its digest: what was verified.
    #[schema(
        example = "registry.example/team/app@sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7"
    )]
    image: &'a str,
    /// The rule that decided: its number and pattern; null if no rule is about the image.
    #[schema(required = true, example = "0002 (registry.example/team/*)")]
    rule: Option<&'a str>,
    /// Who signed it, or why it is not verified.
    #[schema(example = "signed by someone@example.org (issuer https://issuer.example)")]
    message: &'a str,
    /// The platforms.
    #[schema(inline = false)]
    platforms: Vec<VerifiedPlatform<'a>>,
}

/// Whether one platform of an image is signed as rules want.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct VerifiedPlatform<'a> {
    /// The platform, such as `linux/amd64`; empty if unknown.
    #[schema(example = "linux/amd64")]
    platform: String,
    /// The digest of its manifest.
    #[schema(value_type = DigestText)]
    digest: String,
    /// Whether it is signed as the rule wants.
    verified: bool,
    /// Every signature and attestation that was found about the manifest or the index.
    #[schema(inline = false)]
    signatures: Vec<ImageSignature<'a>>,
}

/// A signature or an attestation about an image.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImageSignature<'a> {
    /// The form in which it is stored: `bundle`, `simple-signing`, `envelope`, `notation` or `unknown`.
    #[schema(example = "bundle")]
    kind: &'static str,
    /// The digest of the manifest that holds it.
    #[schema(value_type = DigestText)]
    digest: String,
    /// Whether it verifies and counts for the rule.
    verified: bool,
    /// Who signed; empty if it does not verify.
    #[schema(example = "someone@example.org")]
    identity: String,
    /// Why it does not count; empty if it does.
    #[schema(example = "")]
    reason: &'a str,
}

impl<'a> From<&'a Verification> for ImageVerification<'a> {
    fn from(verification: &'a Verification) -> Self {
        Self {
            verified: verification.is_verified,
            admitted: verification.is_let_in,
            image: &verification.image,
            rule: verification.rule.as_deref(),
            message: &verification.message,
            platforms: verification.platforms.iter().map(VerifiedPlatform::from).collect(),
        }
    }
}

impl<'a> From<&'a PlatformVerification> for VerifiedPlatform<'a> {
    fn from(platform: &'a PlatformVerification) -> Self {
        Self {
            platform: platform.platform.as_ref().map(ToString::to_string).unwrap_or_default(),
            digest: platform.digest.to_string(),
            verified: platform.is_verified,
            signatures: platform.signatures.iter().map(ImageSignature::from).collect(),
        }
    }
}

impl<'a> From<&'a Judged> for ImageSignature<'a> {
    fn from(judged: &'a Judged) -> Self {
        let identity = judged.finding.result.as_ref().ok().map(|signature| match &signature.signer {
            Signer::Certificate(identity) => identity.subject.clone(),
            Signer::Key(fingerprint) => fingerprint.to_string(),
        });
        Self {
            kind: judged.finding.kind.name(),
            digest: judged.finding.source.to_string(),
            verified: judged.objection.is_none(),
            identity: identity.unwrap_or_default(),
            reason: judged.objection.as_deref().unwrap_or_default(),
        }
    }
}
