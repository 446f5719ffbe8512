//! Who decides what may get a name: an admission of the test's own, on the ways in that need a registry, and what Docker's
//! clients are told.

mod answers;
mod pull;
mod rules;
mod signed;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use loadline::domain::event::{Action, Event};
use loadline::domain::{Result, TagName};
use loadline::engine::{Admission, Candidate, Denial, Engine, EventQuery, LoadEvent, LoadOptions, Settings, Verdict};
use loadline::store::{MemoryStore, Stores};
use parking_lot::Mutex;

type Answer = Box<dyn Fn(&Candidate) -> Result<Verdict> + Send + Sync>;

/// An admission that answers as the test says and notes what it is asked.
struct Asked {
    needs_evidence: bool,
    answer: Answer,
    asked: Mutex<Vec<Candidate>>,
}

impl Asked {
    fn new(needs_evidence: bool, answer: impl Fn(&Candidate) -> Result<Verdict> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { needs_evidence, answer: Box::new(answer), asked: Mutex::default() })
    }

    /// What it was asked, oldest first.
    fn candidates(&self) -> Vec<Candidate> {
        self.asked.lock().clone()
    }
}

impl Admission for Asked {
    fn needs_evidence(&self) -> bool {
        self.needs_evidence
    }

    fn decide<'a>(&'a self, candidate: &'a Candidate) -> BoxFuture<'a, Result<Verdict>> {
        self.asked.lock().push(candidate.clone());
        Box::pin(async { (self.answer)(candidate) })
    }
}

/// Denies what has `denied` in its name.
fn by_name(candidate: &Candidate) -> Result<Verdict> {
    match candidate.name.shown().contains("denied") {
        true => Ok(Verdict::Deny(Denial { rule: "names".to_owned(), reason: "nobody wants it".to_owned() })),
        false => Ok(Verdict::NoRule),
    }
}

/// What a client is told of a denial by [`by_name`].
fn refusal(name: &str) -> String {
    format!("image {name} is denied by rule names: nobody wants it")
}

/// An engine in memory with one admission, and its stores.
async fn engine(admission: Arc<dyn Admission>) -> (Engine, Stores) {
    let settings = Settings { admissions: vec![admission], ..Settings::new("/nowhere") };
    let stores = MemoryStore::open();
    (Engine::with_stores(settings, stores.clone()).await.unwrap(), stores)
}

/// Loads an archive that must load.
async fn load(engine: &Engine, archive: Vec<u8>) {
    let mut events = engine.load(LoadOptions::default(), futures_util::stream::iter([Ok(archive.into())]));
    while let Some(event) = events.recv().await {
        assert!(matches!(event, LoadEvent::Named(_)), "{event:?}");
    }
}

fn new_name(text: &str) -> TagName {
    TagName::new(text.parse().unwrap()).unwrap()
}

/// The digest that a name points at; `None` where there is no such name.
async fn target(engine: &Engine, name: &str) -> Option<String> {
    let name = loadline::domain::ImageName::parse(name).unwrap();
    engine.inspect(&name, None).await.ok().map(|detail| detail.target.digest.to_string())
}

/// The events so far.
async fn told(engine: &Engine) -> Vec<Arc<Event>> {
    let until = Some(engine.now());
    let past = EventQuery { since: Some(jiff::Timestamp::UNIX_EPOCH), until, ..EventQuery::default() };
    engine.events(past).collect().await
}

/// Checks that the stream of events tells of one denial by [`by_name`].
async fn tells_of_one_denial(engine: &Engine, id: &str, name: &str) {
    let denials: Vec<_> = told(engine).await.into_iter().filter(|event| event.action == Action::Deny).collect();
    let [event] = denials.as_slice() else { panic!("{denials:?}") };
    let attributes = ["name", "rule", "reason"].map(|key| event.attributes.get(key).unwrap_or_default().to_owned());
    assert_eq!((event.id.as_str(), attributes), (id, [name, "names", "nobody wants it"].map(str::to_owned)));
}

/// Waits until a condition holds that other tasks bring about.
async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the engine holds so many blobs, nothing that is being written, and no lease.
async fn comes_to_hold(engine: &Engine, stores: &Stores, blobs: usize) {
    eventually("something was left behind", || async {
        let leases = stores.leases.list().await.unwrap();
        let is_held = leases.iter().any(|lease| !lease.content.is_empty());
        engine.blobs().len() == blobs && engine.ingests().is_empty() && !is_held
    })
    .await;
}
