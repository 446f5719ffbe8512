//! An image's tree as it stands now: its manifests, what of them is here, and which fits a platform best.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use super::catalog::{Row, State};
use super::collect::is_settled;
use crate::domain::attestation::{self, Statement};
use crate::domain::image::{ImageSummary, ManifestKind, ManifestSummary};
use crate::domain::manifest::{ConfigSummary, Document, Manifest};
use crate::domain::platform::Matcher;
use crate::domain::{Descriptor, Digest, Platform, Reference};

/// How deep indexes may be nested before the rest is not looked at.
const MAX_DEPTH: usize = 8;

/// How many descriptors of one image are looked at. Real images have dozens; nested indexes that name one another again
/// and again could come to any number.
const MAX_VISITS: usize = 4096;

static HOST: LazyLock<Matcher> = LazyLock::new(Matcher::host);

/// The manifests under an image's target, in order.
pub(super) struct Tree<'a> {
    state: &'a State,
    pub(super) manifests: Vec<Branch<'a>>,
}

/// One manifest of an image.
pub(super) struct Branch<'a> {
    pub(super) descriptor: &'a Descriptor,
    /// Absent where its blob is not here.
    pub(super) manifest: Option<&'a Manifest>,
    pub(super) role: Role,
    /// The platform's configuration, for images whose configuration is here.
    pub(super) config: Option<Arc<ConfigSummary>>,
    pub(super) available: bool,
    pub(super) content_size: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Image,
    /// Evidence about the manifest of that digest.
    Attestation(Digest),
    Unknown,
}

impl<'a> Tree<'a> {
    pub(super) fn new(state: &'a State, target: &'a Descriptor) -> Self {
        let mut tree = Self { state, manifests: Vec::new() };
        tree.descend(target, 0, &mut 0);
        tree
    }

    fn descend(&mut self, descriptor: &'a Descriptor, depth: usize, visits: &mut usize) {
        *visits += 1;
        if *visits > MAX_VISITS || depth > MAX_DEPTH {
            return;
        }
        match self.state.document(&descriptor.digest).map(Arc::as_ref) {
            Some(Document::Index(index)) => {
                index.manifests.iter().for_each(|child| self.descend(child, depth + 1, visits));
            }
            Some(Document::Manifest(manifest)) => self.manifests.push(self.branch(descriptor, Some(manifest))),
            // An index that is not here hides what is under it; everything else shows as missing.
            None if depth > 0 => self.manifests.push(self.branch(descriptor, None)),
            None => {}
        }
    }

    fn branch(&self, descriptor: &'a Descriptor, manifest: Option<&'a Manifest>) -> Branch<'a> {
        let role = match (attestation::subject(descriptor), manifest) {
            (Some(subject), _) => Role::Attestation(subject),
            (None, Some(manifest)) if !attestation::is_marked(descriptor) && manifest.is_image() => Role::Image,
            (None, None) if !attestation::is_marked(descriptor) && descriptor.media_type.is_manifest() => Role::Image,
            _ => Role::Unknown,
        };
        let own = self.state.blob(&descriptor.digest).filter(|_| is_settled(self.state, descriptor));
        let children = manifest.into_iter().flat_map(|m| std::iter::once(&m.config).chain(&m.layers));
        let (mut available, mut content_size) = (own.is_some(), own.map_or(0, |record| record.size));
        for child in children {
            match self.state.blob(&child.digest) {
                Some(record) => content_size += record.size,
                None => available = false,
            }
        }
        let config = match (&role, manifest) {
            (Role::Image, Some(manifest)) => self.state.config(&manifest.config.digest).cloned(),
            _ => None,
        };
        Branch { descriptor, manifest, role, config, available, content_size }
    }

    /// The image that fits the host best among those whose content is here, or else the first of them.
    pub(super) fn best(&self) -> Option<&Branch<'a>> {
        let here = self.images().filter(|branch| branch.available && branch.config.is_some());
        here.min_by_key(|branch| HOST.rank(&branch.platform()).unwrap_or(usize::MAX))
    }

    /// The image that a matcher ranks highest, whether its content is here or not; `None` where none matches.
    pub(super) fn matching(&self, matcher: &Matcher) -> Option<&Branch<'a>> {
        let ranked = self.images().filter_map(|branch| Some((matcher.rank(&branch.platform())?, branch)));
        // What is here goes before what is not, when both fit alike.
        ranked.min_by_key(|(rank, branch)| (*rank, !branch.available)).map(|(_, branch)| branch)
    }

    /// The images, without attestations and the like.
    pub(super) fn images(&self) -> impl Iterator<Item = &Branch<'a>> {
        self.manifests.iter().filter(|branch| branch.role == Role::Image)
    }

    /// The attestation manifests about one manifest, in order.
    pub(super) fn attestations_of(&self, subject: &Digest) -> impl Iterator<Item = &Branch<'a>> {
        self.manifests.iter().filter(move |branch| matches!(&branch.role, Role::Attestation(of) if of == subject))
    }

    /// The manifests as clients are told of them.
    pub(super) fn summaries(&self) -> Vec<ManifestSummary> {
        self.manifests
            .iter()
            .map(|branch| ManifestSummary {
                descriptor: branch.descriptor.clone(),
                available: branch.available,
                content_size: branch.content_size,
                kind: match &branch.role {
                    Role::Image => ManifestKind::Image { platform: branch.platform() },
                    Role::Attestation(subject) => ManifestKind::Attestation {
                        subject: subject.clone(),
                        statements: branch
                            .manifest
                            .map(|manifest| attestation::statements(manifest).collect::<Vec<Statement>>()),
                    },
                    Role::Unknown => ManifestKind::Unknown,
                },
            })
            .collect()
    }

    /// A number that differs, as good as always, where presence under this target or its sources differ. The tree
    /// itself never changes under one digest.
    pub(super) fn fingerprint(&self, sources: &[String]) -> u64 {
        let mut hasher = DefaultHasher::new();
        sources.hash(&mut hasher);
        for branch in &self.manifests {
            (&branch.descriptor.digest, branch.available, branch.content_size, branch.config.is_some())
                .hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl Branch<'_> {
    /// The platform of an image: what the configuration says, or else the descriptor beside it.
    pub(super) fn platform(&self) -> Platform {
        match (&self.config, self.descriptor.platform.as_deref()) {
            (Some(config), _) if !config.platform.os.is_empty() => config.platform.clone(),
            (_, Some(platform)) => platform.normalized(),
            _ => Platform::default(),
        }
    }
}

/// One row of a list in full, under some of its names.
pub(super) fn summarize(state: &State, row: &Row, names: &[Reference]) -> ImageSummary {
    let tree = Tree::new(state, &row.target);
    let manifests = tree.summaries();
    ImageSummary {
        target: row.target.clone(),
        created: row.created,
        labels: row.config.as_ref().map(|config| config.labels.clone()).unwrap_or_default(),
        repo_tags: names.iter().filter(|name| name.tag().is_some()).map(|name| name.familiar()).collect(),
        // List shows one repository of an image, that of its last name; inspect shows all.
        repo_digests: names
            .last()
            .map(|name| name.trimmed().with_digest(row.target.digest.clone()).familiar())
            .into_iter()
            .collect(),
        sources: state.sources(&row.target.digest).to_vec(),
        size: manifests.iter().map(|manifest| manifest.content_size).sum(),
        manifests,
    }
}
