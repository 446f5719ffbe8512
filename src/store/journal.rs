//! The recent past of a store that is used by one process: which records commits changed, and which operations were carried
//! out.

use std::collections::{HashMap, HashSet, VecDeque};

use super::metadata::{Changes, Commit, CommitOutcome, OperationId, Revision};
use crate::domain::Digest;

/// How many changed keys are remembered. Whoever is behind by more reads everything.
const MAX_KEYS: usize = 8192;

/// How many operations are remembered.
const MAX_OPERATIONS: usize = 4096;

/// See the module's text.
#[derive(Default)]
pub(super) struct Journal {
    revision: Revision,
    /// What led to each revision, the oldest first.
    steps: VecDeque<(Revision, Vec<Key>)>,
    keys: usize,
    operations: HashMap<OperationId, Revision>,
    order: VecDeque<OperationId>,
}

/// What a record is found by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// The blob of a digest, with everything that is recorded of it.
    Content(Digest),
    Name(String),
}

impl Journal {
    /// A journal that begins with a store's present revision.
    pub(super) fn starting_at(revision: Revision) -> Self {
        Self { revision, ..Self::default() }
    }

    /// The present revision.
    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    /// What becomes of a commit without anything being done: it was carried out before, or expects another revision.
    /// `None` where it is to be carried out now.
    pub(super) fn answer(&self, commit: &Commit) -> Option<CommitOutcome> {
        match self.operations.get(&commit.id) {
            Some(revision) => Some(CommitOutcome::Committed(*revision)),
            None if commit.expected != self.revision => Some(CommitOutcome::Conflict(self.revision)),
            None => None,
        }
    }

    /// Notes a commit that was carried out; the revision that it led to.
    pub(super) fn record(&mut self, id: OperationId, changes: &Changes) -> Revision {
        self.revision = self.revision.next();
        let keys = keys(changes);
        self.keys += keys.len();
        self.steps.push_back((self.revision, keys));
        while self.keys > MAX_KEYS {
            let Some((_, keys)) = self.steps.pop_front() else { break };
            self.keys -= keys.len();
        }
        self.operations.insert(id, self.revision);
        self.order.push_back(id);
        if self.order.len() > MAX_OPERATIONS
            && let Some(oldest) = self.order.pop_front()
        {
            self.operations.remove(&oldest);
        }
        self.revision
    }

    /// The keys that changed since a revision, each once; `None` where that is not known any more.
    pub(super) fn since(&self, revision: Revision) -> Option<HashSet<Key>> {
        if revision == self.revision {
            return Some(HashSet::new());
        }
        let first = self.steps.front().map(|(first, _)| *first)?;
        if revision > self.revision || revision.next() < first {
            return None;
        }
        let newer = self.steps.iter().filter(|(step, _)| *step > revision);
        Some(newer.flat_map(|(_, keys)| keys.iter().cloned()).collect())
    }
}

fn keys(changes: &Changes) -> Vec<Key> {
    let Changes { blobs, documents, configs, names, sources, removed } = changes;
    let content = blobs.iter().map(|(digest, _)| digest);
    let content = content.chain(documents.iter().map(|(digest, _)| digest));
    let content = content.chain(configs.iter().map(|(digest, _)| digest));
    let content = content.chain(sources.iter().map(|(digest, _)| digest)).chain(removed);
    let content: HashSet<&Digest> = content.collect();
    let content = content.into_iter().cloned().map(Key::Content);
    content.chain(names.iter().map(|(name, _)| Key::Name(name.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(number: usize) -> Changes {
        Changes { names: vec![(number.to_string(), None)], ..Changes::default() }
    }

    #[test]
    fn what_changed_is_known_for_a_while() {
        let mut journal = Journal::starting_at(Revision(5));
        assert_eq!(journal.since(Revision(5)), Some(HashSet::new()));
        assert_eq!(journal.since(Revision(4)), None, "that was before");
        assert_eq!(journal.since(Revision(6)), None, "of another life of the store");
        for number in 0..MAX_KEYS + 10 {
            journal.record(OperationId::random(), &named(number));
        }
        assert_eq!(journal.since(Revision(5)), None);
        let first = Revision(5 + 10);
        assert_eq!(journal.since(first).map(|keys| keys.len()), Some(MAX_KEYS));
        let last = journal.revision();
        assert_eq!(journal.since(Revision(last.0 - 1)), Some([Key::Name((MAX_KEYS + 9).to_string())].into()));
    }

    #[test]
    fn an_operation_is_answered_as_before() {
        let mut journal = Journal::default();
        let commit = |expected| Commit { id: OperationId(7), expected: Revision(expected), changes: named(1).into() };
        assert_eq!(journal.answer(&commit(3)), Some(CommitOutcome::Conflict(Revision(0))));
        assert_eq!(journal.answer(&commit(0)), None);
        let revision = journal.record(OperationId(7), &named(1));
        assert_eq!(journal.answer(&commit(0)), Some(CommitOutcome::Committed(revision)));
        for number in 0..MAX_OPERATIONS {
            journal.record(OperationId(100 + number as u128), &named(2));
        }
        assert!(matches!(journal.answer(&commit(0)), Some(CommitOutcome::Conflict(_))), "forgotten");
    }
}
