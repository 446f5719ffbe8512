//! The way up: which documents name a blob, and so keep it.
//!
//! To collect everything, one walks down from all names. To remove one image of many, it is enough to walk up from its
//! blobs until a name is met: how many other images there are makes no difference. The index is built when it is first
//! needed; from then on it follows every commit.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};

use parking_lot::{Mutex, MutexGuard};

use crate::domain::Digest;
use crate::domain::manifest::Document;
use crate::engine::catalog::State;
use crate::store::Changes;

/// The parents of every blob, once they were asked for.
#[derive(Default)]
pub(in crate::engine) struct ParentIndex {
    hasher: RandomState,
    edges: Mutex<Option<Edges>>,
}

/// The hash of a child's digest, with a parent. Were two hashes equal, content would be kept for too long.
type Edges = BTreeSet<(u64, Digest)>;

/// What a commit changes here.
#[derive(Default)]
pub(in crate::engine) struct Step {
    added: Vec<(u64, Digest)>,
    removed: Vec<(u64, Digest)>,
}

impl ParentIndex {
    /// What a commit will change. Call it before the catalog follows the commit.
    pub(in crate::engine) fn step(&self, state: &State, changes: &Changes) -> Step {
        if self.lock().is_none() {
            return Step::default();
        }
        let added = changes.documents.iter().flat_map(|(parent, document)| self.edges_of(parent, document)).collect();
        let documents = changes.removed.iter().filter_map(|parent| Some((parent, state.document(parent)?)));
        let removed = documents.flat_map(|(parent, document)| self.edges_of(parent, document)).collect();
        Step { added, removed }
    }

    /// Forgets everything, because the catalog has followed what is not known here.
    pub(in crate::engine) fn forget(&self) {
        *self.lock() = None;
    }

    /// Follows a commit that was made.
    pub(in crate::engine) fn follow(&self, step: Step) {
        if let Some(edges) = self.lock().as_mut() {
            edges.extend(step.added);
            for edge in &step.removed {
                edges.remove(edge);
            }
        }
    }

    /// Those of the candidates that are here with no root above them: neither a name nor whatever else `is_root` stands for
    /// keeps them. Content is under the documents that name it, and a referrer is under its subject. No commit may be made
    /// meanwhile.
    pub(in crate::engine) fn unreachable(
        &self,
        state: &State,
        candidates: &HashSet<Digest>,
        is_root: impl Fn(&Digest) -> bool,
    ) -> HashSet<Digest> {
        if candidates.is_empty() {
            return HashSet::new();
        }
        let mut edges = self.lock();
        let edges = edges.get_or_insert_with(|| {
            let documents = state.blobs().filter_map(|(digest, _)| Some((digest, state.document(digest)?)));
            documents.flat_map(|(parent, document)| self.edges_of(parent, document)).collect()
        });
        let (mut live, mut unreachable) = (HashSet::new(), HashSet::new());
        for candidate in candidates {
            let mut seen = HashSet::from([candidate]);
            let mut kept = is_root(candidate);
            // Parents are looked up one by one: what all images share has very many, and the first may do.
            let mut path = vec![self.parents(state, edges, candidate)];
            while let (false, Some(parents)) = (kept, path.last_mut()) {
                match parents.next() {
                    Some(parent) if is_root(parent) || live.contains(parent) => kept = true,
                    Some(parent) if !unreachable.contains(parent) && seen.insert(parent) => {
                        path.push(self.parents(state, edges, parent));
                    }
                    Some(_) => {}
                    None => drop(path.pop()),
                }
            }
            match kept {
                true => drop(live.insert(candidate.clone())),
                // Nor is there a root above anything on the path.
                false => unreachable.extend(seen.into_iter().cloned()),
            }
        }
        unreachable.retain(|digest| candidates.contains(digest) && state.blob(digest).is_some());
        unreachable
    }

    /// What keeps a blob if it is kept itself: its subject, and the documents here that name it and for which it counts.
    fn parents<'a>(&self, state: &'a State, edges: &'a Edges, child: &'a Digest) -> impl Iterator<Item = &'a Digest> {
        let hash = self.hasher.hash_one(child);
        // No digest is less than this one.
        let from = (hash, Digest::Sha256([0; 32]));
        let parents = edges.range(from..).take_while(move |(other, _)| *other == hash).map(|(_, parent)| parent);
        let parents = parents.filter(|parent| state.document(parent).is_some_and(|parent| keeps(state, parent, child)));
        let subject = state.document(child).and_then(|document| document.subject()).map(|subject| &subject.digest);
        subject.into_iter().chain(parents)
    }

    fn edges_of(&self, parent: &Digest, document: &Document) -> impl Iterator<Item = (u64, Digest)> {
        document.children().map(|child| (self.hasher.hash_one(&child.digest), parent.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Edges>> {
        self.edges.lock()
    }
}

/// Whether a document keeps what it names: see [`State::counts_as_child`].
fn keeps(state: &State, parent: &Document, child: &Digest) -> bool {
    !parent.is_index()
        || state.document(child).is_some()
        || parent.children().any(|named| named.digest == *child && state.counts_as_child(named))
}
