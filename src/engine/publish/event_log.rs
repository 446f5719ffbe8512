//! Events: what happens to images, kept for a while and told to whoever listens.
//!
//! They live in memory. Who writes never waits: the last [`KEPT`] events are kept, subscribers share them, and one that
//! falls behind by more is cut off.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::record_log::{ChangedRecords, RecordLog, RecordSubscription};
use crate::domain::StringMap;
use crate::domain::event::{Action, Event};
use crate::engine::catalog::State;
use crate::engine::clock::Clock;
use crate::engine::filter::EventFilter;
use crate::store::Changes;

/// How many events are kept, and how many a subscriber may be behind.
const KEPT: usize = 256;

/// Which events to tell of.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Tell of kept events from this moment on.
    pub since: Option<Timestamp>,
    /// End at this moment; never where absent. Kept events up to it are told of.
    pub until: Option<Timestamp>,
    pub filter: EventFilter,
}

impl EventQuery {
    fn admits(&self, event: &Event) -> bool {
        self.since.is_none_or(|since| event.at >= since)
            && self.until.is_none_or(|until| event.at <= until)
            && self.filter.admits(event)
    }
}

/// The events of one engine.
pub(in crate::engine) struct Events {
    clock: Clock,
    log: Mutex<Log>,
    records: RecordLog,
}

struct Log {
    kept: VecDeque<Arc<Event>>,
    /// Absent once the engine ends its streams.
    live: Option<broadcast::Sender<Arc<Event>>>,
}

impl Events {
    pub(in crate::engine) fn new(clock: Clock) -> Self {
        let log = Log { kept: VecDeque::new(), live: Some(broadcast::Sender::new(KEPT)) };
        Self { clock, log: Mutex::new(log), records: RecordLog::default() }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock()
    }

    /// How many listen.
    pub(in crate::engine) fn listeners(&self) -> usize {
        self.log().live.as_ref().map_or(0, broadcast::Sender::receiver_count)
    }

    /// Ends what subscribers listen to, and what later ones will once they have read the past.
    pub(in crate::engine) fn end(&self) {
        self.log().live = None;
        self.records.end();
    }

    /// What a commit will change of records; `None` where nobody listens to that.
    pub(super) fn changed_records(&self, state: &State, changes: &Changes) -> Option<ChangedRecords> {
        self.records.has_listeners().then(|| ChangedRecords::of(state, changes))
    }

    /// Tells of records that a commit has changed, on the state that it led to.
    pub(super) fn tell_records(&self, state: &State, changed: ChangedRecords) {
        self.records.tell(state, changed, self.clock.now());
    }

    /// Listens to changes of records from now on.
    pub(in crate::engine) fn subscribe_records(&self) -> RecordSubscription {
        self.records.subscribe()
    }

    /// Adds an event and tells everybody.
    pub(super) fn publish(&self, action: Action, id: String, attributes: StringMap) {
        let mut log = self.log();
        // The time is taken under the lock, so that events are kept in its order.
        let event = Arc::new(Event { action, id, attributes, at: self.clock.now() });
        if log.kept.len() == KEPT {
            log.kept.pop_front();
        }
        log.kept.push_back(event.clone());
        if let Some(live) = &log.live {
            // Nobody may be listening.
            let _ = live.send(event);
        }
    }

    pub(in crate::engine) fn subscribe(&self, query: EventQuery) -> Subscription {
        let log = self.log();
        let asks_for_past = query.since.is_some() || query.until.is_some();
        let past = log.kept.iter().filter(|event| asks_for_past && query.admits(event)).cloned().collect();
        let left = query.until.map(|until| until.duration_since(self.clock.now()));
        let is_over = left.is_some_and(|left| left.is_negative());
        Subscription {
            past,
            live: log.live.as_ref().filter(|_| !is_over).map(broadcast::Sender::subscribe),
            // A moment too far away to be counted is never.
            end: left.and_then(|left| Instant::now().checked_add(left.unsigned_abs())),
            query,
        }
    }
}

/// One listener.
pub(in crate::engine) struct Subscription {
    past: VecDeque<Arc<Event>>,
    live: Option<broadcast::Receiver<Arc<Event>>>,
    end: Option<Instant>,
    query: EventQuery,
}

impl Subscription {
    /// The next event; `None` at the end: the moment of the query, the end of the engine, or falling too far behind.
    pub(in crate::engine) async fn next(&mut self) -> Option<Arc<Event>> {
        if let Some(event) = self.past.pop_front() {
            return Some(event);
        }
        let end = self.end;
        let live = self.live.as_mut()?;
        loop {
            let received = match end {
                Some(end) => tokio::time::timeout_at(end, live.recv()).await.ok()?,
                None => live.recv().await,
            };
            match received {
                Ok(event) if self.query.admits(&event) => return Some(event),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::info!(missed, "a subscriber to events fell too far behind; disconnecting it");
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt, stream};

    use super::*;
    use crate::domain::Digest;

    fn event(number: usize) -> (Action, String, StringMap) {
        let attributes = [("name", format!("app:{number}").as_str()), ("a", "b")].into_iter().collect();
        (Action::Tag, Digest::of(number.to_string().as_bytes()).to_string(), attributes)
    }

    fn publish(events: &Events, number: usize) {
        let (action, id, attributes) = event(number);
        events.publish(action, id, attributes);
    }

    async fn names(subscription: &mut Subscription) -> Vec<String> {
        let mut names = Vec::new();
        let wait = std::time::Duration::from_millis(20);
        while let Ok(Some(event)) = tokio::time::timeout(wait, subscription.next()).await {
            names.push(event.attributes.get("name").unwrap().to_owned());
        }
        names
    }

    #[tokio::test]
    async fn the_last_events_are_kept_for_who_asks_for_the_past() {
        let events = Events::new(Clock::default());
        (0..300).for_each(|number| publish(&events, number));
        let since = Some(Timestamp::UNIX_EPOCH);
        let mut all = events.subscribe(EventQuery { since, ..EventQuery::default() });
        let mut coming = events.subscribe(EventQuery::default());
        publish(&events, 300);
        let told = names(&mut all).await;
        assert_eq!((told.len(), told[0].as_str(), told[KEPT].as_str()), (KEPT + 1, "app:44", "app:300"));
        assert_eq!(names(&mut coming).await, ["app:300"]);
    }

    #[tokio::test]
    async fn a_subscriber_that_falls_behind_is_cut_off_and_holds_nobody_up() {
        let events = Events::new(Clock::default());
        let (mut slow, mut quick) = (events.subscribe(EventQuery::default()), events.subscribe(EventQuery::default()));
        (0..KEPT).for_each(|number| publish(&events, number));
        assert_eq!(names(&mut quick).await.len(), KEPT);
        publish(&events, KEPT);
        assert_eq!(names(&mut quick).await.len(), 1);
        assert_eq!(slow.next().await, None);
    }

    #[tokio::test]
    async fn a_stream_ends_when_it_is_told_to() {
        let events = Events::new(Clock::default());
        let until = Some(Timestamp::now() + jiff::SignedDuration::from_millis(50));
        let mut timed = events.subscribe(EventQuery { until, ..EventQuery::default() });
        publish(&events, 1);
        assert!(timed.next().await.is_some());
        assert_eq!(timed.next().await, None);
        let over = Some(Timestamp::now() - jiff::SignedDuration::from_mins(1));
        assert_eq!(events.subscribe(EventQuery { until: over, ..EventQuery::default() }).next().await, None);
        let mut endless = events.subscribe(EventQuery::default());
        assert_eq!(endless.next().now_or_never(), None);
        events.log().live = None;
        assert_eq!(endless.next().await, None);
        let since = Some(Timestamp::UNIX_EPOCH);
        let past = events.subscribe(EventQuery { since, ..EventQuery::default() });
        let told = stream::unfold(past, |mut past| async move { Some((past.next().await?, past)) });
        assert_eq!(told.count().await, 1);
    }
}
