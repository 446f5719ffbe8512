//! A metadata store behind a channel: answers are late or lost, and news of revisions comes out of order.
//!
//! It is made of public parts alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use loadline::domain::{Error, Kind, Result};
use loadline::store::{Commit, CommitOutcome, MetadataStore, OperationId, Records, Revision};
use tokio::sync::{mpsc, oneshot, watch};

use super::Random;

/// How often in a row one operation is lost. Networks recover before anybody gives up.
const MAX_LOST: u32 = 3;

/// The near end.
pub struct Remote {
    identity: String,
    requests: mpsc::UnboundedSender<Request>,
    newest: watch::Receiver<Revision>,
}

enum Request {
    Read(Option<Revision>, oneshot::Sender<Result<Records>>),
    Commit(Commit, oneshot::Sender<Result<CommitOutcome>>),
}

/// What becomes of a request on its way.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Arrives,
    IsLost,
    AnswerIsLost,
}

impl Remote {
    /// Puts a network before a store. Must be called on a runtime, which it lives on.
    pub fn start(store: Arc<dyn MetadataStore>, seed: u64) -> Arc<Self> {
        let (requests, arriving) = mpsc::unbounded_channel();
        let (told, newest) = watch::channel(*store.watch().borrow());
        tokio::spawn(serve(store.clone(), arriving, Random(seed * 2 + 1)));
        tokio::spawn(tell(store.watch(), told, Random(seed * 2 + 1)));
        Arc::new(Self { identity: store.identity().to_owned(), requests, newest })
    }

    async fn ask<T>(&self, request: Request, answer: oneshot::Receiver<Result<T>>) -> Result<T> {
        let gone = |_| lost();
        self.requests.send(request).map_err(|_| lost())?;
        answer.await.map_err(gone)?
    }
}

impl MetadataStore for Remote {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn read(&self, since: Option<Revision>) -> BoxFuture<'_, Result<Records>> {
        let (reply, answer) = oneshot::channel();
        Box::pin(self.ask(Request::Read(since, reply), answer))
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<CommitOutcome>> {
        let (reply, answer) = oneshot::channel();
        Box::pin(self.ask(Request::Commit(commit, reply), answer))
    }

    fn watch(&self) -> watch::Receiver<Revision> {
        self.newest.clone()
    }
}

fn lost() -> Error {
    Error::new(Kind::Unavailable, "the network lost it")
}

async fn delay(microseconds: u64) {
    tokio::time::sleep(Duration::from_micros(microseconds)).await;
}

/// The far end. Requests overtake one another.
async fn serve(store: Arc<dyn MetadataStore>, mut requests: mpsc::UnboundedReceiver<Request>, mut random: Random) {
    let mut losses: HashMap<OperationId, u32> = HashMap::new();
    while let Some(request) = requests.recv().await {
        let (there, back) = (random.below(400), random.below(400));
        let mut fate = match random.below(16) {
            0 => Fate::IsLost,
            1 => Fate::AnswerIsLost,
            _ => Fate::Arrives,
        };
        if let Request::Commit(commit, _) = &request
            && fate != Fate::Arrives
        {
            let lost = losses.entry(commit.id).or_default();
            *lost += 1;
            if *lost > MAX_LOST {
                fate = Fate::Arrives;
            }
        }
        let store = store.clone();
        tokio::spawn(async move {
            delay(there).await;
            match request {
                Request::Read(since, reply) => {
                    let records = store.read(since).await;
                    delay(back).await;
                    // Reading again is no harm, so it is only ever late.
                    let _ = reply.send(records);
                }
                Request::Commit(_, reply) if fate == Fate::IsLost => drop(reply.send(Err(lost()))),
                Request::Commit(commit, reply) => {
                    let outcome = store.commit(commit).await;
                    delay(back).await;
                    let _ = reply.send(if fate == Fate::AnswerIsLost { Err(lost()) } else { outcome });
                }
            }
        });
    }
}

/// News of revisions, each of which takes its own time. What is overtaken is of no use any more.
async fn tell(mut revisions: watch::Receiver<Revision>, told: watch::Sender<Revision>, mut random: Random) {
    let told = Arc::new(told);
    loop {
        let (revision, told, late) = (*revisions.borrow_and_update(), told.clone(), random.below(5000));
        tokio::spawn(async move {
            delay(late).await;
            told.send_if_modified(|known| {
                let is_newer = revision > *known;
                *known = revision.max(*known);
                is_newer
            });
        });
        if revisions.changed().await.is_err() {
            return;
        }
    }
}
