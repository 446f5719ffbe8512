//! Events: listening to what happens to images.

use std::sync::Arc;

use futures_util::{Stream, stream};

use super::core::Engine;
use super::publish::EventQuery;
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
