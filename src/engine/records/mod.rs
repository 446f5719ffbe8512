//! Records of names, as containerd's clients manage them: one name and what it points at, with labels.
//!
//! Docker's verbs set and take names as well. What is set here goes the same way: a rule of admission decides on it, and
//! nothing points at content that is not here.

mod change;
mod target;

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

pub use self::change::{NewRecord, RecordEdit, RecordUpdate};
use self::target::Target;
use super::catalog::{ImageRecord, State};
use super::core::Engine;
use super::gc::collect::{Sweep, sweep};
use super::operation::{Operation, listed};
use super::publish::{Admitted, Candidate, Content, Facts, Origin, Publication, RecordTerms, Report};
use super::remove::sweep_of;
use crate::domain::{Descriptor, Digest, Error, Kind, NameKey, NameKind, Result};

/// How often a change follows a record that moves while it is decided on.
const ATTEMPTS: usize = 8;

impl Engine {
    /// The record of a name, which is given as it is stored: see [`NameKey`]. Works in memory only.
    ///
    /// # Errors
    /// `NotFound` where there is no such record.
    pub fn record(&self, name: &str) -> Result<ImageRecord> {
        self.0.catalog.state().record(name).ok_or_else(|| not_found(&NameKey::from_record(name)))
    }

    /// Every record at this moment, in the byte order of names. An image without a name has one under its digest. Works in
    /// memory only, and what it gives is shared until the next change.
    pub fn records(&self) -> Arc<[ImageRecord]> {
        self.0.catalog.records()
    }

    /// Gives an image a name that is not in use.
    ///
    /// # Errors
    /// `AlreadyExists` where the name is in use; `NotFound` where the content that it is to point at is not here;
    /// `InvalidArgument` where that content is no image, is not of the size or kind that the descriptor says, where labels
    /// and annotations are too long, and where the name is a digest, unless it is the image's own and the image has no other
    /// name; `Denied` where the image may not get the name.
    pub async fn create_record(&self, new: NewRecord) -> Result<ImageRecord> {
        let operation = Operation::start();
        let NewRecord { name, target, labels, at } = new.checked()?;
        let free = {
            let name = name.clone();
            move |state: &State| match state.record(name.as_str()) {
                Some(_) => Err(Error::new(Kind::AlreadyExists, format!("image \"{}\": already exists", name.shown()))),
                None => Ok(()),
            }
        };
        free(&self.0.catalog.state())?;
        check_key(&self.0.catalog.state(), &name, &target.digest)?;
        let (admitted, found) = self.admit_record(&name, target.clone()).await?;
        let condition = {
            let (name, digest) = (name.clone(), target.digest.clone());
            move |state: &State| {
                free(state)?;
                check_key(state, &name, &digest).map(|()| true)
            }
        };
        let publication = Publication {
            report: Report::Named { image: target.digest.clone(), name: name.clone() },
            record: terms(labels, at)?,
            ..publication(found)
        };
        self.0.publisher.publish_if(admitted, publication, condition).await?;
        operation.done("named", name.shown(), &target.digest);
        self.made(&name)
    }

    /// Changes the record of a name. What it pointed at before stays under its digest, where it has no other name.
    ///
    /// # Errors
    /// `NotFound` where there is no such record; and those of [`Engine::create_record`].
    pub async fn update_record(&self, name: &NameKey, update: RecordUpdate) -> Result<ImageRecord> {
        let operation = Operation::start();
        for _ in 0..ATTEMPTS {
            let old = self.record(name.as_str())?;
            let (target, labels) = update.apply(old.stored())?;
            let is_done = match target == *old.target() {
                true => self.note(name, &update).await?,
                false => self.point(&old, target.clone(), terms(labels, update.at)?).await?,
            };
            if is_done {
                operation.done("updated the record of", name.shown(), &target.digest);
                return self.made(name);
            }
        }
        Err(Error::new(Kind::Unavailable, format!("image \"{}\" is being moved by others: try again", name.shown())))
    }

    /// Removes the record of a name, and the image with its last one, with all content that nothing else uses.
    ///
    /// # Errors
    /// `NotFound` where there is no such record, or it does not point at the digest that is expected.
    pub async fn delete_record(&self, name: &NameKey, expected: Option<&Digest>) -> Result<()> {
        let operation = Operation::start();
        let (key, expected) = (name.clone(), expected.cloned());
        let choose = move |state: &State| {
            let record = state.record(key.as_str()).ok_or_else(|| not_found(&key))?;
            let target = record.target().digest.clone();
            if let Some(expected) = expected.as_ref().filter(|expected| **expected != target) {
                let text = format!("image \"{}\" has target {target}, not {expected}: not found", key.shown());
                return Err(Error::not_found(text));
            }
            let is_gone = state.names_of(&target).len() == 1;
            let sweep = match is_gone {
                true => sweep_of(state, [target.clone()].into()),
                false => Sweep { names: vec![key.clone()], candidates: Some(HashSet::new()), ..Sweep::default() },
            };
            let names: Vec<String> =
                Some(&key).filter(|key| !key.is_unnamed()).map(NameKey::shown).into_iter().collect();
            Ok((sweep, Report::Remove { image: target.clone(), names, is_gone }, (target, is_gone)))
        };
        let (_, (target, is_gone)) = sweep(&self.0.publisher, choose).await?;
        operation.done(if is_gone { "removed" } else { "untagged" }, listed([name.shown()]), &target);
        Ok(())
    }

    /// A record that was set a moment ago.
    fn made(&self, name: &NameKey) -> Result<ImageRecord> {
        let gone =
            || Error::new(Kind::Unavailable, format!("image \"{}\" was set and removed by others", name.shown()));
        self.0.catalog.state().record(name.as_str()).ok_or_else(gone)
    }

    /// Changes what stands beside a name; false where the change turns out to be of what it points at.
    async fn note(&self, name: &NameKey, update: &RecordUpdate) -> Result<bool> {
        let (key, update) = (name.clone(), update.clone());
        let at = update.at.map(record_time).transpose()?;
        let edit = move |state: &State| {
            let old = state.record(key.as_str()).ok_or_else(|| not_found(&key))?;
            let (target, labels) = update.apply(old.stored())?;
            Ok((target == *old.target()).then_some(labels))
        };
        self.0.publisher.note(name.clone(), at, edit).await
    }

    /// Has a name point elsewhere; false where its record is not the old one any more.
    async fn point(&self, old: &ImageRecord, target: Descriptor, record: RecordTerms) -> Result<bool> {
        let (name, digest) = (old.name().clone(), target.digest.clone());
        check_key(&self.0.catalog.state(), &name, &digest)?;
        let moves = digest != old.target().digest;
        let (admitted, found) = self.admit_record(&name, target).await?;
        let report = match moves {
            true => Report::Named { image: digest, name },
            false => Report::Nothing,
        };
        let old = old.clone();
        let is_same = move |state: &State| Ok(state.record(old.name().as_str()).as_ref() == Some(&old));
        self.0.publisher.publish_if(admitted, Publication { report, record, ..publication(found) }, is_same).await
    }

    /// Has it decided on whether a name may point at content that is here.
    async fn admit_record(&self, name: &NameKey, target: Descriptor) -> Result<(Admitted, Target)> {
        let (found, target) = self.blocking(move |inner| Ok((inner.find_target(&target)?, target))).await?;
        let documents: Arc<[_]> = found.documents.clone().into();
        let evidence = {
            let state = self.0.catalog.state();
            self.0.publisher.known_evidence(&state, &documents).about(&target.digest)
        };
        let candidate = Candidate {
            name: name.clone(),
            target,
            documents,
            evidence,
            facts: Facts::default(),
            origin: Origin::Local,
        };
        Ok((self.0.publisher.admit(vec![candidate]).await?, found))
    }
}

/// What comes along with a name, as far as the target decides it.
fn publication(target: Target) -> Publication {
    let Target { documents, configs, needs, lease } = target;
    // From here on the commit looks whether what is needed is here.
    drop(lease);
    Publication {
        content: Content { documents, configs, ..Content::default() },
        pulled_from: None,
        needs,
        report: Report::Nothing,
        record: RecordTerms::default(),
    }
}

fn terms(labels: crate::domain::StringMap, at: Option<Timestamp>) -> Result<RecordTerms> {
    Ok(RecordTerms { labels: Some(labels), at: at.map(record_time).transpose()? })
}

/// A moment in the unit of records.
fn record_time(at: Timestamp) -> Result<i64> {
    i64::try_from(at.as_nanosecond()).map_err(|_| Error::invalid(format!("the time {at} is too far away")))
}

/// Whether an image can have a name: a digest is kept for the image with that digest while it has no other name.
fn check_key(state: &State, name: &NameKey, target: &Digest) -> Result<()> {
    let NameKind::Unnamed(digest) = name.kind() else { return Ok(()) };
    let is_other = |other: &&NameKey| !other.is_unnamed();
    if digest != target {
        return Err(Error::invalid(format!(
            "image name {digest} is a digest: it stands for the image with that digest"
        )));
    }
    match state.names_of(target).into_iter().any(|other| is_other(&other)) {
        true => Err(Error::invalid(format!("image {digest} has a name: only without one is it kept under its digest"))),
        false => Ok(()),
    }
}

fn not_found(name: &NameKey) -> Error {
    Error::not_found(format!("image \"{}\": not found", name.shown()))
}
