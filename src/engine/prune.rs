//! Prune: images that nobody needs, and all content that nothing refers to.

use std::collections::HashSet;

use super::catalog::State;
use super::core::Engine;
use super::filter::PruneFilter;
use super::gc::collect::{Sweep, sweep};
use super::graph::closure::Closure;
use super::list::narrow;
use super::operation::Operation;
use super::publish::Report;
use super::remove::{Removed, shown_names, sweep_of};
use crate::domain::{Digest, Result};

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
    /// Removes the images that pass the filter, and all content that nothing refers to, with what downloads that ended
    /// early have left. What a running operation holds stays, and so do pinned images.
    pub async fn prune(&self, filter: &PruneFilter) -> Result<Pruned> {
        let operation = Operation::start();
        let (filter, catalog, pinned) = (filter.clone(), self.0.catalog.clone(), self.0.settings.pinned.clone());
        let choose = move |state: &State| {
            let mut entries = catalog.snapshot_of(state).entries.clone();
            entries.retain(|entry| entry.is_dangling() || filter.named && !pinned.holds(state, &entry.target.digest));
            narrow(state, &mut entries, filter.until, filter.labels.as_deref());
            let going: Vec<Going> = entries
                .iter()
                .map(|entry| Going {
                    target: entry.target.digest.clone(),
                    names: shown_names(&entry.names, &entry.opaque),
                    documents: documents_under(state, &entry.target.digest),
                })
                .collect();
            let targets = going.iter().map(|image| image.target.clone()).collect();
            let report = going.iter().map(|image| (image.target.clone(), image.names.clone())).collect();
            // Everything is looked at: what an earlier failure may have left goes as well.
            Ok((Sweep { candidates: None, ..sweep_of(state, targets) }, Report::Gone(report), going))
        };
        let (collected, going) = sweep(&self.0.publisher, choose).await?;
        let mut pruned = Pruned { removed: Vec::new(), reclaimed: collected.bytes };
        let (mut told, images) = (HashSet::new(), going.len());
        for image in going {
            let names = if image.names.is_empty() { vec![image.target.to_string()] } else { image.names };
            pruned.removed.extend(names.into_iter().map(Removed::Name));
            let gone = image.documents.into_iter().filter(|digest| collected.blobs.contains(digest));
            pruned.removed.extend(gone.filter(|digest| told.insert(digest.clone())).map(Removed::Content));
        }
        pruned.reclaimed += self.0.stores.blobs.discard_partials().await;
        if !pruned.removed.is_empty() {
            self.0.publisher.report(Report::Pruned { reclaimed: pruned.reclaimed });
        }
        operation.pruned(images, pruned.reclaimed);
        Ok(pruned)
    }
}

/// An image that goes.
struct Going {
    target: Digest,
    /// As people read them.
    names: Vec<String>,
    documents: Vec<Digest>,
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
