//! The catalog: every parsed document, which blobs are here and which names point where, in memory.
//!
//! What a digest was parsed to never changes, so it is parsed once, when it arrives. Presence and names do change, always
//! after the database and in the same step. A generation number moves with every change.

pub(in crate::engine) mod resolve;
pub(in crate::engine) mod tree;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use bytes::Bytes;

use crate::domain::attestation;
use crate::domain::manifest::{ConfigSummary, Document, Manifest};
use crate::domain::{Descriptor, Digest, Reference};
use crate::engine::catalog::tree::Tree;
use crate::store::{BlobRecord, Changes, Contents, NameRecord, Sources};

/// How many bytes of rendered images are kept. Ten thousand images of three platforms take about half of it.
const FRAGMENT_BUDGET: usize = 96 << 20;

/// See the module's text.
pub(in crate::engine) struct Catalog {
    state: RwLock<State>,
    snapshot: Mutex<Option<Arc<Snapshot>>>,
}

/// A map whose keys are digests of content that is here.
///
/// A digest is as good as random already, so its first bytes are its hash. Keys that a client can choose without having
/// such content, like the subjects of referrers, are not kept this way: they could be chosen to collide.
type ByDigest<T> = HashMap<Digest, T, BuildHasherDefault<FirstBytes>>;

/// See [`ByDigest`].
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // The algorithm and the length, which come before the bytes and say nothing.
    fn write_usize(&mut self, _: usize) {}
    fn write_isize(&mut self, _: isize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// One state of everything.
#[derive(Default)]
pub(in crate::engine) struct State {
    pub(in crate::engine) generation: u64,
    blobs: ByDigest<Entry>,
    /// Full names, or for an image without one the digest of its target.
    names: BTreeMap<String, Arc<NameRecord>>,
    /// Names by the digest that they point at.
    targets: HashMap<Digest, Vec<String>>,
    /// Where images were pulled from, by the digest of their target.
    sources: HashMap<Digest, Sources>,
    /// Documents by the digest of their subject, whether that is here or not.
    referrers: HashMap<Digest, Vec<Digest>>,
}

/// A blob that is here, with what was read from it. The bytes of one may be read both ways: whoever makes an image decides
/// what its descriptors call them.
pub(in crate::engine) struct Entry {
    pub(in crate::engine) record: BlobRecord,
    pub(in crate::engine) document: Option<Arc<Document>>,
    pub(in crate::engine) config: Option<Arc<ConfigSummary>>,
}

/// The images of one generation, newest first.
pub(in crate::engine) struct Snapshot {
    generation: u64,
    pub(in crate::engine) rows: Vec<Arc<Row>>,
    /// How many bytes of the rows' fragments are kept.
    fragment_bytes: AtomicUsize,
}

/// One image in a snapshot.
pub(in crate::engine) struct Row {
    pub(in crate::engine) target: Descriptor,
    /// Seconds since the Unix epoch.
    pub(in crate::engine) created: i64,
    /// The configuration that stands for the image; absent where none is here.
    pub(in crate::engine) config: Option<Arc<ConfigSummary>>,
    /// Its names, sorted; empty where it is dangling.
    pub(in crate::engine) names: Vec<Reference>,
    pub(in crate::engine) tree: Tree,
    /// The repositories that it was pulled from.
    pub(in crate::engine) sources: Sources,
    fragments: Mutex<Vec<(u32, Bytes)>>,
}

/// The part of changes that memory follows.
pub(in crate::engine) struct Applied {
    blobs: Vec<(Digest, BlobRecord)>,
    documents: Vec<(Digest, Document)>,
    configs: Vec<(Digest, ConfigSummary)>,
    names: Vec<(String, Option<NameRecord>)>,
    sources: Vec<(Digest, Sources)>,
    removed: Vec<Digest>,
}

impl Applied {
    /// What changes will do to memory once they are durable.
    pub(in crate::engine) fn of(changes: &Changes) -> Self {
        let blob = |digest: &Digest, size| (digest.clone(), BlobRecord { size, created_at: changes.now });
        Self {
            blobs: changes.blobs.iter().map(|staged| blob(&staged.digest, staged.size)).collect(),
            documents: changes.documents.clone(),
            configs: changes.configs.clone(),
            names: changes.names.clone(),
            sources: changes.sources.clone(),
            removed: changes.removed.clone(),
        }
    }
}

impl Catalog {
    pub(in crate::engine) fn new(contents: Contents) -> Self {
        let mut state = State::default();
        state.blobs.reserve(contents.blobs.len());
        contents.blobs.into_iter().for_each(|(digest, record)| state.add_blob(digest, record));
        contents.documents.into_iter().for_each(|(digest, document)| state.add_document(digest, document));
        contents.configs.into_iter().for_each(|(digest, config)| state.add_config(&digest, config));
        for (name, record) in contents.names {
            state.set_name(name, record);
        }
        state.sources = contents.sources.into_iter().collect();
        Self { state: RwLock::new(state), snapshot: Mutex::default() }
    }

    /// The present state. Held for moments only, and never across an await.
    pub(in crate::engine) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read()
    }

    /// Follows the database by one step.
    pub(in crate::engine) fn apply(&self, applied: Applied) {
        let mut state = self.state.write();
        state.generation += 1;
        applied.blobs.into_iter().for_each(|(digest, record)| state.add_blob(digest, record));
        applied.documents.into_iter().for_each(|(digest, document)| state.add_document(digest, document));
        applied.configs.into_iter().for_each(|(digest, config)| state.add_config(&digest, config));
        for (name, record) in applied.names {
            state.remove_name(&name);
            if let Some(record) = record {
                state.set_name(name, record);
            }
        }
        state.sources.extend(applied.sources);
        for digest in &applied.removed {
            state.remove_blob(digest);
        }
    }

    /// How many images there are.
    pub(in crate::engine) fn image_count(&self) -> usize {
        self.state().targets.len()
    }

    /// The images as they are now. Made anew only after a change, and then images that did not change keep what was
    /// rendered of them.
    pub(in crate::engine) fn snapshot(&self) -> Arc<Snapshot> {
        let mut kept = self.snapshot.lock();
        let state = self.state();
        if let Some(snapshot) = kept.as_ref().filter(|snapshot| snapshot.generation == state.generation) {
            return snapshot.clone();
        }
        let old = kept.take();
        let old: HashMap<&Digest, &Arc<Row>> =
            old.iter().flat_map(|old| &old.rows).map(|row| (&row.target.digest, row)).collect();
        let row = |(target, names): &(&Digest, &Vec<String>)| {
            let row = Row::new(&state, names)?;
            let same = old.get(target).filter(|old| old.is_same(&row));
            Some(same.map_or_else(|| Arc::new(row), |same| Arc::clone(same)))
        };
        let targets: Vec<(&Digest, &Vec<String>)> = state.targets.iter().collect();
        let mut rows = collect_by_two(&targets, &row);
        // Names make the order of images of one second the same every time.
        rows.sort_by(|a, b| {
            b.created
                .cmp(&a.created)
                .then_with(|| a.names.cmp(&b.names))
                .then_with(|| a.target.digest.cmp(&b.target.digest))
        });
        let fragment_bytes = rows.iter().map(|row| row.fragment_bytes()).sum::<usize>().into();
        let snapshot = Arc::new(Snapshot { generation: state.generation, rows, fragment_bytes });
        *kept = Some(snapshot.clone());
        snapshot
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

impl Snapshot {
    /// The rendered form of a row, from memory where it was rendered before.
    pub(in crate::engine) fn fragment(&self, row: &Row, form: u32, render: impl FnOnce() -> Vec<u8>) -> Bytes {
        let find =
            |fragments: &[(u32, Bytes)]| fragments.iter().find(|(f, _)| *f == form).map(|(_, bytes)| bytes.clone());
        if let Some(bytes) = find(&row.fragments.lock()) {
            return bytes;
        }
        // A copy of its own size: what is kept should not keep the room that was there to grow.
        let bytes = Bytes::copy_from_slice(&render());
        if self.fragment_bytes.fetch_add(bytes.len(), Ordering::Relaxed) > FRAGMENT_BUDGET {
            self.rows.iter().for_each(|row| row.forget());
            self.fragment_bytes.store(bytes.len(), Ordering::Relaxed);
        }
        let mut fragments = row.fragments.lock();
        if find(&fragments).is_none() {
            fragments.push((form, bytes.clone()));
        }
        bytes
    }
}

impl Row {
    fn new(state: &State, names: &[String]) -> Option<Self> {
        // List shows the annotations that stand beside the last name in order.
        let record = names.iter().max().and_then(|name| state.names.get(name))?;
        let mut references: Vec<Reference> = names.iter().filter_map(|name| name_reference(name)).collect();
        references.sort();
        let tree = Tree::new(state, &record.target);
        let config = tree.best().and_then(|manifest| manifest.config.clone());
        Some(Self {
            created: config.as_ref().and_then(|config| config.created).unwrap_or_default(),
            config,
            sources: state.sources(&record.target.digest).to_vec(),
            target: record.target.clone(),
            names: references,
            tree,
            fragments: Mutex::default(),
        })
    }

    /// Whether another row renders the same.
    fn is_same(&self, other: &Self) -> bool {
        self.target == other.target
            && self.names == other.names
            && self.sources == other.sources
            && self.tree.is_same(&other.tree)
    }

    pub(in crate::engine) fn is_rendered(&self, form: u32) -> bool {
        self.fragments.lock().iter().any(|(known, _)| *known == form)
    }

    fn fragment_bytes(&self) -> usize {
        self.fragments.lock().iter().map(|(_, bytes)| bytes.len()).sum()
    }

    fn forget(&self) {
        self.fragments.lock().clear();
    }
}

/// A stored name as a reference; `None` for the entry that keeps an image without a name.
pub(in crate::engine) fn name_reference(name: &str) -> Option<Reference> {
    if is_dangling(name) { None } else { Reference::parse(name).ok() }
}

/// Whether a stored name only keeps an image that has no other.
pub(in crate::engine) fn is_dangling(name: &str) -> bool {
    name.parse::<Digest>().is_ok()
}

impl State {
    /// A blob with what was read from it; `None` where it is not here.
    pub(in crate::engine) fn entry(&self, digest: &Digest) -> Option<&Entry> {
        self.blobs.get(digest)
    }

    /// What is known of a blob; `None` where it is not here.
    pub(in crate::engine) fn blob(&self, digest: &Digest) -> Option<BlobRecord> {
        Some(self.entry(digest)?.record)
    }

    /// Every blob that is here, in no order.
    pub(in crate::engine) fn blobs(&self) -> impl Iterator<Item = (&Digest, &BlobRecord)> {
        self.blobs.iter().map(|(digest, entry)| (digest, &entry.record))
    }

    /// A parsed index or manifest; `None` where its blob is not here.
    pub(in crate::engine) fn document(&self, digest: &Digest) -> Option<&Arc<Document>> {
        self.entry(digest)?.document.as_ref()
    }

    /// A parsed manifest; `None` where its blob is not here or is an index.
    pub(in crate::engine) fn manifest(&self, digest: &Digest) -> Option<&Manifest> {
        match self.document(digest)?.as_ref() {
            Document::Manifest(manifest) => Some(manifest),
            Document::Index(_) => None,
        }
    }

    /// Whether a blob that an index names counts for what its descriptor says: an index or manifest does once it is
    /// parsed, which is when an image is whole. Until then it is what a load left that did not come to its end.
    pub(in crate::engine) fn counts_as_child(&self, descriptor: &Descriptor) -> bool {
        !descriptor.media_type.is_document() || self.document(&descriptor.digest).is_some()
    }

    /// What a stored name points at.
    pub(in crate::engine) fn name(&self, name: &str) -> Option<&Arc<NameRecord>> {
        self.names.get(name)
    }

    /// The repositories that an image was pulled from; none where it came otherwise.
    pub(in crate::engine) fn sources(&self, target: &Digest) -> &[String] {
        self.sources.get(target).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every name, in order.
    pub(in crate::engine) fn names(&self) -> impl Iterator<Item = (&str, &Arc<NameRecord>)> {
        self.names.iter().map(|(name, record)| (name.as_str(), record))
    }

    /// Whether a name points at the digest.
    pub(in crate::engine) fn is_target(&self, digest: &Digest) -> bool {
        self.targets.contains_key(digest)
    }

    /// The digests that names point at, in no order.
    pub(in crate::engine) fn targets(&self) -> impl Iterator<Item = &Digest> {
        self.targets.keys()
    }

    /// The stored names of a target, in order; none where it is no image.
    pub(in crate::engine) fn names_of(&self, target: &Digest) -> Vec<&str> {
        let mut names: Vec<&str> = self.targets.get(target).into_iter().flatten().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The documents here whose subject is the digest, in the order of their own digests.
    pub(in crate::engine) fn referrers(&self, subject: &Digest) -> Vec<&Digest> {
        let mut referrers: Vec<&Digest> = self.referrers.get(subject).into_iter().flatten().collect();
        referrers.sort_unstable();
        referrers
    }

    /// Referrers that hold statements about the subject, with their digests.
    pub(in crate::engine) fn attesting_referrers(
        &self,
        subject: &Digest,
    ) -> impl Iterator<Item = (&Digest, &Manifest)> {
        self.referrers(subject)
            .into_iter()
            .filter_map(|digest| Some((digest, self.manifest(digest)?)))
            .filter(|(_, manifest)| attestation::holds_statements(manifest))
    }

    fn add_blob(&mut self, digest: Digest, record: BlobRecord) {
        self.blobs.entry(digest).or_insert(Entry { record, document: None, config: None });
    }

    /// What a blob says, if that blob is here.
    fn add_document(&mut self, digest: Digest, document: Document) {
        let Some(entry) = self.blobs.get_mut(&digest) else { return };
        let document = entry.document.insert(Arc::new(document));
        if let Some(subject) = document.subject() {
            let referrers = self.referrers.entry(subject.digest.clone()).or_default();
            if !referrers.contains(&digest) {
                referrers.push(digest);
            }
        }
    }

    fn add_config(&mut self, digest: &Digest, config: ConfigSummary) {
        if let Some(entry) = self.blobs.get_mut(digest) {
            entry.config = Some(Arc::new(config));
        }
    }

    fn set_name(&mut self, name: String, record: NameRecord) {
        self.targets.entry(record.target.digest.clone()).or_default().push(name.clone());
        self.names.insert(name, Arc::new(record));
    }

    fn remove_name(&mut self, name: &str) {
        let Some(record) = self.names.remove(name) else { return };
        if let Some(names) = self.targets.get_mut(&record.target.digest) {
            names.retain(|known| known != name);
            if names.is_empty() {
                self.targets.remove(&record.target.digest);
            }
        }
    }

    fn remove_blob(&mut self, digest: &Digest) {
        self.sources.remove(digest);
        let Some(document) = self.blobs.remove(digest).and_then(|entry| entry.document) else { return };
        if let Some(subject) = document.subject()
            && let Some(referrers) = self.referrers.get_mut(&subject.digest)
        {
            referrers.retain(|known| known != digest);
            if referrers.is_empty() {
                self.referrers.remove(&subject.digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_hash_to_their_own_bytes() {
        let hash =
            |digest: &Digest| std::hash::BuildHasher::hash_one(&BuildHasherDefault::<FirstBytes>::default(), digest);
        for digest in [Digest::of(b"a"), Digest::compute(crate::domain::digest::Algorithm::Sha512, b"a")] {
            assert_eq!(hash(&digest).to_le_bytes(), digest.bytes()[..8]);
        }
    }
}
