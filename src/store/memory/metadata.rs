//! Records in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::domain::manifest::{ConfigSummary, Document};
use crate::domain::{Digest, Result};
use crate::store::journal::{Journal, Key};
use crate::store::{
    BlobRecord, Changes, Commit, CommitOutcome, Entry, MetadataStore, NameRecord, ReadScope, Records, Revision, Sources,
};

/// How many records are read at a time.
const BATCH: usize = 1024;

pub(super) struct MemoryMetadata {
    state: Mutex<State>,
    newest: watch::Sender<Revision>,
    identity: String,
}

#[derive(Default)]
struct State {
    journal: Journal,
    blobs: BTreeMap<Digest, BlobRecord>,
    documents: BTreeMap<Digest, Arc<Document>>,
    configs: BTreeMap<Digest, Arc<ConfigSummary>>,
    names: BTreeMap<String, NameRecord>,
    sources: BTreeMap<Digest, Sources>,
}

impl MemoryMetadata {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::default(),
            newest: watch::Sender::new(Revision::default()),
            identity: uuid::Uuid::new_v4().to_string(),
        }
    }
}

impl MetadataStore for MemoryMetadata {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn read(&self, since: Option<Revision>) -> BoxFuture<'_, Result<Records>> {
        Box::pin(async move {
            let state = self.state.lock();
            let changed = since.and_then(|since| Some((since, state.journal.since(since)?)));
            let (scope, entries) = match changed {
                Some((since, keys)) => {
                    (ReadScope::Since(since), keys.iter().flat_map(|key| state.entries(key)).collect())
                }
                None => (ReadScope::All, state.all()),
            };
            let batches: Vec<Result<Vec<Entry>>> = entries.chunks(BATCH).map(|batch| Ok(batch.to_vec())).collect();
            Ok(Records { revision: state.journal.revision(), scope, batches: stream::iter(batches).boxed() })
        })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<CommitOutcome>> {
        Box::pin(async move {
            let mut state = self.state.lock();
            if let Some(outcome) = state.journal.answer(&commit) {
                return Ok(outcome);
            }
            let revision = state.journal.record(commit.id, &commit.changes);
            state.apply(Arc::unwrap_or_clone(commit.changes));
            self.newest.send_replace(revision);
            Ok(CommitOutcome::Committed(revision))
        })
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.newest.subscribe()
    }
}

impl State {
    fn apply(&mut self, changes: Changes) {
        for (digest, record) in changes.blobs {
            self.blobs.entry(digest).or_insert(record);
        }
        self.documents.extend(changes.documents);
        self.configs.extend(changes.configs);
        self.sources.extend(changes.sources);
        for (name, record) in changes.names {
            match record {
                Some(record) => self.names.insert(name, record),
                None => self.names.remove(&name),
            };
        }
        for digest in changes.removed {
            self.blobs.remove(&digest);
            self.documents.remove(&digest);
            self.configs.remove(&digest);
            self.sources.remove(&digest);
        }
    }

    fn entries(&self, key: &Key) -> Vec<Entry> {
        match key {
            Key::Name(name) => vec![Entry::Name(name.clone(), self.names.get(name).cloned())],
            Key::Content(digest) => vec![
                Entry::Blob(digest.clone(), self.blobs.get(digest).copied()),
                Entry::Document(digest.clone(), self.documents.get(digest).cloned()),
                Entry::Config(digest.clone(), self.configs.get(digest).cloned()),
                Entry::Sources(digest.clone(), self.sources.get(digest).cloned()),
            ],
        }
    }

    fn all(&self) -> Vec<Entry> {
        let blobs = self.blobs.iter().map(|(digest, record)| Entry::Blob(digest.clone(), Some(*record)));
        let documents =
            self.documents.iter().map(|(digest, record)| Entry::Document(digest.clone(), Some(record.clone())));
        let configs = self.configs.iter().map(|(digest, record)| Entry::Config(digest.clone(), Some(record.clone())));
        let names = self.names.iter().map(|(name, record)| Entry::Name(name.clone(), Some(record.clone())));
        let sources = self.sources.iter().map(|(digest, record)| Entry::Sources(digest.clone(), Some(record.clone())));
        blobs.chain(documents).chain(configs).chain(names).chain(sources).collect()
    }
}
