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
