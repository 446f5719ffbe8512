//! Which part of an image is saved.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::domain::image::ManifestSummary;
use crate::domain::manifest::Document;
use crate::domain::platform::Matcher;
use crate::domain::{Descriptor, Detail, Digest, Error, Platform, Result, attestation};
use crate::engine::catalog::State;
use crate::engine::catalog::tree::Tree;
use crate::engine::graph::closure::Closure;
use crate::engine::graph::descent::{Descent, Node, Step};

/// What of an index or manifest is saved.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// Everything, as it is.
    Whole,
    /// These entries of an index: the position of each, its descriptor, and what of it is saved.
    Trimmed(Arc<[(usize, Descriptor, Part)]>),
}

/// What is saved of an image.
pub(super) struct Chosen {
    /// The image's target, or the one manifest that was asked for.
    pub(super) target: Descriptor,
    pub(super) part: Part,
    /// The manifest that stands for the image to readers of docker-archives; absent where it has no platform's image.
    pub(super) view: Option<(Digest, Arc<Document>)>,
}

impl Chosen {
    /// Chooses what of an image is saved; `shown` is what to call it.
    ///
    /// # Errors
    /// `NotFound` where the image lacks a platform, or nothing of it is here as a whole.
    pub(super) fn of(state: &State, target: &Descriptor, platforms: &[Platform], shown: &str) -> Result<Self> {
        let tree = Tree::new(state, target);
        let selected = platforms
            .iter()
            .map(|platform| select(&tree, platform, shown))
            .collect::<Result<Vec<&ManifestSummary>>>()?;
        let digests: HashSet<&Digest> = selected.iter().map(|branch| &branch.descriptor.digest).collect();
        let (target, part) = match selected.first() {
            Some(one) if digests.len() == 1 && travels_alone(&tree, one) => {
                (Descriptor::clone(&one.descriptor), Part::Whole)
            }
            _ => {
                let selected = (!selected.is_empty()).then_some(digests);
                let parts = Parts { state, selected, descent: Descent::new(), known: HashMap::new() };
                let part = parts.of(target).ok_or_else(|| {
                    Error::not_found(format!("image {shown} cannot be saved: nothing of it is here as a whole"))
                })?;
                (target.clone(), part)
            }
        };
        let host = Matcher::host();
        let shows = |branch: &&ManifestSummary| {
            let asked = selected.is_empty() || selected.iter().any(|s| s.descriptor.digest == branch.descriptor.digest);
            asked && branch.available && branch.config.is_some()
        };
        let best = tree.images().filter(shows).min_by_key(|branch| host.rank(&branch.platform()).unwrap_or(usize::MAX));
        let view = best.and_then(|best| Some((best.descriptor.digest.clone(), best.document.clone()?)));
        Ok(Self { target, part, view })
    }
}

fn select<'a>(tree: &'a Tree, platform: &Platform, shown: &str) -> Result<&'a ManifestSummary> {
    let (image, of) = (shown.to_owned(), platform.to_string());
    match tree.matching(&Matcher::strict(platform)) {
        Some(branch) if branch.available => Ok(branch),
        Some(_) => Err(Error::not_found(Detail::CannotSaveIncomplete { image, platform: of })),
        None => Err(Error::not_found(Detail::CannotSavePlatform { image, platform: of })),
    }
}

/// Whether a manifest can leave its index: whatever attests it names it as its subject, and so stays with it.
fn travels_alone(tree: &Tree, branch: &ManifestSummary) -> bool {
    let digest = &branch.descriptor.digest;
    tree.attestations_of(digest).all(|evidence| {
        let subject = evidence.manifest().and_then(|manifest| manifest.subject.as_ref());
        !evidence.available || subject.is_some_and(|subject| subject.digest == *digest)
    })
}

/// Finds out what of an index is here, from the bottom up.
struct Parts<'a> {
    state: &'a State,
    /// The manifests that are wanted; all where absent.
    selected: Option<HashSet<&'a Digest>>,
    descent: Descent<&'a Descriptor, &'a Arc<Document>>,
    /// What of a child is saved, where that is known by now; `None` for nothing.
    known: HashMap<&'a Digest, Option<Part>>,
}

impl<'a> Parts<'a> {
    /// What of a descriptor is saved; `None` for nothing, as of what is nested too deep.
    fn of(mut self, target: &'a Descriptor) -> Option<Part> {
        self.look_at(target);
        while let Some(step) = self.descent.step() {
            match step {
                Step::Child(child) => self.look_at(child.into_descriptor()),
                Step::Left(index) => {
                    let part = self.of_index(index.document);
                    self.known.insert(&index.descriptor.digest, part);
                }
            }
        }
        self.known.remove(&target.digest).flatten()
    }

    /// Finds out what of a descriptor is saved, for an index once its children are known.
    fn look_at(&mut self, descriptor: &'a Descriptor) {
        if self.known.contains_key(&descriptor.digest) || !is_here(self.state, descriptor) {
            return;
        }
        let part = match self.state.document(&descriptor.digest) {
            Some(document) if document.is_index() => {
                let children = document.children().enumerate();
                let wanted = children.filter(|(_, child)| self.is_wanted(child)).map(|(at, _)| at).collect();
                let _ = self.descent.enter_chosen(Node { descriptor, document }, wanted);
                return;
            }
            Some(manifest) => manifest.children().all(|child| is_here(self.state, child)).then_some(Part::Whole),
            None => Some(Part::Whole),
        };
        self.known.insert(&descriptor.digest, part);
    }

    /// Whether a child of an index is asked for. Attestations follow what they are about.
    fn is_wanted(&self, child: &Descriptor) -> bool {
        match &self.selected {
            Some(selected) if !child.media_type.is_index() => {
                attestation::subject(child).is_some() || selected.contains(&child.digest)
            }
            _ => true,
        }
    }

    fn of_index(&self, index: &Document) -> Option<Part> {
        let part_of = |child: &Descriptor| match self.is_wanted(child) && is_here(self.state, child) {
            true => self.known.get(&child.digest).cloned().flatten(),
            false => None,
        };
        let kept: Vec<(&Descriptor, Option<Part>)> = index.children().map(|child| (child, part_of(child))).collect();
        if kept.iter().all(|(_, part)| matches!(part, Some(Part::Whole))) {
            return Some(Part::Whole);
        }
        let left: HashSet<&Digest> =
            kept.iter().filter(|(_, part)| part.is_some()).map(|(child, _)| &child.digest).collect();
        let follows = |child: &Descriptor| attestation::subject(child).is_none_or(|of| left.contains(&of));
        let trimmed: Vec<(usize, Descriptor, Part)> = kept
            .iter()
            .enumerate()
            .filter(|(_, (child, _))| follows(child))
            .filter_map(|(at, (child, part))| Some((at, Descriptor::clone(child), part.clone()?)))
            .collect();
        let has_image = trimmed.iter().any(|(_, child, _)| !attestation::is_marked(child));
        has_image.then(|| Part::Trimmed(trimmed.into()))
    }
}

fn is_here(state: &State, descriptor: &Descriptor) -> bool {
    state.blob(&descriptor.digest).is_some_and(|record| record.size == descriptor.size)
}

/// The blobs of an archive.
#[derive(Default)]
pub(super) struct Content {
    /// Blobs that are in the archive, with their sizes.
    pub(super) blobs: BTreeMap<Digest, u64>,
    /// Indexes that are read for what is made of them.
    trimmed: HashSet<Digest>,
    /// Evidence that no index in the archive names, with its size.
    pub(super) referrers: BTreeMap<Digest, u64>,
}

impl Content {
    pub(super) fn add(&mut self, state: &State, chosen: &Chosen) {
        self.add_part(state, &chosen.target, &chosen.part);
    }

    fn add_part(&mut self, state: &State, descriptor: &Descriptor, part: &Part) {
        match part {
            Part::Whole => self.add_whole(state, &descriptor.digest, &mut Vec::new()),
            Part::Trimmed(kept) => {
                if self.trimmed.insert(descriptor.digest.clone()) {
                    kept.iter().for_each(|(_, child, part)| self.add_part(state, child, part));
                }
            }
        }
    }

    /// Adds everything under a digest that is here, and notes in `added` what of it is new.
    fn add_whole(&mut self, state: &State, digest: &Digest, added: &mut Vec<Digest>) {
        let mut closure = Closure::of([digest]);
        while let Some(digest) = closure.next() {
            let Some(record) = state.blob(digest) else { continue };
            if self.blobs.insert(digest.clone(), record.size).is_some() {
                continue;
            }
            added.push(digest.clone());
            if let Some(document) = state.document(digest) {
                closure.add(document.children().map(|child| &child.digest));
            }
        }
    }

    /// Takes in the evidence about what is in the archive, and evidence about that, as far as it is here as a whole.
    pub(super) fn add_referrers(&mut self, state: &State) {
        let mut next: Vec<Digest> = self.blobs.keys().cloned().collect();
        while let Some(subject) = next.pop() {
            for referrer in state.referrers(&subject) {
                let Some(record) = state.blob(referrer) else { continue };
                if self.blobs.contains_key(referrer) || !is_whole(state, referrer) {
                    continue;
                }
                self.add_whole(state, referrer, &mut next);
                self.referrers.insert(referrer.clone(), record.size);
            }
        }
    }

    /// Everything that is read for the archive.
    pub(super) fn read(&self) -> impl Iterator<Item = &Digest> {
        self.blobs.keys().chain(&self.trimmed)
    }
}

/// Whether everything under a document is here.
fn is_whole(state: &State, digest: &Digest) -> bool {
    let mut closure = Closure::of([digest]);
    while let Some(digest) = closure.next() {
        if state.blob(digest).is_none() {
            return false;
        }
        if let Some(document) = state.document(digest) {
            closure.add(document.children().map(|child| &child.digest));
        }
    }
    true
}
