//! Prune: images that nobody needs, and all content that nothing refers to.

use std::collections::HashSet;

use super::catalog::State;
use super::gc::collect::Sweep;
use super::graph::closure::Closure;
use super::list::narrow;
use super::remove::{Removed, sweep_of};
use super::{Engine, Inner};
use crate::domain::event::Action;
use crate::domain::filter::Filters;
use crate::domain::{Digest, Result, StringMap};

/// The filters that a prune knows.
const FILTERS: [&str; 4] = ["dangling", "label", "label!", "until"];

/// What a prune removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Names, then the indexes and manifests that went with them, image by image. An image without a name is told by its
    /// digest in place of the name.
    pub removed: Vec<Removed>,
    /// Bytes of content that are gone.
    pub reclaimed: u64,
}

impl Engine {
    /// Removes images without a name (or with the filter `dangling=false` all images) that pass the filters, and all
    /// content that nothing refers to, with what downloads that ended early have left. What a running operation holds
    /// stays.
    ///
    /// # Errors
    /// `InvalidArgument` for filters that are not known or not well formed.
    pub async fn prune(&self, filters: &Filters) -> Result<Pruned> {
        let filters = filters.clone();
        self.blocking(move |inner| inner.prune(&filters)).await
    }
}

/// An image that goes.
struct Going {
    target: Digest,
    /// Familiar names, sorted.
    names: Vec<String>,
    documents: Vec<Digest>,
}

impl Inner {
    fn prune(&self, filters: &Filters) -> Result<Pruned> {
        filters.only(&FILTERS)?;
        let dangling_only = filters.boolean("dangling")?.unwrap_or(true);
        let mut writer = self.writer();
        let mut rows = self.catalog.snapshot().rows.clone();
        let (going, sweep) = {
            let state = self.catalog.state();
            rows.retain(|row| row.names.is_empty() || !dangling_only);
            narrow(&mut rows, filters)?;
            let going = rows.iter().map(|row| Going {
                target: row.target.digest.clone(),
                names: row.names.iter().map(|name| name.familiar()).collect(),
                documents: documents_under(&state, &row.target.digest),
            });
            let going: Vec<Going> = going.collect();
            let targets = going.iter().map(|image| image.target.clone()).collect();
            // Everything is looked at: what an earlier failure may have left goes as well.
            (going, Sweep { candidates: None, ..sweep_of(&state, targets) })
        };
        let collected = writer.sweep(sweep)?;
        let mut pruned = Pruned { removed: Vec::new(), reclaimed: collected.bytes };
        let mut told = HashSet::new();
        for image in going {
            let id = image.target.to_string();
            for name in &image.names {
                self.emit(Action::Untag, &id, name);
            }
            self.emit_digest(Action::Delete, &image.target);
            let names = if image.names.is_empty() { vec![id] } else { image.names };
            pruned.removed.extend(names.into_iter().map(Removed::Name));
            let gone = image.documents.into_iter().filter(|digest| collected.blobs.contains(digest));
            pruned.removed.extend(gone.filter(|digest| told.insert(digest.clone())).map(Removed::Content));
        }
        // Nobody else waits until the files are gone.
        drop(writer);
        pruned.reclaimed += self.store.forget_partials();
        if !pruned.removed.is_empty() {
            let reclaimed = pruned.reclaimed.to_string();
            let attributes: StringMap = [("reclaimed", reclaimed.as_str())].into_iter().collect();
            self.events.publish(Action::Prune, String::new(), attributes);
        }
        Ok(pruned)
    }
}

/// An image's index and manifests that are here, from the top down, each once.
fn documents_under(state: &State, target: &Digest) -> Vec<Digest> {
    let (mut found, mut closure) = (Vec::new(), Closure::of([target]));
    while let Some(digest) = closure.next() {
        let Some(document) = state.document(digest) else { continue };
        found.push(digest.clone());
        let nested = document.children().map(|child| &child.digest).filter(|child| state.document(child).is_some());
        // The last that is added is visited first.
        let nested: Vec<&Digest> = nested.collect();
        closure.add(nested.into_iter().rev());
    }
    found
}
