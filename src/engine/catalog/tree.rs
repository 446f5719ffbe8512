//! An image's tree as it stands now: its manifests, what of them is here, and which fits a platform best.

use std::sync::LazyLock;

use super::state::State;
use crate::domain::image::{ManifestKind, ManifestSummary, SharedDescriptor};
use crate::domain::platform::Matcher;
use crate::domain::{Descriptor, Digest, attestation};
use crate::engine::graph::descent::{Descent, Node, NodeRef, Step};
use crate::engine::graph::limits::MAX_ENTRIES;

static HOST: LazyLock<Matcher> = LazyLock::new(Matcher::host);

/// The manifests under an image's target, in order. It is a view of one moment that shares what it holds with the catalog.
pub(in crate::engine) struct Tree {
    pub(in crate::engine) manifests: Box<[ManifestSummary]>,
}

impl Tree {
    pub(in crate::engine) fn new(state: &State, target: &Descriptor) -> Self {
        let manifests = match state.document(&target.digest) {
            Some(document) if document.is_index() => manifests_under(state, Node { descriptor: target, document }),
            Some(_) => vec![branch(state, target.clone().into())],
            // An index that is not here hides what is under it.
            None => Vec::new(),
        };
        Self { manifests: manifests.into() }
    }

    /// The image that fits the host best among those whose content is here, or else the first of them.
    pub(in crate::engine) fn best(&self) -> Option<&ManifestSummary> {
        let here = self.images().filter(|branch| branch.available && branch.config.is_some());
        here.min_by_key(|branch| HOST.rank(&branch.platform()).unwrap_or(usize::MAX))
    }

    /// The image that the host runs: the one that fits it best among those whose content is here; `None` where it can run
    /// none of them.
    pub(in crate::engine) fn runnable(&self) -> Option<&ManifestSummary> {
        let here = self.images().filter(|branch| branch.available && branch.config.is_some());
        let ranked = here.filter_map(|branch| Some((HOST.rank(&branch.platform())?, branch)));
        ranked.min_by_key(|(rank, _)| *rank).map(|(_, branch)| branch)
    }

    /// The image that a matcher ranks highest, whether its content is here or not; `None` where none matches.
    pub(in crate::engine) fn matching(&self, matcher: &Matcher) -> Option<&ManifestSummary> {
        let ranked = self.images().filter_map(|branch| Some((matcher.rank(&branch.platform())?, branch)));
        // What is here goes before what is not, when both fit alike.
        ranked.min_by_key(|(rank, branch)| (*rank, !branch.available)).map(|(_, branch)| branch)
    }

    /// The images, without attestations and the like.
    pub(in crate::engine) fn images(&self) -> impl Iterator<Item = &ManifestSummary> {
        self.manifests.iter().filter(|branch| branch.kind == ManifestKind::Image)
    }

    /// The attestation manifests about one manifest, in order.
    pub(in crate::engine) fn attestations_of(&self, subject: &Digest) -> impl Iterator<Item = &ManifestSummary> {
        self.manifests
            .iter()
            .filter(move |branch| matches!(&branch.kind, ManifestKind::Attestation(of) if of == subject))
    }

    /// Whether as much is here as in another view of the same target, whose documents never change.
    pub(in crate::engine) fn is_same(&self, other: &Self) -> bool {
        let presence = |branch: &ManifestSummary| (branch.available, branch.content_size, branch.config.is_some());
        self.manifests.len() == other.manifests.len()
            && self
                .manifests
                .iter()
                .zip(&other.manifests)
                .all(|(a, b)| presence(a) == presence(b) && a.document.is_some() == b.document.is_some())
    }
}

/// The manifests that an index and those nested in it name, in order. What goes beyond a limit is left out.
fn manifests_under(state: &State, index: NodeRef<'_>) -> Vec<ManifestSummary> {
    let (mut manifests, mut entries, mut descent) = (Vec::new(), 0, Descent::new());
    let _ = descent.enter(index);
    while let Some(step) = descent.step() {
        let Step::Child(child) = step else { continue };
        entries += 1;
        if entries > MAX_ENTRIES {
            break;
        }
        let descriptor = child.into_descriptor();
        match state.document(&descriptor.digest) {
            Some(document) if document.is_index() => drop(descent.enter(Node { descriptor, document })),
            _ => {
                let (index, at) = child.place();
                manifests.extend(SharedDescriptor::child(index, at).map(|child| branch(state, child)));
            }
        }
    }
    manifests
}

/// What a descriptor that is no index, or is not here, stands for.
fn branch(state: &State, descriptor: SharedDescriptor) -> ManifestSummary {
    let own = state.entry(&descriptor.digest).filter(|_| state.counts_as_child(&descriptor));
    let mut branch = ManifestSummary {
        document: own.and_then(|own| own.document.clone()),
        kind: ManifestKind::Unknown,
        config: None,
        available: own.is_some(),
        content_size: own.map_or(0, |own| own.record.size),
        descriptor,
    };
    let marked = attestation::is_marked(&branch.descriptor);
    branch.kind = match (attestation::subject(&branch.descriptor), branch.manifest()) {
        (Some(subject), _) => ManifestKind::Attestation(subject),
        (None, Some(manifest)) if !marked && manifest.is_image() => ManifestKind::Image,
        (None, None) if !marked && branch.descriptor.media_type.is_manifest() => ManifestKind::Image,
        _ => ManifestKind::Unknown,
    };
    let (mut missing, mut size, mut config) = (false, 0, None);
    if let Some(manifest) = branch.manifest() {
        match state.entry(&manifest.config.digest) {
            Some(entry) => {
                size += entry.record.size;
                config = entry.config.clone().filter(|_| branch.kind == ManifestKind::Image);
            }
            None => missing = true,
        }
        for layer in &manifest.layers {
            match state.blob(&layer.digest) {
                Some(record) => size += record.size,
                None => missing = true,
            }
        }
    }
    branch.available &= !missing;
    branch.content_size += size;
    branch.config = config;
    branch
}
