//! Events: listening to what happens to images.

use std::sync::Arc;

use futures_util::{Stream, stream};

use super::core::Engine;
use super::publish::{EventQuery, RecordEvent};
use crate::domain::event::Event;

impl Engine {
    /// What happens from now on, after what happened before if the query asks for that.
    ///
    /// The stream ends at the moment that the query names, when the engine ends its streams, and when who reads it falls
    /// behind by more than is kept. Dropping it frees it.
    pub fn events(&self, query: EventQuery) -> impl Stream<Item = Arc<Event>> + Send + use<> {
        stream::unfold(self.0.events.subscribe(query), |mut subscription| async move {
            let event = subscription.next().await?;
            Some((event, subscription))
        })
    }

    /// What becomes of records of names from now on, as containerd's clients are told of it: each record that is made,
    /// changed or removed, whichever client asked for that. A name that is set again is an update.
    ///
    /// The stream ends when the engine ends its streams, and when who reads it falls behind by more than 256 commits.
    /// Changes that another engine makes to shared records are not told. Dropping the stream frees it.
    pub fn record_events(&self) -> impl Stream<Item = RecordEvent> + Send + use<> {
        stream::unfold(self.0.events.subscribe_records(), |mut subscription| async move {
            let event = subscription.next().await?;
            Some((event, subscription))
        })
    }

    /// How many listen to events.
    pub fn event_listeners(&self) -> usize {
        self.0.events.listeners()
    }

    /// Ends every stream of events, and those to come once they told of the past. The first thing to do at shutdown:
    /// such streams would never end by themselves.
    pub fn end_streams(&self) {
        self.0.events.end();
    }
}
