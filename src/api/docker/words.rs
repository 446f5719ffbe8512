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
mod tests {
    use super::*;

    /// Each detail with Docker's words for it.
    fn table() -> Vec<(Detail, &'static str)> {
        let (image, platform) = ("app:1".to_owned(), "linux/arm64".to_owned());
        let digest = Digest::of(b"");
        vec![
            (Detail::Text("as it is".into()), "as it is"),
            (Detail::NoSuchImage { image: "nope:latest".into() }, "No such image: nope:latest"),
            (Detail::NoSuchName { name: "app:2@sha256:1".into() }, "No such image: app:2@sha256:1"),
            (
                Detail::AmbiguousId { prefix: "1a3f".into() },
                "ambiguous reference: several images have IDs that start with 1a3f",
            ),
            (
                Detail::LacksPlatform { image: image.clone(), platform: platform.clone() },
                "image with reference app:1 was found but does not provide the specified platform (linux/arm64)",
            ),
            (
                Detail::LacksEveryPlatform { image: image.clone() },
                "image with reference app:1 was found but does not provide any platform",
            ),
            (Detail::SeveralManifests, "multiple matching manifests found but no specific platform requested"),
            (
                Detail::SeveralManifestsFor { platform: platform.clone() },
                "multiple manifests found for platform linux/arm64",
            ),
            (
                Detail::NoMatchingManifest { platform: platform.clone() },
                "no matching manifest for linux/arm64 in the manifest list entries: no match for platform in manifest: \
                 not found",
            ),
            (Detail::NoSuchRemoteManifest { name: image.clone() }, "manifest unknown: manifest unknown"),
            (
                Detail::CannotSavePlatform { image: image.clone(), platform: platform.clone() },
                "no suitable export target found: image with reference app:1 was found but does not provide the \
                 specified platform (linux/arm64)",
            ),
            (
                Detail::CannotSaveIncomplete { image: image.clone(), platform },
                "no suitable export target found: image with reference app:1 was found but not all content of the \
                 specified platform is here (linux/arm64)",
            ),
            (
                Detail::MissingAttestation { manifest: digest.clone() },
                "reading blob sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855: NotFound: content \
                 digest sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855: not found",
            ),
            (
                Detail::MustBeForced { image: digest.clone() },
                "conflict: unable to delete e3b0c44298fc (must be forced) - image is referenced in multiple repositories",
            ),
            (
                Detail::PlatformsMustBeForced,
                "Content will be removed from all images referencing this variant. Use \u{2014}-force to force delete.",
            ),
            (
                Detail::OnlyPlatform { manifest: digest },
                "conflict: unable to delete e3b0c44298fc (cannot be forced) - image is for this platform only, remove \
                 the image instead",
            ),
            (Detail::NameLooksLikeDigest, "refusing to create an ambiguous tag using digest algorithm as name"),
            (Detail::NoTags { repository: "app".into() }, "An image does not exist locally with the tag: app"),
            (Detail::NoSuchTag { name: image.clone() }, "tag does not exist: app:1"),
            (
                Detail::Denied { image, rule: "signed".into(), reason: "no signature".into() },
                "image app:1 is denied by rule signed: no signature",
            ),
        ]
    }

    #[test]
    fn every_detail_has_its_words_whatever_stands_before_them() {
        for (detail, expected) in table() {
            assert_eq!(text(&Error::not_found(detail.clone())), expected);
            assert_eq!(text(&Error::not_found(detail).context("pulling")), format!("pulling: {expected}"));
        }
    }
}
