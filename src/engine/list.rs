//! List: which images there are.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::Engine;
use super::catalog::resolve::resolve;
use super::catalog::tree::{Tree, summarize};
use super::catalog::{Row, Snapshot, State};
use crate::domain::filter::Filters;
use crate::domain::image::{ImageSummary, ManifestSummary};
use crate::domain::{Digest, Reference, Result};

/// The filters that a list knows.
const FILTERS: [&str; 7] = ["before", "dangling", "label", "label!", "reference", "since", "until"];

/// Which images to list, and what to find out about them.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    pub filters: Filters,
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
    row: Arc<Row>,
    /// Bytes of content that other images use too; absent where the query did not ask.
    pub shared_size: Option<u64>,
    /// The names that a filter let through; absent where all are shown.
    matched: Option<Vec<Reference>>,
}

impl ListedImage {
    /// The image in full.
    pub fn summary(&self) -> ImageSummary<'_> {
        summarize(&self.row, self.matched.as_ref().unwrap_or(&self.row.names))
    }

    /// Whether [`ListedImage::fragment`] has the form at hand.
    pub fn is_rendered(&self, form: u32) -> bool {
        self.matched.is_none() && self.row.is_rendered(form)
    }

    /// The image in one form, rendered once and kept (under a limit of bytes) for as long as it does not change. Forms
    /// are told apart by the number that the caller gives them.
    pub fn fragment(&self, form: u32, render: impl FnOnce(&ImageSummary<'_>, &mut Vec<u8>)) -> Bytes {
        let rendered = || {
            // Enough for most images, so that it does not grow while it is written.
            let mut bytes = Vec::with_capacity(16 << 10);
            render(&self.summary(), &mut bytes);
            bytes
        };
        match self.matched {
            Some(_) => rendered().into(),
            None => self.snapshot.fragment(&self.row, form, rendered),
        }
    }
}

impl Engine {
    /// Lists images. Works in memory only, so it may be called on the runtime.
    ///
    /// # Errors
    /// `InvalidArgument` for filters that are not known or not well formed; `NotFound` where `before` or `since` name an
    /// image that is not here.
    pub fn list(&self, query: &ListQuery) -> Result<Listing> {
        query.filters.only(&FILTERS)?;
        let snapshot = self.0.catalog.snapshot();
        let mut rows = snapshot.rows.clone();
        if !query.filters.is_empty() {
            rows = filtered(&self.0.catalog.state(), rows, &query.filters)?;
        }
        let shared = match query.shared_size {
            true => Some(shared_sizes(&self.0.catalog.state(), &snapshot)),
            false => None,
        };
        let patterns = query.filters.patterns("reference")?;
        let matched = |row: &Row| {
            let patterns = patterns.as_ref()?;
            let fits = |name: &&Reference| patterns.iter().any(|pattern| pattern.matches(name));
            let names: Vec<Reference> = row.names.iter().filter(fits).cloned().collect();
            (names.len() < row.names.len()).then_some(names)
        };
        let rows = rows
            .into_iter()
            .map(|row| ListedImage {
                matched: matched(&row),
                snapshot: snapshot.clone(),
                shared_size: shared.as_ref().map(|sizes| sizes.get(&row.target.digest).copied().unwrap_or_default()),
                row,
            })
            .collect();
        Ok(Listing { rows })
    }
}

fn filtered(state: &State, mut rows: Vec<Arc<Row>>, filters: &Filters) -> Result<Vec<Arc<Row>>> {
    let created = |name: &str| -> Result<i64> {
        let image = resolve(state, name)?;
        let tree = Tree::new(state, &image.record.target);
        Ok(tree.best().and_then(|best| best.config.as_ref()?.created).unwrap_or_default())
    };
    for name in filters.values("before") {
        let limit = created(name)?;
        rows.retain(|row| row.created < limit);
    }
    for name in filters.values("since") {
        let limit = created(name)?;
        rows.retain(|row| row.created > limit);
    }
    narrow(&mut rows, filters)?;
    if let Some(dangling) = filters.boolean("dangling")? {
        rows.retain(|row| row.names.is_empty() == dangling);
    }
    if let Some(patterns) = filters.patterns("reference")? {
        rows.retain(|row| row.names.iter().any(|name| patterns.iter().any(|pattern| pattern.matches(name))));
    }
    Ok(rows)
}

/// Leaves the images that were made before `until` and whose labels fit.
pub(super) fn narrow(rows: &mut Vec<Arc<Row>>, filters: &Filters) -> Result<()> {
    if let Some(until) = filters.until(jiff::Timestamp::now())? {
        rows.retain(|row| row.created < until.as_second());
    }
    if filters.contains("label") || filters.contains("label!") {
        let fits = |labels: &_| filters.labels_match("label", labels) && filters.labels_match("label!", labels);
        rows.retain(|row| {
            // Any platform of the image may be the one that fits.
            row.tree.images().any(|image| image.config.as_ref().is_some_and(|config| fits(&config.labels)))
        });
    }
    Ok(())
}

/// For every image, how many bytes of its content belong to another image as well.
fn shared_sizes(state: &State, snapshot: &Snapshot) -> HashMap<Digest, u64> {
    fn layers_of(row: &Row) -> BTreeSet<&Digest> {
        let manifests = row.tree.manifests.iter().filter_map(ManifestSummary::manifest);
        manifests.flat_map(|manifest| &manifest.layers).map(|layer| &layer.digest).collect()
    }
    let mut users: HashMap<&Digest, usize> = HashMap::new();
    for digest in snapshot.rows.iter().flat_map(|row| layers_of(row)) {
        *users.entry(digest).or_default() += 1;
    }
    let shared = |row: &Arc<Row>| {
        let common = layers_of(row).into_iter().filter(|digest| users.get(digest).is_some_and(|count| *count > 1));
        common.filter_map(|digest| state.blob(digest)).map(|record| record.size).sum()
    };
    snapshot.rows.iter().map(|row| (row.target.digest.clone(), shared(row))).collect()
}
