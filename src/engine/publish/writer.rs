//! The writer: a thread of its own through which every change goes, one after the other.
//!
//! Whoever wants a change hands in how to decide on it. The writer takes what waits, has each decided on the newest state,
//! and commits together what does not depend on one another. When the commit is durable, the catalog follows, and events
//! are told in the order of commits. Nothing is synced here but the database: blobs are durable before.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::decision::{Decision, View};
use super::report::{self, Report};
use super::shared::Shared;
use crate::domain::{Digest, Error, Kind, Result};
use crate::store::blocking::wait;
use crate::store::{Changes, Commit, CommitOutcome, OperationId, Revision};

/// How many changes one commit may hold. More would have the first of them wait for long.
const MAX_GROUP: usize = 64;

/// How often a change is decided on again because another engine was faster.
const MAX_CONFLICTS: u32 = 32;

/// How often a commit is asked about whose answer was lost.
const MAX_LOST: u32 = 5;

/// The wait before a repetition; it grows with their number.
const BACKOFF: Duration = Duration::from_millis(5);

/// What is handed to the writer.
#[derive(Clone)]
pub(super) struct Writer(Arc<Sender<Box<dyn Job>>>);

/// A writer that ends when nobody else holds it.
pub(super) struct WeakWriter(Weak<Sender<Box<dyn Job>>>);

impl WeakWriter {
    /// The writer, if somebody holds it.
    pub(super) fn upgrade(&self) -> Option<Writer> {
        self.0.upgrade().map(Writer)
    }
}

/// A change that somebody waits for.
trait Job: Send {
    /// Whether nothing else may be in its commit.
    fn is_alone(&self) -> bool;

    /// Decides on the change. Called again where the state has changed before the commit.
    fn decide(&mut self, view: &View<'_>) -> Result<Decision>;

    /// Answers whoever waits: the change is made, or it is not.
    fn finish(self: Box<Self>, result: Result<()>);
}

struct Pending<F, T> {
    decide: F,
    is_alone: bool,
    output: Option<T>,
    reply: oneshot::Sender<Result<T>>,
}

impl<F, T> Job for Pending<F, T>
where
    F: FnMut(&View<'_>) -> Result<(Decision, T)> + Send,
    T: Send,
{
    fn is_alone(&self) -> bool {
        self.is_alone
    }

    fn decide(&mut self, view: &View<'_>) -> Result<Decision> {
        let (decision, output) = (self.decide)(view)?;
        self.output = Some(output);
        Ok(decision)
    }

    fn finish(self: Box<Self>, result: Result<()>) {
        let output = self.output.ok_or_else(|| Error::internal("the change was not made", "nothing was decided"));
        // Nobody may be waiting any more; what was committed stays.
        let _ = self.reply.send(result.and(output));
    }
}

impl Writer {
    /// Starts the thread. It ends when the last handle to it is gone.
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self> {
        let (sender, jobs) = channel();
        let (runtime, shared) = (shared.runtime.clone(), Arc::downgrade(shared));
        let work = move || {
            // Stores may need the runtime that the engine runs on.
            let _entered = runtime.enter();
            let mut next = None;
            while let Some(first) = next.take().or_else(|| jobs.recv().ok()) {
                // Between changes, the thread keeps nothing alive.
                let Some(shared) = shared.upgrade() else { return };
                next = Turn { shared, jobs: &jobs }.run(first);
            }
        };
        let started = std::thread::Builder::new().name("writer".to_owned()).spawn(work);
        started.map_err(|e| Error::io("starting a thread", e))?;
        Ok(Self(Arc::new(sender)))
    }

    pub(super) fn downgrade(&self) -> WeakWriter {
        WeakWriter(Arc::downgrade(&self.0))
    }

    /// Has a change made that others may share a commit with.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        decide: impl FnMut(&View<'_>) -> Result<(Decision, T)> + Send + 'static,
    ) -> Result<T> {
        self.hand_in(decide, false).await
    }

    /// Has a change made that depends on everything.
    pub(super) async fn ask_alone<T: Send + 'static>(
        &self,
        decide: impl FnMut(&View<'_>) -> Result<(Decision, T)> + Send + 'static,
    ) -> Result<T> {
        self.hand_in(decide, true).await
    }

    async fn hand_in<T: Send + 'static>(
        &self,
        decide: impl FnMut(&View<'_>) -> Result<(Decision, T)> + Send + 'static,
        is_alone: bool,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let job = Pending { decide, is_alone, output: None, reply };
        let stopped = |_| Error::internal("the change was not made", "the writer has stopped");
        self.0.send(Box::new(job)).map_err(|e| stopped(e.to_string()))?;
        answer.await.map_err(|e| stopped(e.to_string()))?
    }
}

/// One commit, and who may come along.
struct Turn<'a> {
    shared: Arc<Shared>,
    jobs: &'a Receiver<Box<dyn Job>>,
}

/// Changes that are committed together.
#[derive(Default)]
struct Group {
    jobs: Vec<Box<dyn Job>>,
    changes: Changes,
    reports: Vec<Report>,
    /// Blobs to remove that no record knows.
    unrecorded: Vec<Digest>,
    touched: HashSet<String>,
    is_alone: bool,
}

/// What became of an attempt to commit.
enum Attempt {
    Done,
    /// The state was not the newest, or what was to be removed is needed.
    Conflict,
}

impl Turn<'_> {
    /// Makes a change, together with those that wait and do not depend on it; returns one that has to wait for the next turn.
    fn run(self, first: Box<dyn Job>) -> Option<Box<dyn Job>> {
        let mut group = Group::default();
        let mut next = None;
        self.add(&mut group, first);
        while !group.is_alone && group.jobs.len() < MAX_GROUP {
            let Ok(job) = self.jobs.try_recv() else { break };
            next = self.add(&mut group, job);
            if next.is_some() {
                break;
            }
        }
        self.commit_all(group);
        next
    }

    /// Decides on a change and adds it to a group. One that depends on what the group changes, or is to be alone, is given
    /// back.
    fn add(&self, group: &mut Group, mut job: Box<dyn Job>) -> Option<Box<dyn Job>> {
        if job.is_alone() && !group.jobs.is_empty() {
            return Some(job);
        }
        let held_elsewhere = match job.is_alone() && self.shared.stores.leases.is_shared() {
            true => wait(self.see_others()),
            false => Ok(HashSet::new()),
        };
        let decided = held_elsewhere.and_then(|held_elsewhere| {
            let state = self.shared.catalog.state();
            let Shared { parents, leases, clock, .. } = self.shared.as_ref();
            let view =
                View { state: &state, parents, leases, held_elsewhere: &held_elsewhere, now: clock.record_time() };
            // A decision that panics takes nobody else down.
            let decide = std::panic::AssertUnwindSafe(|| job.decide(&view));
            let decision = std::panic::catch_unwind(decide)
                .unwrap_or_else(|_| Err(Error::internal("the change was not made", "a panic, which was logged")))?;
            let touched = decision.touches(&state);
            Ok((decision, touched))
        });
        let (decision, touched) = match decided {
            Ok(decided) => decided,
            Err(error) => {
                self.shared.leases.pardon();
                job.finish(Err(error));
                return None;
            }
        };
        if touched.iter().any(|key| group.touched.contains(key)) {
            return Some(job);
        }
        group.is_alone = job.is_alone();
        group.touched.extend(touched);
        group.changes.extend(decision.changes);
        group.unrecorded.extend(decision.unrecorded);
        group.reports.push(decision.report);
        group.jobs.push(job);
        None
    }

    /// Follows other engines; what they hold.
    async fn see_others(&self) -> Result<HashSet<Digest>> {
        let held = self.shared.leases.held_elsewhere().await?;
        self.shared.catch_up().await?;
        Ok(held)
    }

    /// Commits a group, or where that fails each of its changes alone, so that one does not fail for another's sake.
    fn commit_all(&self, group: Group) {
        let mut waiting = vec![group];
        let mut conflicts = 0;
        while let Some(mut group) = waiting.pop() {
            let result = self.commit(&mut group);
            self.shared.leases.pardon();
            let jobs = std::mem::take(&mut group.jobs);
            match result {
                Ok(Attempt::Done) => jobs.into_iter().for_each(|job| job.finish(Ok(()))),
                Ok(Attempt::Conflict) if conflicts < MAX_CONFLICTS => {
                    conflicts += 1;
                    if conflicts > 1 {
                        std::thread::sleep(jitter(conflicts));
                    }
                    self.decide_again(jobs, &mut waiting);
                }
                Ok(Attempt::Conflict) => {
                    let text = "too many others change the same: try again";
                    jobs.into_iter().for_each(|job| job.finish(Err(Error::new(Kind::Unavailable, text))));
                }
                Err(_) if jobs.len() > 1 => self.decide_again(jobs, &mut waiting),
                Err(error) => {
                    let mut error = Some(error);
                    for job in jobs {
                        let again = || Error::internal("the change was not made", "its commit failed");
                        job.finish(Err(error.take().unwrap_or_else(again)));
                    }
                }
            }
        }
    }

    /// Puts each change into a group of its own, in order. They are decided on when it is their turn.
    fn decide_again(&self, jobs: Vec<Box<dyn Job>>, waiting: &mut Vec<Group>) {
        for job in jobs.into_iter().rev() {
            waiting.push(Group { jobs: vec![job], is_alone: true, ..Group::default() });
        }
    }

    fn commit(&self, group: &mut Group) -> Result<Attempt> {
        if group.reports.is_empty()
            && let Some(job) = group.jobs.pop()
        {
            // Its turn has come again.
            let mut fresh = Group::default();
            self.add(&mut fresh, job);
            *group = fresh;
        }
        let Shared { stores, catalog, parents, events, .. } = self.shared.as_ref();
        if group.jobs.is_empty() {
            return Ok(Attempt::Done);
        }
        let removed: Vec<Digest> = group.changes.removed.iter().chain(&group.unrecorded).cloned().collect();
        if !removed.is_empty() && wait(self.announce(&removed))? {
            return Ok(Attempt::Conflict);
        }
        if !group.changes.is_empty() {
            let expected = catalog.state().revision;
            let changes = Arc::new(std::mem::take(&mut group.changes));
            let revision = match self.ask_store(expected, &changes) {
                Ok(CommitOutcome::Committed(revision)) => revision,
                Ok(CommitOutcome::Conflict(_)) => {
                    wait(stores.blobs.pardon(&removed));
                    wait(self.shared.catch_up())?;
                    return Ok(Attempt::Conflict);
                }
                Err(error) => {
                    wait(stores.blobs.pardon(&removed));
                    return Err(error);
                }
            };
            let step = parents.step(&catalog.state(), &changes);
            let changed = events.changed_records(&catalog.state(), &changes);
            catalog.apply(Arc::unwrap_or_clone(changes), revision);
            parents.follow(step);
            if let Some(changed) = changed {
                events.tell_records(&catalog.state(), changed);
            }
        }
        let state = catalog.state();
        group.reports.iter().for_each(|report| report::tell(events, &state, report));
        Ok(Attempt::Done)
    }

    /// Announces that blobs will go; whether one of them is needed by now, and then none goes. Whoever places one of them has
    /// taken hold of it before, so either it is seen here, or the placing comes after the announcement.
    async fn announce(&self, removed: &[Digest]) -> Result<bool> {
        let Shared { stores, leases, .. } = self.shared.as_ref();
        stores.blobs.condemn(removed).await?;
        let needed = leases
            .held_elsewhere()
            .await
            .map(|held_elsewhere| removed.iter().any(|digest| leases.holds(digest) || held_elsewhere.contains(digest)));
        if !matches!(needed, Ok(false)) {
            stores.blobs.pardon(removed).await;
        }
        needed
    }

    /// Commits, and asks again where the answer was lost: the operation's id tells whether it was made.
    fn ask_store(&self, expected: Revision, changes: &Arc<Changes>) -> Result<CommitOutcome> {
        let id = OperationId::random();
        let mut lost = 0;
        loop {
            let commit = Commit { id, expected, changes: changes.clone() };
            match wait(self.shared.stores.metadata.commit(commit)) {
                Err(error) if error.kind() == Kind::Unavailable && lost < MAX_LOST => {
                    lost += 1;
                    tracing::info!(error = error.chain(), "the answer to a commit was lost; asking again");
                    std::thread::sleep(jitter(lost));
                }
                result => return result,
            }
        }
    }
}

/// A wait of random length, so that those who were in each other's way are not again.
fn jitter(tries: u32) -> Duration {
    let most = BACKOFF.as_micros() as u64 * u64::from(tries.min(10));
    Duration::from_micros(u64::from(uuid::Uuid::new_v4().as_fields().0) % most.max(1))
}
