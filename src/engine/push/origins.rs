//! Where in a registry content lies already, so that it need not be sent there again.

use super::super::catalog::State;
use super::super::catalog::tree::Tree;
use super::super::uploads::{MAX_ORIGINS, Origins};
use super::contents::Contents;
use crate::domain::image::ManifestSummary;
use crate::domain::{Digest, Reference};

/// The repositories that images with these blobs were pulled from, in the registry of `name`: first those of the image
/// itself, then of others.
pub(super) fn find(state: &State, name: &Reference, target: &Digest, contents: &Contents) -> Origins {
    let mut origins = Origins::new();
    let repositories = |image: &Digest| -> Vec<Reference> {
        let sources = state.sources(image).iter().filter_map(|source| Reference::parse(source).ok());
        sources.filter(|source| source.domain() == name.domain() && !source.same_repository(name)).collect()
    };
    let own = repositories(target);
    if !own.is_empty() {
        for blob in &contents.blobs {
            origins.insert(blob.descriptor.digest.clone(), own.iter().take(MAX_ORIGINS).cloned().collect());
        }
    }
    for image in state.targets().filter(|image| *image != target) {
        let others = repositories(image);
        let Some(record) = state.names_of(image).first().and_then(|first| state.name(first.as_str())) else { continue };
        if others.is_empty() {
            continue;
        }
        let tree = Tree::new(state, &record.target);
        let manifests = tree.manifests.iter().filter_map(ManifestSummary::manifest);
        for child in manifests.flat_map(|manifest| std::iter::once(&manifest.config).chain(&manifest.layers)) {
            // A pull of one platform leaves the others where they are, but they are there.
            if !contents.holds(&child.digest) {
                continue;
            }
            let known = origins.entry(child.digest.clone()).or_default();
            for other in &others {
                if known.len() < MAX_ORIGINS && !known.contains(other) {
                    known.push(other.clone());
                }
            }
        }
    }
    origins
}
