//! What becomes of records of names, told to whoever listens.
//!
//! Unlike Docker's events, which tell what clients did, these tell what was committed: each record that a commit made,
//! changed or removed, whichever client it was for. Nothing is kept for later, and nothing is made where nobody listens.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::domain::NameKey;
use crate::domain::event::RecordChange;
use crate::engine::catalog::{ImageRecord, State};
use crate::store::Changes;

/// How many commits a subscriber may be behind.
const KEPT: usize = 256;

/// A record was made, changed or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordEvent {
    pub change: RecordChange,
    pub name: NameKey,
    /// The record as it is now; absent where it was removed.
    pub record: Option<ImageRecord>,
    pub at: Timestamp,
}

/// Records that one commit changed, in order, each with whether it was there before.
pub(super) struct ChangedRecords(Vec<(String, bool)>);

impl ChangedRecords {
    /// What a commit will change of a state.
    pub(super) fn of(state: &State, changes: &Changes) -> Self {
        // An archive may give a name twice. The last one counts, and is told once.
        let mut seen = HashSet::new();
        let names = changes.names.iter().map(|(name, _)| name).filter(|name| seen.insert(name.as_str()));
        Self(names.map(|name| (name.clone(), state.name(name).is_some())).collect())
    }
}

/// The channel that changes of records are told on: one message for each commit.
pub(super) struct RecordLog {
    /// Absent once the engine ends its streams.
    live: Mutex<Option<broadcast::Sender<Arc<[RecordEvent]>>>>,
}

impl Default for RecordLog {
    fn default() -> Self {
        Self { live: Mutex::new(Some(broadcast::Sender::new(KEPT))) }
    }
}

impl RecordLog {
    /// Whether there is anybody to tell.
    pub(super) fn has_listeners(&self) -> bool {
        self.live.lock().as_ref().is_some_and(|live| live.receiver_count() > 0)
    }

    /// Tells of what a commit has changed, on the state that it led to.
    pub(super) fn tell(&self, state: &State, changed: ChangedRecords, at: Timestamp) {
        let event = |(name, was_known): (String, bool)| {
            let record = state.record(&name);
            let change = match (was_known, record.is_some()) {
                (false, true) => RecordChange::Created,
                (true, true) => RecordChange::Updated,
                (true, false) => RecordChange::Deleted,
                (false, false) => return None,
            };
            let name = record.as_ref().map_or_else(|| NameKey::from_record(&name), |record| record.name().clone());
            Some(RecordEvent { change, name, record, at })
        };
        let events: Arc<[RecordEvent]> = changed.0.into_iter().filter_map(event).collect();
        if let Some(live) = self.live.lock().as_ref().filter(|_| !events.is_empty()) {
            // Nobody may be listening any more.
            let _ = live.send(events);
        }
    }

    pub(super) fn end(&self) {
        *self.live.lock() = None;
    }

    pub(super) fn subscribe(&self) -> RecordSubscription {
        let live = self.live.lock().as_ref().map(broadcast::Sender::subscribe);
        RecordSubscription { live, waiting: VecDeque::new() }
    }
}

/// One listener.
pub(in crate::engine) struct RecordSubscription {
    live: Option<broadcast::Receiver<Arc<[RecordEvent]>>>,
    waiting: VecDeque<RecordEvent>,
}

impl RecordSubscription {
    /// The next event; `None` where the engine ends its streams, or too many commits were missed.
    pub(in crate::engine) async fn next(&mut self) -> Option<RecordEvent> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            match self.live.as_mut()?.recv().await {
                Ok(events) => self.waiting.extend(events.iter().cloned()),
                Err(broadcast::error::RecvError::Closed) => return None,
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::info!(missed, "a subscriber to changes of records fell too far behind; disconnecting it");
                    return None;
                }
            }
        }
    }
}
