//! Remove: names, and the image when its last one goes; or one platform's content.

use std::collections::HashSet;

use super::catalog::State;
use super::catalog::resolve::{Resolved, resolve_target};
use super::catalog::tree::Tree;
use super::core::Engine;
use super::gc::collect::{Sweep, sweep};
use super::gc::reachable::reachable;
use super::inspect::lacks_platform;
use super::operation::{Operation, listed};
use super::publish::Report;
use crate::domain::platform::Matcher;
use crate::domain::{Detail, Digest, Error, ImageName, Kind, NameKey, Platform, Reference, Result};

/// How an image is removed.
#[derive(Clone, Debug, Default)]
pub struct RemoveOptions {
    /// Remove an image that was named by its ID although it has several names, and content of single platforms.
    pub force: bool,
    /// Remove only the content of these platforms, and no name; the image where empty.
    pub platforms: Vec<Platform>,
}

impl RemoveOptions {
    /// Whether the options can be followed at all.
    ///
    /// # Errors
    /// `InvalidArgument` where content of single platforms is to go without force.
    pub fn check(&self) -> Result<()> {
        if self.platforms.is_empty() || self.force {
            return Ok(());
        }
        Err(Error::invalid(Detail::PlatformsMustBeForced))
    }
}

/// One thing that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// A name, in its familiar form; one that Docker's clients do not know as it is.
    Name(String),
    /// An image, or a manifest of one.
    Content(Digest),
}

impl Engine {
    /// Removes an image by its last name or by its ID, or else only the name, and all content that nothing else uses.
    ///
    /// A name with a digest stands for all names of its repository. What was removed is told name by name, then the
    /// image.
    ///
    /// # Errors
    /// `InvalidArgument` where platforms are to go without force; `NotFound` where there is no
    /// such image, or it has no content for a platform; `Conflict` where an ID stands for an image with several names and
    /// force is not used, or where the image is that of the one platform and cannot do without it.
    pub async fn remove(&self, name: &ImageName, options: RemoveOptions) -> Result<Vec<Removed>> {
        options.check()?;
        if options.platforms.is_empty() {
            return self.remove_image(name, options.force).await;
        }
        let mut removed = Vec::new();
        // Each is a step of its own, and durable when the next one fails.
        for platform in options.platforms {
            removed.extend(self.remove_platform(name, platform).await?);
        }
        Ok(removed)
    }

    async fn remove_image(&self, name: &ImageName, force: bool) -> Result<Vec<Removed>> {
        let operation = Operation::start();
        let name = name.clone();
        let choose = move |state: &State| {
            let image = resolve_target(state, &name)?;
            let going = going_names(&name, &image, force)?;
            let names: Vec<String> = going.iter().map(NameKey::shown).collect();
            let mut removed: Vec<Removed> = names.iter().cloned().map(Removed::Name).collect();
            let target = image.record.target.digest.clone();
            let is_gone = going.len() == image.names.len() + image.opaque.len();
            let sweep = match is_gone {
                true => sweep_of(state, [target.clone()].into()),
                false => Sweep { names: going, candidates: Some(HashSet::new()), ..Sweep::default() },
            };
            if is_gone {
                removed.push(Removed::Content(target.clone()));
            }
            let output = (removed, names.clone(), target.clone(), is_gone);
            Ok((sweep, Report::Remove { image: target, names, is_gone }, output))
        };
        let (_, (removed, names, target, is_gone)) = sweep(&self.0.publisher, choose).await?;
        operation.done(if is_gone { "removed" } else { "untagged" }, listed(names), &target);
        Ok(removed)
    }

    async fn remove_platform(&self, name: &ImageName, platform: Platform) -> Result<Vec<Removed>> {
        let operation = Operation::start();
        let shown = name.text().to_owned();
        let name = name.clone();
        let choose = move |state: &State| {
            let target = resolve_target(state, &name)?.record.target.clone();
            let tree = Tree::new(state, &target);
            let found = tree.matching(&Matcher::strict(&platform)).filter(|branch| branch.manifest().is_some());
            let manifest = found.ok_or_else(|| lacks_platform(name.text(), &platform))?.descriptor.digest.clone();
            if manifest == target.digest {
                return Err(Error::new(Kind::Conflict, Detail::OnlyPlatform { manifest }));
            }
            let document = state.document(&manifest);
            let children = document.iter().flat_map(|document| document.children()).map(|child| child.digest.clone());
            let candidates = children.chain([manifest.clone()]).collect();
            let pruned = Some((target.digest, manifest.clone()));
            Ok((Sweep { candidates: Some(candidates), pruned, ..Sweep::default() }, Report::Nothing, manifest))
        };
        let (collected, manifest) = sweep(&self.0.publisher, choose).await?;
        operation.done("removed a platform of", shown, &manifest);
        Ok(Some(manifest)
            .filter(|manifest| collected.blobs.contains(manifest))
            .map(Removed::Content)
            .into_iter()
            .collect())
    }
}

/// Takes images away with all their names and what only they use.
pub(super) fn sweep_of(state: &State, targets: HashSet<Digest>) -> Sweep {
    let names = targets.iter().flat_map(|target| state.names_of(target)).cloned().collect();
    let candidates = reachable(state, &targets).into_iter().cloned().collect();
    Sweep { candidates: Some(candidates), names, unnamed: targets, pruned: None }
}

/// The names of an image as people read them: those that Docker's clients know, then the others.
pub(super) fn shown_names(names: &[Reference], opaque: &[NameKey]) -> Vec<String> {
    names.iter().map(Reference::familiar).chain(opaque.iter().map(NameKey::shown)).collect()
}

/// The names to take from an image; all that it has (none, if it is dangling) where it goes itself.
fn going_names(name: &ImageName, image: &Resolved, force: bool) -> Result<Vec<NameKey>> {
    let keys = |names: &[Reference]| names.iter().map(NameKey::from).collect::<Vec<NameKey>>();
    let Some(asked) = &image.by_name else {
        // Several names that are one name to people, a tag and the digest that it was pulled by, are no conflict.
        let one = image.names.first().map(|first| same_name(first, &image.names)).unwrap_or_default();
        let others = image.names.len() - one.len() + image.opaque.len();
        if !force && others > usize::from(one.is_empty()) {
            let image = image.record.target.digest.clone();
            return Err(Error::new(Kind::Conflict, Detail::MustBeForced { image }));
        }
        return Ok(keys(&image.names).into_iter().chain(image.opaque.iter().cloned()).collect());
    };
    let going = keys(&same_name(asked, &image.names));
    match going.is_empty() {
        true => Err(Error::not_found(Detail::NoSuchName { name: name.text().to_owned() })),
        false => Ok(going),
    }
}

/// The names that are the same as one to people: those of its repository with its tag, or with any where it has a digest
/// and no tag; and with a tag that is the repository's only one here, also the repository with a digest.
fn same_name(asked: &Reference, names: &[Reference]) -> Vec<Reference> {
    let of_repository = || names.iter().filter(|name| name.same_repository(asked));
    let Some(tag) = asked.tag() else { return of_repository().cloned().collect() };
    let alone = of_repository().all(|name| name.tag().is_none_or(|other| other == tag));
    let is_same = |name: &&Reference| match name.tag() {
        Some(other) => other == tag,
        None => alone,
    };
    of_repository().filter(is_same).cloned().collect()
}
