//! What Docker's clients are told of a failure: the one place that knows Docker's words for typed details.

use std::borrow::Cow;

use crate::domain::{Detail, Digest, Error};

/// The text of a failure, as Docker Engine words it.
pub fn text(error: &Error) -> Cow<'_, str> {
    match error.detail() {
        Detail::Text(text) => Cow::Borrowed(text),
        detail => Cow::Owned(error.prefixed(&words(detail))),
    }
}

fn words(detail: &Detail) -> Cow<'_, str> {
    Cow::Owned(match detail {
        Detail::Text(text) => return Cow::Borrowed(text),
        Detail::NoSuchImage { image: name } | Detail::NoSuchName { name } => format!("No such image: {name}"),
        Detail::AmbiguousId { prefix } => {
            format!("ambiguous reference: several images have IDs that start with {prefix}")
        }
        Detail::LacksPlatform { image, platform } => lacks_platform(image, platform),
        Detail::LacksEveryPlatform { image } => {
            format!("image with reference {image} was found but does not provide any platform")
        }
        Detail::SeveralManifests => {
            return "multiple matching manifests found but no specific platform requested".into();
        }
        Detail::SeveralManifestsFor { platform } => format!("multiple manifests found for platform {platform}"),
        Detail::NoMatchingManifest { platform } => format!(
            "no matching manifest for {platform} in the manifest list entries: no match for platform in manifest: not found"
        ),
        Detail::NoSuchRemoteManifest { .. } => return "manifest unknown: manifest unknown".into(),
        Detail::CannotSavePlatform { image, platform } => {
            format!("no suitable export target found: {}", lacks_platform(image, platform))
        }
        Detail::CannotSaveIncomplete { image, platform } => format!(
            "no suitable export target found: image with reference {image} was found but not all content of the specified \
             platform is here ({platform})"
        ),
        Detail::MissingAttestation { manifest } => {
            format!("reading blob {manifest}: NotFound: content digest {manifest}: not found")
        }
        Detail::MustBeForced { image } => format!(
            "conflict: unable to delete {} (must be forced) - image is referenced in multiple repositories",
            short_id(image)
        ),
        // Word for word what Docker Engine says, its dash included.
        Detail::PlatformsMustBeForced => {
            return "Content will be removed from all images referencing this variant. Use \u{2014}-force to force delete."
                .into();
        }
        Detail::OnlyPlatform { manifest } => format!(
            "conflict: unable to delete {} (cannot be forced) - image is for this platform only, remove the image instead",
            short_id(manifest)
        ),
        Detail::NameLooksLikeDigest => {
            return "refusing to create an ambiguous tag using digest algorithm as name".into();
        }
        Detail::NoTags { repository } => format!("An image does not exist locally with the tag: {repository}"),
        Detail::NoSuchTag { name } => format!("tag does not exist: {name}"),
        Detail::Denied { image, rule, reason } => format!("image {image} is denied by rule {rule}: {reason}"),
    })
}

fn lacks_platform(image: &str, platform: &str) -> String {
    format!("image with reference {image} was found but does not provide the specified platform ({platform})")
}

/// The beginning of an ID as Docker's messages show it.
fn short_id(digest: &Digest) -> String {
    digest.hex().chars().take(12).collect()
}

#[cfg(test)]
mod tests;
