//! Records in an embedded database.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::database::{Cursor, Database};
use super::root::Root;
use crate::domain::Result;
use crate::store::blocking::offload;
use crate::store::journal::Journal;
use crate::store::{Batch, Commit, CommitOutcome, MetadataStore, ReadScope, Records, Revision};

/// The records of one data root. Only this process changes them.
pub(super) struct LocalMetadata {
    shared: Arc<Shared>,
    identity: String,
}

struct Shared {
    root: Arc<Root>,
    // One commit at a time, which is all that the database can do.
    state: Mutex<State>,
    newest: watch::Sender<Revision>,
}

struct State {
    database: Database,
    journal: Journal,
}

impl LocalMetadata {
    pub(super) fn new(root: Arc<Root>, mut database: Database, identity: String) -> Result<Self> {
        let revision = database.revision()?;
        let state = Mutex::new(State { database, journal: Journal::starting_at(revision) });
        Ok(Self { shared: Arc::new(Shared { root, state, newest: watch::Sender::new(revision) }), identity })
    }
}

impl MetadataStore for LocalMetadata {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn read(&self, since: Option<Revision>) -> BoxFuture<'_, Result<Records>> {
        let shared = self.shared.clone();
        Box::pin(offload(move || shared.read(since)))
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<CommitOutcome>> {
        let shared = self.shared.clone();
        Box::pin(offload(move || shared.commit(&commit)))
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.shared.newest.subscribe()
    }

    fn was_interrupted(&self) -> bool {
        self.shared.root.was_interrupted
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        let shared = self.shared.clone();
        Box::pin(offload(move || {
            // No commit is under way while this is noted.
            let _state = shared.state.lock();
            shared.root.mark_clean()
        }))
    }
}

impl Shared {
    fn read(&self, since: Option<Revision>) -> Result<Records> {
        let mut state = self.state.lock();
        let revision = state.journal.revision();
        if let Some((since, keys)) = since.and_then(|since| Some((since, state.journal.since(since)?))) {
            let batch = state.database.entries(&keys)?;
            let batches = stream::once(async { Ok(batch) }).boxed();
            return Ok(Records { revision, scope: ReadScope::Since(since), batches });
        }
        // It reads the state of this moment, whatever is committed meanwhile.
        let cursor = state.database.cursor()?;
        let batches = stream::try_unfold(cursor, |cursor| async move {
            let (batch, cursor) = offload(move || next(cursor)).await?;
            Ok((!batch.is_empty()).then_some((batch, cursor)))
        });
        Ok(Records { revision, scope: ReadScope::All, batches: batches.boxed() })
    }

    fn commit(&self, commit: &Commit) -> Result<CommitOutcome> {
        let mut state = self.state.lock();
        if let Some(outcome) = state.journal.answer(commit) {
            return Ok(outcome);
        }
        self.root.mark_unclean()?;
        let revision = commit.expected.next();
        self.root.partials.making_room(|| state.database.apply(&commit.changes, revision))?;
        state.journal.record(commit.id, &commit.changes);
        self.newest.send_replace(revision);
        Ok(CommitOutcome::Committed(revision))
    }
}

fn next(mut cursor: Cursor) -> Result<(Batch, Cursor)> {
    let batch = cursor.next_batch()?;
    Ok((batch, cursor))
}
