//! What the paths in an archive mean.

use crate::domain::Digest;

pub(super) const INDEX: &str = "index.json";
pub(super) const DOCKER_MANIFEST: &str = "manifest.json";
pub(super) const LAYOUT: &str = "oci-layout";

/// What a file is there for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It says what the archive holds.
    Listing,
    /// It is named by its digest.
    Blob(Digest),
    /// It may be a layer or a configuration, named by its path, or nothing of the image's at all.
    Other,
}

/// What the file at a path is.
pub(super) fn role(path: &str) -> Role {
    if matches!(path, INDEX | DOCKER_MANIFEST | LAYOUT) {
        return Role::Listing;
    }
    let digest = path.strip_prefix("blobs/").and_then(|rest| rest.split_once('/'));
    let digest = digest.and_then(|(algorithm, hex)| format!("{algorithm}:{hex}").parse().ok());
    digest.map_or(Role::Other, Role::Blob)
}
