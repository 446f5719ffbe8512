//! What is stored, in memory: blobs with what was parsed of them, and names.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::domain::attestation;
use crate::domain::manifest::{ConfigSummary, Document, Manifest};
use crate::domain::{Descriptor, Digest, NameKey};
use crate::store::{self, BlobRecord, Changes, NameRecord, Revision, Sources};

/// One state of everything.
#[derive(Default)]
pub(in crate::engine) struct State {
    /// Moves with every change.
    pub(super) generation: u64,
    /// The store's revision that this follows.
    pub(in crate::engine) revision: Revision,
    blobs: ByDigest<Entry>,
    pub(super) names: BTreeMap<NameKey, Arc<NameRecord>>,
    /// Names by the digest that they point at.
    targets: HashMap<Digest, Vec<NameKey>>,
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

impl State {
    /// Follows the store by one commit, which led to a revision.
    pub(super) fn apply(&mut self, changes: Changes, revision: Revision) {
        let Changes { blobs, documents, configs, names, sources, removed } = changes;
        self.advance(revision);
        blobs.into_iter().for_each(|(digest, record)| self.add_blob(digest, record));
        documents.into_iter().for_each(|(digest, document)| self.add_document(digest, document));
        configs.into_iter().for_each(|(digest, config)| self.add_config(&digest, config));
        names.into_iter().for_each(|(name, record)| self.replace_name(&name, record));
        self.sources.extend(sources);
        for digest in &removed {
            self.remove_blob(digest);
        }
    }

    /// Follows the store by records as they are at a revision. What is said of a blob comes after the blob.
    pub(super) fn follow(&mut self, records: Vec<store::Entry>, revision: Revision) {
        self.advance(revision);
        for record in records {
            match record {
                store::Entry::Blob(digest, Some(record)) => self.set_blob(digest, record),
                store::Entry::Blob(digest, None) => self.remove_blob(&digest),
                store::Entry::Document(digest, Some(document)) => self.add_document(digest, document),
                store::Entry::Config(digest, Some(config)) => self.add_config(&digest, config),
                store::Entry::Sources(digest, Some(sources)) => drop(self.sources.insert(digest, sources)),
                // The blob may be there all the same: it went and came back, and was not parsed again.
                store::Entry::Document(digest, None) => self.remove_document(&digest),
                store::Entry::Config(digest, None) => self.remove_config(&digest),
                store::Entry::Sources(digest, None) => drop(self.sources.remove(&digest)),
                store::Entry::Name(name, record) => self.replace_name(&name, record),
            }
        }
    }

    fn advance(&mut self, revision: Revision) {
        self.generation += 1;
        self.revision = revision;
    }

    /// A number that no earlier state had.
    pub(in crate::engine) fn generation(&self) -> u64 {
        self.generation
    }

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

    /// The record of a name, which is given as the text of its key.
    pub(in crate::engine) fn name(&self, name: &str) -> Option<&Arc<NameRecord>> {
        self.names.get(name)
    }

    /// The repositories that an image was pulled from; none where it came otherwise.
    pub(in crate::engine) fn sources(&self, target: &Digest) -> &[String] {
        self.sources.get(target).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every record of a name, in order; images without one included.
    pub(in crate::engine) fn names(&self) -> impl Iterator<Item = (&NameKey, &Arc<NameRecord>)> {
        self.names.iter()
    }

    /// Whether a name points at the digest.
    pub(in crate::engine) fn is_target(&self, digest: &Digest) -> bool {
        self.targets.contains_key(digest)
    }

    /// How many images there are.
    pub(super) fn image_count(&self) -> usize {
        self.targets.len()
    }

    /// The digests that names point at, in no order.
    pub(in crate::engine) fn targets(&self) -> impl Iterator<Item = &Digest> {
        self.targets.keys()
    }

    /// The digests that names point at with those names, all in no order.
    pub(super) fn targets_with_names(&self) -> impl Iterator<Item = (&Digest, &[NameKey])> {
        self.targets.iter().map(|(target, names)| (target, names.as_slice()))
    }

    /// The keys of the records that point at a target, in order; none where it is no image.
    pub(in crate::engine) fn names_of(&self, target: &Digest) -> Vec<&NameKey> {
        let mut names: Vec<&NameKey> = self.targets.get(target).into_iter().flatten().collect();
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

    /// The same where it may have gone and come back.
    fn set_blob(&mut self, digest: Digest, record: BlobRecord) {
        self.blobs.entry(digest).or_insert(Entry { record, document: None, config: None }).record = record;
    }

    /// What a blob says, if that blob is here.
    fn add_document(&mut self, digest: Digest, document: Arc<Document>) {
        let Some(entry) = self.blobs.get_mut(&digest) else { return };
        let document = entry.document.insert(document);
        if let Some(subject) = document.subject() {
            let referrers = self.referrers.entry(subject.digest.clone()).or_default();
            if !referrers.contains(&digest) {
                referrers.push(digest);
            }
        }
    }

    fn add_config(&mut self, digest: &Digest, config: Arc<ConfigSummary>) {
        if let Some(entry) = self.blobs.get_mut(digest) {
            entry.config = Some(config);
        }
    }

    fn remove_config(&mut self, digest: &Digest) {
        if let Some(entry) = self.blobs.get_mut(digest) {
            entry.config = None;
        }
    }

    fn replace_name(&mut self, name: &str, record: Option<NameRecord>) {
        self.remove_name(name);
        let Some(record) = record else { return };
        let name = NameKey::from_record(name);
        self.targets.entry(record.target.digest.clone()).or_default().push(name.clone());
        self.names.insert(name, Arc::new(record));
    }

    fn remove_name(&mut self, name: &str) {
        let Some(record) = self.names.remove(name) else { return };
        if let Some(names) = self.targets.get_mut(&record.target.digest) {
            names.retain(|known| known.as_str() != name);
            if names.is_empty() {
                self.targets.remove(&record.target.digest);
            }
        }
    }

    fn remove_blob(&mut self, digest: &Digest) {
        self.sources.remove(digest);
        self.remove_document(digest);
        self.blobs.remove(digest);
    }

    fn remove_document(&mut self, digest: &Digest) {
        let Some(document) = self.blobs.get_mut(digest).and_then(|entry| entry.document.take()) else { return };
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
