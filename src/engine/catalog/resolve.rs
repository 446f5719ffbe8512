//! From what a client calls an image to the image.

use std::sync::Arc;

use super::state::State;
use super::tree::Tree;
use crate::domain::{Detail, Digest, Error, ImageName, NameKey, Reference, Result};
use crate::store::NameRecord;

/// An image that was found.
pub(in crate::engine) struct Resolved {
    /// What the name that was used points at.
    pub(in crate::engine) record: Arc<NameRecord>,
    /// The image's names that Docker's clients know, sorted.
    pub(in crate::engine) names: Vec<Reference>,
    /// Its other names, sorted. With none of either, it is dangling.
    pub(in crate::engine) opaque: Vec<NameKey>,
    /// The name by which it was found; absent where that was an ID.
    pub(in crate::engine) by_name: Option<Reference>,
}

/// Finds an image by name, by `name@digest`, by its digest, by a unique prefix of that, or by the full digest of a
/// manifest or configuration under it.
///
/// # Errors
/// `NotFound` where there is no such image, or a prefix fits several.
pub(in crate::engine) fn resolve(state: &State, name: &ImageName) -> Result<Resolved> {
    find(state, name, Scope::Contents)
}

/// The same for what changes or sends an image, which is not found by what is under it.
pub(in crate::engine) fn resolve_target(state: &State, name: &ImageName) -> Result<Resolved> {
    find(state, name, Scope::Targets)
}

/// Whose digests lead to an image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// That of what its names point at.
    Targets,
    /// Also those of the manifests and configurations under that.
    Contents,
}

fn find(state: &State, name: &ImageName, scope: Scope) -> Result<Resolved> {
    if let Some(reference) = name.reference()
        && let Some(record) = find_named(state, reference)
    {
        return Ok(Resolved { by_name: Some(reference.clone()), ..Resolved::new(state, record) });
    }
    if !name.may_be_id() {
        return Err(name.not_found());
    }
    let mut fitting = state.targets().filter(|target| name.is_prefix_of(target));
    let target = match (fitting.next(), fitting.next()) {
        (Some(target), None) => target.clone(),
        (Some(_), Some(_)) => {
            return Err(Error::not_found(Detail::AmbiguousId { prefix: name.text().to_owned() }));
        }
        (None, _) => match name.digest() {
            Some(digest) if scope == Scope::Contents => holder(state, digest).ok_or_else(|| name.not_found())?,
            _ => return Err(name.not_found()),
        },
    };
    // A lookup by ID shows what stands beside the first name.
    match state.names_of(&target).first().and_then(|first| state.name(first.as_str())) {
        Some(record) => Ok(Resolved::new(state, record.clone())),
        None => Err(name.not_found()),
    }
}

impl Resolved {
    fn new(state: &State, record: Arc<NameRecord>) -> Self {
        let keys = state.names_of(&record.target.digest);
        let names = keys.iter().filter_map(|key| key.reference()).cloned().collect();
        let opaque = keys.into_iter().filter(|key| key.is_opaque()).cloned().collect();
        Self { record, names, opaque, by_name: None }
    }
}

/// What a reference points at; `None` where it is no name of an image.
pub(in crate::engine) fn find_named(state: &State, reference: &Reference) -> Option<Arc<NameRecord>> {
    // What a name with a digest is must have that digest.
    let fits = |record: &NameRecord| reference.digest().is_none_or(|digest| *digest == record.target.digest);
    if let Some(record) = state.name(&reference.to_string()).filter(|record| fits(record)) {
        return Some(record.clone());
    }
    // A name with a digest is any name of that repository that points at it.
    let digest = reference.digest()?;
    state
        .names_of(digest)
        .into_iter()
        .find(|name| name.reference().is_some_and(|name| name.same_repository(reference)))
        .and_then(|name| state.name(name.as_str()).cloned())
}

/// The image that holds a manifest or configuration: the one of the first name, if several do. Clients that were
/// written for Docker's older store send such digests.
fn holder(state: &State, digest: &Digest) -> Option<Digest> {
    // Only what was parsed can be under an image, so that most misses cost one look.
    state.entry(digest).filter(|entry| entry.document.is_some() || entry.config.is_some())?;
    let holds = |target| {
        Tree::new(state, target).images().any(|branch| {
            branch.descriptor.digest == *digest || branch.manifest().is_some_and(|m| m.config.digest == *digest)
        })
    };
    state.names().find(|(_, record)| holds(&record.target)).map(|(_, record)| record.target.digest.clone())
}
