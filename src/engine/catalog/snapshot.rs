//! The images of one moment as a list shows them, with what was rendered of each.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use super::state::State;
use super::tree::Tree;
use crate::domain::image::ImageSummary;
use crate::domain::manifest::ConfigSummary;
use crate::domain::{Descriptor, Digest, NameKey, Reference};
use crate::store::Sources;

/// How many bytes of rendered images are kept. Ten thousand images of three platforms take about half of it.
const RENDERED_BUDGET: usize = 96 << 20;

/// The images of one generation, newest first.
pub(in crate::engine) struct Snapshot {
    generation: u64,
    pub(in crate::engine) entries: Vec<Arc<ListEntry>>,
    /// How many bytes of what was rendered of the entries are kept.
    rendered_bytes: AtomicUsize,
}

/// One image in a snapshot.
pub(in crate::engine) struct ListEntry {
    pub(in crate::engine) target: Descriptor,
    /// Seconds since the Unix epoch.
    pub(in crate::engine) created: i64,
    /// The configuration that stands for the image; absent where none is here.
    pub(in crate::engine) config: Option<Arc<ConfigSummary>>,
    /// Its names that Docker's clients know, sorted.
    pub(in crate::engine) names: Vec<Reference>,
    /// Its other names, sorted.
    pub(in crate::engine) opaque: Vec<NameKey>,
    pub(in crate::engine) tree: Tree,
    /// The repositories that it was pulled from.
    pub(in crate::engine) sources: Sources,
    rendered: Mutex<Vec<(u32, Bytes)>>,
}

impl Snapshot {
    /// The images of a state. Those that have not changed since an older snapshot are taken from there, with what was
    /// rendered of them.
    pub(super) fn new(state: &State, old: Option<&Snapshot>) -> Self {
        let old: HashMap<&Digest, &Arc<ListEntry>> =
            old.into_iter().flat_map(|old| &old.entries).map(|entry| (&entry.target.digest, entry)).collect();
        let entry = |(target, names): &(&Digest, &[NameKey])| {
            let entry = ListEntry::new(state, names)?;
            let same = old.get(target).filter(|old| old.is_same(&entry));
            Some(same.map_or_else(|| Arc::new(entry), |same| Arc::clone(same)))
        };
        let targets: Vec<(&Digest, &[NameKey])> = state.targets_with_names().collect();
        let mut entries = collect_by_two(&targets, &entry);
        // Names make the order of images of one second the same every time.
        entries.sort_by(|a, b| {
            b.created
                .cmp(&a.created)
                .then_with(|| a.names.cmp(&b.names))
                .then_with(|| a.target.digest.cmp(&b.target.digest))
        });
        let rendered_bytes = entries.iter().map(|entry| entry.rendered_bytes()).sum::<usize>().into();
        Self { generation: state.generation, entries, rendered_bytes }
    }

    /// Whether it is of the state as it is now.
    pub(super) fn is_of(&self, state: &State) -> bool {
        self.generation == state.generation
    }

    /// A rendered variant of an entry, from memory where it was rendered before.
    pub(in crate::engine) fn rendered(
        &self,
        entry: &ListEntry,
        variant: u32,
        render: impl FnOnce() -> Vec<u8>,
    ) -> Bytes {
        let find = |rendered: &[(u32, Bytes)]| {
            rendered.iter().find(|(known, _)| *known == variant).map(|(_, bytes)| bytes.clone())
        };
        if let Some(bytes) = find(&entry.rendered.lock()) {
            return bytes;
        }
        // A copy of its own size: what is kept should not keep the room that was there to grow.
        let bytes = Bytes::copy_from_slice(&render());
        if self.rendered_bytes.fetch_add(bytes.len(), Ordering::Relaxed) > RENDERED_BUDGET {
            self.entries.iter().for_each(|entry| entry.forget());
            self.rendered_bytes.store(bytes.len(), Ordering::Relaxed);
        }
        let mut rendered = entry.rendered.lock();
        if find(&rendered).is_none() {
            rendered.push((variant, bytes.clone()));
        }
        bytes
    }
}

impl ListEntry {
    fn new(state: &State, names: &[NameKey]) -> Option<Self> {
        // List shows the annotations that stand beside the last name in order.
        let record = names.iter().max().and_then(|name| state.name(name.as_str()))?;
        let mut references: Vec<Reference> = names.iter().filter_map(NameKey::reference).cloned().collect();
        references.sort();
        let mut opaque: Vec<NameKey> = names.iter().filter(|name| name.is_opaque()).cloned().collect();
        opaque.sort();
        let tree = Tree::new(state, &record.target);
        let config = tree.best().and_then(|manifest| manifest.config.clone());
        Some(Self {
            created: config.as_ref().and_then(|config| config.created).unwrap_or_default(),
            config,
            sources: state.sources(&record.target.digest).to_vec(),
            target: record.target.clone(),
            names: references,
            opaque,
            tree,
            rendered: Mutex::default(),
        })
    }

    /// Whether another entry renders the same.
    fn is_same(&self, other: &Self) -> bool {
        self.target == other.target
            && self.names == other.names
            && self.opaque == other.opaque
            && self.sources == other.sources
            && self.tree.is_same(&other.tree)
    }

    /// Whether nothing names the image.
    pub(in crate::engine) fn is_dangling(&self) -> bool {
        self.names.is_empty() && self.opaque.is_empty()
    }

    pub(in crate::engine) fn is_rendered(&self, variant: u32) -> bool {
        self.rendered.lock().iter().any(|(known, _)| *known == variant)
    }

    fn rendered_bytes(&self) -> usize {
        self.rendered.lock().iter().map(|(_, bytes)| bytes.len()).sum()
    }

    fn forget(&self) {
        self.rendered.lock().clear();
    }
}

/// One image of a list in full, under some of its names.
pub(in crate::engine) fn summarize<'a>(entry: &'a ListEntry, names: &'a [Reference]) -> ImageSummary<'a> {
    ImageSummary {
        target: &entry.target,
        created: entry.created,
        labels: entry.config.as_ref().map(|config| &config.labels),
        names,
        opaque_names: &entry.opaque,
        sources: &entry.sources,
        size: entry.tree.manifests.iter().map(|manifest| manifest.content_size).sum(),
        manifests: &entry.tree.manifests,
    }
}

/// What a function makes of items, in their order. Two threads share many items between them: a list of ten thousand images
/// waits for this after every change.
fn collect_by_two<T: Sync, R: Send>(items: &[T], make: &(impl Fn(&T) -> Option<R> + Sync)) -> Vec<R> {
    const MANY: usize = 512;
    if items.len() < MANY {
        return items.iter().filter_map(make).collect();
    }
    let (front, back) = items.split_at(items.len() / 2);
    std::thread::scope(|scope| {
        let back = scope.spawn(|| back.iter().filter_map(make).collect::<Vec<R>>());
        let mut made: Vec<R> = front.iter().filter_map(make).collect();
        made.extend(back.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        made
    })
}
