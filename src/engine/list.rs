//! List: which images there are.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::catalog::resolve::resolve;
use super::catalog::tree::Tree;
use super::catalog::{ListEntry, Snapshot, State, summarize};
use super::core::Engine;
use super::filter::ImageFilter;
use crate::domain::filter::LabelTest;
use crate::domain::image::{ImageSummary, ManifestSummary};
use crate::domain::{Digest, ImageName, Reference, Result};
use crate::store::NameRecord;

/// Which images to list, and what to find out about them.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    pub filter: ImageFilter,
    /// Whether to find out what each image shares with others.
    pub shared_size: bool,
}

/// The images that a list found, newest first.
///
/// It is a view of one moment; rendering goes row by row, so that no list stands in memory as a whole.
pub struct Listing {
    pub rows: Vec<ListedImage>,
}

/// One image of a list.
pub struct ListedImage {
    snapshot: Arc<Snapshot>,
    entry: Arc<ListEntry>,
    /// Bytes of content that other images use too; absent where the query did not ask.
    pub shared_size: Option<u64>,
    /// The names that a filter let through; absent where all are shown.
    matched: Option<Vec<Reference>>,
}

impl ListedImage {
    /// The image in full.
    pub fn summary(&self) -> ImageSummary<'_> {
        summarize(&self.entry, self.matched.as_ref().unwrap_or(&self.entry.names))
    }

    /// Whether [`ListedImage::rendered`] has the variant at hand.
    pub fn is_rendered(&self, variant: u32) -> bool {
        self.matched.is_none() && self.entry.is_rendered(variant)
    }

    /// The image in one variant, rendered once and kept (under a limit of bytes) for as long as it does not change.
    /// Variants are told apart by the number that the caller gives them.
    pub fn rendered(&self, variant: u32, render: impl FnOnce(&ImageSummary<'_>, &mut Vec<u8>)) -> Bytes {
        let render = || {
            // Enough for most images, so that it does not grow while it is written.
            let mut bytes = Vec::with_capacity(16 << 10);
            render(&self.summary(), &mut bytes);
            bytes
        };
        match self.matched {
            Some(_) => render().into(),
            None => self.snapshot.rendered(&self.entry, variant, render),
        }
    }
}

impl Engine {
    /// Lists images. Works in memory only, so it may be called on the runtime.
    ///
    /// # Errors
    /// `NotFound` where `before` or `since` name an image that is not present locally.
    pub fn list(&self, query: &ListQuery) -> Result<Listing> {
        let snapshot = self.0.catalog.snapshot();
        let mut entries = snapshot.entries.clone();
        if query.filter != ImageFilter::default() {
            entries = filtered(&self.0.catalog.state(), entries, &query.filter)?;
        }
        let shared = match query.shared_size {
            true => Some(shared_sizes(&self.0.catalog.state(), &snapshot)),
            false => None,
        };
        let patterns = &query.filter.references;
        let matched = |entry: &ListEntry| {
            if patterns.is_empty() {
                return None;
            }
            let fits = |name: &&Reference| patterns.iter().any(|pattern| pattern.matches(name));
            let names: Vec<Reference> = entry.names.iter().filter(fits).cloned().collect();
            (names.len() < entry.names.len()).then_some(names)
        };
        let rows = entries
            .into_iter()
            .map(|entry| ListedImage {
                matched: matched(&entry),
                snapshot: snapshot.clone(),
                shared_size: shared.as_ref().map(|sizes| sizes.get(&entry.target.digest).copied().unwrap_or_default()),
                entry,
            })
            .collect();
        Ok(Listing { rows })
    }
}

fn filtered(state: &State, mut entries: Vec<Arc<ListEntry>>, filter: &ImageFilter) -> Result<Vec<Arc<ListEntry>>> {
    let created = |name: &ImageName| -> Result<Option<i64>> {
        let image = resolve(state, name)?;
        let tree = Tree::new(state, &image.record.target);
        Ok(tree.best().and_then(|best| best.config.as_ref()?.created))
    };
    // As in Docker, nothing is before or after what has no date, and an image without one asked for leaves all.
    let made = |entry: &ListEntry| entry.config.as_ref().and_then(|config| config.created);
    for name in &filter.before {
        if let Some(limit) = created(name)? {
            entries.retain(|entry| made(entry).is_some_and(|made| made < limit));
        }
    }
    for name in &filter.since {
        if let Some(limit) = created(name)? {
            entries.retain(|entry| made(entry).is_some_and(|made| made > limit));
        }
    }
    narrow(state, &mut entries, filter.until, filter.labels.as_deref());
    if let Some(dangling) = filter.dangling {
        entries.retain(|entry| entry.is_dangling() == dangling);
    }
    if !filter.references.is_empty() {
        let fits = |name: &Reference| filter.references.iter().any(|pattern| pattern.matches(name));
        entries.retain(|entry| entry.names.iter().any(fits));
    }
    Ok(entries)
}

/// Leaves the images that got a name here before `until` and whose labels fit.
pub(super) fn narrow(
    state: &State,
    entries: &mut Vec<Arc<ListEntry>>,
    until: Option<Timestamp>,
    labels: Option<&[LabelTest]>,
) {
    if let Some(until) = until {
        let is_old = |record: &Arc<NameRecord>| i128::from(record.created_at) < until.as_nanosecond();
        entries.retain(|entry| {
            let names = state.names_of(&entry.target.digest);
            names.iter().any(|name| state.name(name.as_str()).is_some_and(is_old))
        });
    }
    if let Some(tests) = labels {
        let fits = |labels: &_| tests.iter().all(|test| test.passes(labels));
        entries.retain(|entry| {
            // Any platform of the image may be the one that fits.
            entry.tree.images().any(|image| image.config.as_ref().is_some_and(|config| fits(&config.labels)))
        });
    }
}

/// For every image, how many bytes of its content belong to another image as well.
fn shared_sizes(state: &State, snapshot: &Snapshot) -> HashMap<Digest, u64> {
    fn layers_of(entry: &ListEntry) -> BTreeSet<&Digest> {
        let manifests = entry.tree.manifests.iter().filter_map(ManifestSummary::manifest);
        manifests.flat_map(|manifest| &manifest.layers).map(|layer| &layer.digest).collect()
    }
    let mut users: HashMap<&Digest, usize> = HashMap::new();
    for digest in snapshot.entries.iter().flat_map(|entry| layers_of(entry)) {
        *users.entry(digest).or_default() += 1;
    }
    let shared = |entry: &Arc<ListEntry>| {
        let common = layers_of(entry).into_iter().filter(|digest| users.get(digest).is_some_and(|count| *count > 1));
        common.filter_map(|digest| state.blob(digest)).map(|record| record.size).sum()
    };
    snapshot.entries.iter().map(|entry| (entry.target.digest.clone(), shared(entry))).collect()
}
