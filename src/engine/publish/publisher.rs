//! The publisher: what verbs ask for a change.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::admission::{Admission, Admitted};
use super::decision::{Decision, Publication, View};
use super::event_log::Events;
use super::report::{self, Report};
use super::shared::Shared;
use super::writer::{WeakWriter, Writer};
use super::{follow, names};
use crate::domain::{Digest, Error, Kind, NameKey, Result, StringMap};
use crate::engine::catalog::{Catalog, State};
use crate::engine::clock::Clock;
use crate::engine::gc::parents::ParentIndex;
use crate::engine::leases::Leases;
use crate::store::Stores;

/// How often admissions are asked about one change because what they decide by has changed.
const MAX_ADMISSIONS: usize = 8;

/// The one way to change what is kept. Clones are handles to the same one.
#[derive(Clone)]
pub(in crate::engine) struct Publisher {
    pub(super) shared: Arc<Shared>,
    writer: Writer,
}

/// A publisher that ends when nobody else holds it.
pub(in crate::engine) struct WeakPublisher {
    shared: Weak<Shared>,
    writer: WeakWriter,
    alive: watch::Receiver<()>,
}

impl WeakPublisher {
    /// The publisher, if somebody holds it.
    pub(in crate::engine) fn upgrade(&self) -> Option<Publisher> {
        Some(Publisher { shared: self.shared.upgrade()?, writer: self.writer.upgrade()? })
    }

    /// Waits until nobody holds the publisher any more.
    pub(in crate::engine) async fn gone(&mut self) {
        // Nothing is ever sent.
        let _ = self.alive.changed().await;
    }
}

impl Publisher {
    /// Starts the writer. Must be called on a runtime.
    pub(in crate::engine) fn start(
        stores: Stores,
        catalog: Arc<Catalog>,
        leases: Leases,
        events: Arc<Events>,
        admissions: Vec<Arc<dyn Admission>>,
        clock: Clock,
    ) -> Result<Self> {
        let (parents, runtime) = (ParentIndex::default(), tokio::runtime::Handle::current());
        let shared = Arc::new(Shared {
            stores,
            catalog,
            parents,
            leases,
            events,
            admissions,
            clock,
            denied: AtomicU64::new(0),
            alive: watch::Sender::default(),
            runtime,
        });
        let writer = Writer::start(&shared)?;
        follow::start(&shared, &writer);
        Ok(Self { shared, writer })
    }

    /// Sets the names of what was admitted, with everything that comes along, in one step. What the names pointed at before
    /// is kept under its digest where it has no other name.
    ///
    /// # Errors
    /// `Unavailable` where content that the image needs was removed meanwhile.
    pub(in crate::engine) async fn publish(&self, admitted: Admitted, publication: Publication) -> Result<()> {
        self.publish_if(admitted, publication, |_| Ok(true)).await.map(drop)
    }

    /// The same if a condition holds for the state that the commit is made on; whether it did. Where what admissions decide by
    /// has changed since they were asked, they are asked again, so that no name is set by rules that are not in force any
    /// more.
    ///
    /// # Errors
    /// Those of [`Publisher::admit`] too.
    pub(in crate::engine) async fn publish_if(
        &self,
        mut admitted: Admitted,
        publication: Publication,
        condition: impl FnMut(&State) -> Result<bool> + Send + 'static,
    ) -> Result<bool> {
        let (publication, condition) = (Arc::new(publication), Arc::new(Mutex::new(condition)));
        for _ in 0..MAX_ADMISSIONS {
            let (candidates, evidence) = (admitted.candidates(), admitted.evidence());
            match self.try_publish(admitted, publication.clone(), condition.clone()).await? {
                Some(done) => return Ok(done),
                None => {
                    admitted = self.admit(candidates).await?;
                    if let Some(evidence) = evidence {
                        admitted = admitted.with_evidence(evidence);
                    }
                }
            }
        }
        Err(Error::new(Kind::Unavailable, "the rules of admission change all the time: try again"))
    }

    /// Publishes what was admitted; `None` where it was admitted by what has changed since.
    async fn try_publish(
        &self,
        admitted: Admitted,
        publication: Arc<Publication>,
        condition: Arc<Mutex<impl FnMut(&State) -> Result<bool> + Send + 'static>>,
    ) -> Result<Option<bool>> {
        let publisher = Arc::downgrade(&self.shared);
        let decide = move |view: &View<'_>| {
            let is_in_force = publisher.upgrade().is_some_and(|shared| admitted.is_of_revisions(&shared.revisions()));
            if !is_in_force {
                return Ok((Decision::nothing(Report::Nothing), None));
            }
            if !condition.lock()(view.state)? {
                return Ok((Decision::nothing(Report::Nothing), Some(false)));
            }
            if let Some(lost) = publication.needs.iter().find(|digest| view.state.blob(digest).is_none()) {
                let text = format!("content {lost} was removed in the meantime: try again");
                return Err(Error::new(Kind::Unavailable, text));
            }
            Ok((names::decide(view, &admitted, &publication), Some(true)))
        };
        self.writer.ask(decide).await
    }

    /// Changes what stands beside a name: the labels that `edit` gives for the state that the commit is made on, and the time
    /// of the change, which is now where absent. False, and nothing changes, where it gives none.
    pub(in crate::engine) async fn note(
        &self,
        name: NameKey,
        at: Option<i64>,
        mut edit: impl FnMut(&State) -> Result<Option<StringMap>> + Send + 'static,
    ) -> Result<bool> {
        let decide = move |view: &View<'_>| match edit(view.state)? {
            Some(labels) => Ok((names::note(view, &name, labels, at), true)),
            None => Ok((Decision::nothing(Report::Nothing), false)),
        };
        self.writer.ask(decide).await
    }

    /// Tells of a name that points at an image already, in its turn; false, and nothing is told, where it does not any more.
    pub(in crate::engine) async fn confirm(&self, name: NameKey, target: Digest, report: Report) -> Result<bool> {
        let decide = move |view: &View<'_>| {
            let points_there = view.state.name(name.as_str()).is_some_and(|record| record.target.digest == target);
            let report = if points_there { report.clone() } else { Report::Nothing };
            let depends_on = vec![name.to_string(), target.to_string()];
            Ok((Decision { depends_on, ..Decision::nothing(report) }, points_there))
        };
        self.writer.ask(decide).await
    }

    /// Makes a change that sets no name, decided on the state that the commit is made on. The decision is made again where
    /// another engine has changed something meanwhile.
    pub(in crate::engine) async fn change<T: Send + 'static>(
        &self,
        decide: impl FnMut(&View<'_>) -> Result<(Decision, T)> + Send + 'static,
    ) -> Result<T> {
        self.writer.ask(decide).await
    }

    /// The same for a change that depends on everything, such as a collection: nothing is committed together with it.
    pub(in crate::engine) async fn change_alone<T: Send + 'static>(
        &self,
        decide: impl FnMut(&View<'_>) -> Result<(Decision, T)> + Send + 'static,
    ) -> Result<T> {
        self.writer.ask_alone(decide).await
    }

    /// Tells of something that changed nothing.
    pub(in crate::engine) fn report(&self, report: Report) {
        report::tell(&self.shared.events, &self.shared.catalog.state(), &report);
    }

    pub(in crate::engine) fn downgrade(&self) -> WeakPublisher {
        WeakPublisher {
            shared: Arc::downgrade(&self.shared),
            writer: self.writer.downgrade(),
            alive: self.shared.alive.subscribe(),
        }
    }

    /// The leases of this engine's operations.
    pub(in crate::engine) fn leases(&self) -> &Leases {
        &self.shared.leases
    }

    /// Now, in nanoseconds since the Unix epoch.
    pub(in crate::engine) fn now(&self) -> i64 {
        self.shared.clock.record_time()
    }

    /// The stores that are changed.
    pub(in crate::engine) fn stores(&self) -> &Stores {
        &self.shared.stores
    }
}
