//! Who uses what: the way up from content to what keeps it.
//!
//! To collect everything, one walks down from all names. To take one image of many away, it is enough to walk up from its
//! parts until a name is met: how many other images there are makes no difference. Nothing is kept here before that is
//! done for the first time; from then on it follows every commit.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};

use parking_lot::{Mutex, MutexGuard};

use crate::domain::Digest;
use crate::domain::manifest::Document;
use crate::engine::catalog::State;
use crate::engine::gc::collect::is_settled;
use crate::store::Changes;

/// Whether what a document names is kept by it: see [`is_settled`].
fn counts(state: &State, user: &Document, used: &Digest) -> bool {
    let mut children = user.children().filter(|child| child.digest == *used);
    matches!(user, Document::Manifest(_))
        || state.document(used).is_some()
        || children.any(|child| is_settled(state, child))
}

/// The users of all content, once they were asked for.
#[derive(Default)]
pub(in crate::engine) struct Uses {
    hasher: RandomState,
    edges: Mutex<Option<Edges>>,
}

/// What is used, as a hash, and by which document. Were two hashes equal, content would be kept for too long.
type Edges = BTreeSet<(u64, Digest)>;

/// What a commit changes here.
#[derive(Default)]
pub(in crate::engine) struct Step {
    added: Vec<(u64, Digest)>,
    removed: Vec<(u64, Digest)>,
}

impl Uses {
    /// What a commit will change. Call it before the catalog follows the commit.
    pub(in crate::engine) fn step(&self, state: &State, changes: &Changes) -> Step {
        if self.lock().is_none() {
            return Step::default();
        }
        let added = changes.documents.iter().flat_map(|(user, document)| self.edges_of(user, document)).collect();
        let documents = changes.removed.iter().filter_map(|user| Some((user, state.document(user)?)));
        let removed = documents.flat_map(|(user, document)| self.edges_of(user, document)).collect();
        Step { added, removed }
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
    pub(in crate::engine) fn dead(
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
            documents.flat_map(|(user, document)| self.edges_of(user, document)).collect()
        });
        let (mut live, mut dead) = (HashSet::new(), HashSet::new());
        for candidate in candidates {
            let mut seen = HashSet::from([candidate]);
            let mut kept = is_root(candidate);
            // Users are looked at one by one: what all images share has very many, and the first may do.
            let mut way = vec![self.above(state, edges, candidate)];
            while let (false, Some(next)) = (kept, way.last_mut()) {
                match next.next() {
                    Some(user) if is_root(user) || live.contains(user) => kept = true,
                    Some(user) if !dead.contains(user) && seen.insert(user) => way.push(self.above(state, edges, user)),
                    Some(_) => {}
                    None => drop(way.pop()),
                }
            }
            match kept {
                true => drop(live.insert(candidate.clone())),
                // Nor is there a root above anything on the way.
                false => dead.extend(seen.into_iter().cloned()),
            }
        }
        dead.retain(|digest| candidates.contains(digest) && state.blob(digest).is_some());
        dead
    }

    /// What keeps this content if it is kept itself: its subject, and the documents here that name it and for which it
    /// counts.
    fn above<'a>(&self, state: &'a State, edges: &'a Edges, used: &'a Digest) -> impl Iterator<Item = &'a Digest> {
        let hash = self.hasher.hash_one(used);
        // No digest is less than this one.
        let from = (hash, Digest::Sha256([0; 32]));
        let users = edges.range(from..).take_while(move |(other, _)| *other == hash).map(|(_, user)| user);
        let users = users.filter(|user| state.document(user).is_some_and(|user| counts(state, user, used)));
        let subject = state.document(used).and_then(|document| document.subject()).map(|subject| &subject.digest);
        subject.into_iter().chain(users)
    }

    fn edges_of(&self, user: &Digest, document: &Document) -> impl Iterator<Item = (u64, Digest)> {
        document.children().map(|child| (self.hasher.hash_one(&child.digest), user.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Edges>> {
        self.edges.lock()
    }
}
