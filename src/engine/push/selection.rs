//! Which manifest of an image is pushed, where that is not all of the image.

use super::super::catalog::State;
use super::super::catalog::tree::Tree;
use super::super::inspect::lacks_platform;
use super::contents::is_foreign;
use crate::domain::image::ManifestSummary;
use crate::domain::platform::Matcher;
use crate::domain::{Descriptor, Detail, Error, Kind, Platform, Reference, Result};

/// The manifest for a platform whose content is here.
///
/// # Errors
/// `NotFound` where there is none; `Conflict` where there are several.
pub(super) fn platform(
    state: &State,
    target: &Descriptor,
    name: &Reference,
    platform: &Platform,
) -> Result<Descriptor> {
    let matcher = Matcher::strict(platform);
    let tree = Tree::new(state, target);
    let mut fitting = complete(state, &tree).filter(|branch| matcher.matches(&branch.platform()));
    match (fitting.next(), fitting.next()) {
        (Some(branch), None) => Ok(Descriptor::clone(&branch.descriptor)),
        (Some(_), Some(_)) => {
            Err(Error::new(Kind::Conflict, Detail::SeveralManifestsFor { platform: platform.to_string() }))
        }
        (None, _) => Err(lacks_platform(&name.familiar(), platform)),
    }
}

/// The manifest that is pushed in place of an index some of whose content is not here: the only one that is complete, or
/// else the one that fits the host best.
///
/// # Errors
/// `NotFound` where none is complete; `Conflict` where several are and the host can run none of them.
pub(super) fn instead(state: &State, target: &Descriptor, name: &Reference) -> Result<Descriptor> {
    let tree = Tree::new(state, target);
    let candidates: Vec<&ManifestSummary> = complete(state, &tree).collect();
    if let [only] = candidates[..] {
        return Ok(Descriptor::clone(&only.descriptor));
    }
    let host = Matcher::host();
    let ranked = candidates.iter().filter_map(|branch| Some((host.rank(&branch.platform())?, branch)));
    match ranked.min_by_key(|(rank, _)| *rank) {
        Some((_, best)) => Ok(Descriptor::clone(&best.descriptor)),
        None if candidates.is_empty() => Err(Error::not_found(Detail::LacksEveryPlatform { image: name.familiar() })),
        None => Err(Error::new(Kind::Conflict, Detail::SeveralManifests)),
    }
}

/// The images whose content is here, but for what is not for registries anyway.
fn complete<'a>(state: &'a State, tree: &'a Tree) -> impl Iterator<Item = &'a ManifestSummary> {
    tree.images().filter(|branch| {
        let Some(manifest) = branch.manifest() else { return false };
        let mut children = std::iter::once(&manifest.config).chain(&manifest.layers);
        children.all(|child| is_foreign(child) || state.blob(&child.digest).is_some())
    })
}
