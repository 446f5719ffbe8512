//! Who decides, what becomes of a denial, and in which order changes are made and told.

mod admissions;
mod chain;
mod groups;
mod order;

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;
use crate::domain::event::{Action, Event};
use crate::domain::{Error, ImageName, Result, TagName};
use crate::engine::{Engine, LoadOptions, Settings, tests};
use crate::store::MemoryStore;

/// What an admission is asked, and what it answers.
type Answer = Box<dyn Fn(&Candidate) -> Result<Verdict> + Send + Sync>;

/// An admission that answers as the test says and notes what it is asked.
struct Asked {
    answer: Answer,
    needs_evidence: bool,
    asked: Mutex<Vec<Candidate>>,
}

impl Asked {
    fn answering(answer: impl Fn(&Candidate) -> Result<Verdict> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), needs_evidence: false, asked: Mutex::default() })
    }

    /// Denies whatever has a text in its name.
    fn denying(part: &'static str) -> Arc<Self> {
        Self::answering(move |candidate| match named(candidate).contains(part) {
            true => Ok(Verdict::Deny(Denial { rule: "names".to_owned(), reason: format!("{part} is not wanted") })),
            false => Ok(Verdict::NoRule),
        })
    }

    /// Lets everything in, and wants to know the evidence.
    fn looking_at_evidence() -> Arc<Self> {
        let answer = Box::new(|_: &Candidate| Ok(Verdict::NoRule));
        Arc::new(Self { answer, needs_evidence: true, asked: Mutex::default() })
    }

    /// The names that it was asked about, in order; digests of images without one.
    fn names(&self) -> Vec<String> {
        self.asked.lock().iter().map(named).collect()
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

fn named(candidate: &Candidate) -> String {
    candidate.name.shown()
}

/// Settings with these admissions.
fn settings(admissions: Vec<Arc<dyn Admission>>) -> Settings {
    Settings { admissions, ..Settings::new("/nowhere") }
}

/// An engine in memory with these admissions.
async fn engine(admissions: Vec<Arc<dyn Admission>>) -> Engine {
    Engine::with_stores(settings(admissions), MemoryStore::open()).await.unwrap()
}

async fn load(engine: &Engine, archive: Vec<u8>) -> Result<Vec<String>> {
    tests::load(engine, LoadOptions::default(), archive).await
}

async fn tag(engine: &Engine, image: &str, name: &str) -> Result<()> {
    engine.tag(&tests::called(image), &new_name(name)).await
}

fn new_name(name: &str) -> TagName {
    tests::new_name(name)
}

fn called(name: &str) -> ImageName {
    tests::called(name)
}

/// The digest that a name points at; empty where there is no such name.
fn target(engine: &Engine, name: &str) -> String {
    let state = engine.0.catalog.state();
    let record = state.name(&tests::new_name(name).reference().to_string());
    record.map(|record| record.target.digest.to_string()).unwrap_or_default()
}

/// Everything that is named, in order, with what it points at.
fn all_names(engine: &Engine) -> Vec<(String, String)> {
    let state = engine.0.catalog.state();
    state.names().map(|(name, record)| (name.to_string(), record.target.digest.to_string())).collect()
}

/// The events so far.
async fn told(engine: &Engine) -> Vec<Arc<Event>> {
    let until = Some(engine.now());
    let past = EventQuery { since: Some(jiff::Timestamp::UNIX_EPOCH), until, ..EventQuery::default() };
    engine.events(past).collect().await
}

/// The event that tells of a denial, which must be the only one.
async fn denial(engine: &Engine) -> Arc<Event> {
    let mut denials: Vec<_> = told(engine).await.into_iter().filter(|event| event.action == Action::Deny).collect();
    assert_eq!(denials.len(), 1, "{denials:?}");
    denials.remove(0)
}

/// A docker-archive of images with one small layer each; every image is given by its names and by a text that it holds.
fn docker_archive(images: &[(&[&str], &str)]) -> Vec<u8> {
    let (mut files, mut manifest) = (Vec::new(), Vec::new());
    for (names, content) in images {
        let (config, layer) = (format!("{content}/config.json"), format!("{content}/layer.tar"));
        manifest.push(json!({"Config": config, "RepoTags": names, "Layers": [layer]}));
        let labels = json!({"is": content});
        files.push((config, json!({"os": "linux", "architecture": "amd64", "config": {"Labels": labels}}).to_string()));
        files.push((layer, (*content).to_owned()));
    }
    files.push(("manifest.json".to_owned(), Value::from(manifest).to_string()));
    archive_of(&files)
}

/// A tar of files, given by path and text.
fn archive_of(files: &[(String, String)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}
