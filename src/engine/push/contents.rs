//! What an image is made of, in the order in which a registry must get it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::catalog::State;
use super::super::graph::descent::{Descent, Node, NodeRef, Step};
use super::super::graph::limits::{LimitExceeded, MAX_PARTS};
use crate::domain::manifest::Document;
use crate::domain::{Descriptor, Digest, Error, Result};
use crate::engine::leases::Lease;

/// Everything under one index or manifest, each part once.
#[derive(Default)]
pub(super) struct Contents {
    /// The index or manifest that all the rest is under. It is no part of `documents`.
    pub(super) root: Option<Descriptor>,
    /// Indexes and manifests in the order in which a registry must get them: each names, as its children or as its subject,
    /// only what is in lists before its own.
    pub(super) documents: Vec<Vec<Descriptor>>,
    /// Configurations, layers, statements and whatever else manifests name, in order.
    pub(super) blobs: Vec<Blob>,
    /// An index or manifest that is not here, so that what is under it is not known; absent where all are.
    pub(super) lost: Option<Digest>,
    known: HashSet<Digest>,
}

/// A blob of an image.
#[derive(Clone)]
pub(super) struct Blob {
    pub(super) descriptor: Descriptor,
    /// Whether it is in the store.
    pub(super) here: bool,
}

impl Blob {
    /// Whether the blob is not for registries.
    pub(super) fn is_foreign(&self) -> bool {
        is_foreign(&self.descriptor)
    }
}

/// Whether a layer may not be distributed by others than its maker, and says where that is.
pub(super) fn is_foreign(descriptor: &Descriptor) -> bool {
    let kind = descriptor.media_type.as_str();
    let marked = kind.contains(".foreign.") || kind.contains(".nondistributable.");
    marked && descriptor.rare.as_deref().is_some_and(|rare| !rare.urls.is_empty())
}

impl Contents {
    /// Walks down from an index or manifest. What is here is held.
    ///
    /// # Errors
    /// `InvalidArgument` where the image is nested too deep, is made of too much, or a blob has another size than its
    /// descriptor says.
    pub(super) fn of(state: &State, lease: &Lease, root: &Descriptor) -> Result<Self> {
        let mut reading =
            Reading { state, lease, descent: Descent::new(), contents: Self::default(), found: Vec::new() };
        reading.enter(root)?;
        while let Some(step) = reading.descent.step() {
            match step {
                Step::Child(child) if child.is_document() => reading.enter(child.into_descriptor())?,
                Step::Child(child) => reading.add_blob(child.into_descriptor())?,
                Step::Left(node) => reading.found.push(Found::of(node)),
            }
        }
        let mut contents = reading.contents;
        contents.documents = ordered(reading.found);
        for list in &mut contents.documents {
            list.retain(|document| document.digest != root.digest);
        }
        contents.root = Some(root.clone());
        Ok(contents)
    }

    /// Whether a blob is part of this.
    pub(super) fn holds(&self, digest: &Digest) -> bool {
        self.known.contains(digest)
    }

    /// Every index and manifest, the root last.
    pub(super) fn all_documents(&self) -> impl Iterator<Item = &Descriptor> {
        self.documents.iter().flatten().chain(&self.root)
    }

    /// Notes a part of the image; `false` where it is one already.
    fn add_part(&mut self, digest: &Digest) -> Result<bool, LimitExceeded> {
        let is_new = self.known.insert(digest.clone());
        match self.known.len() > MAX_PARTS {
            true => Err(LimitExceeded::Parts),
            false => Ok(is_new),
        }
    }
}

/// A document, and the documents that a registry must have before it.
struct Found {
    descriptor: Descriptor,
    children: Vec<Digest>,
    subject: Option<Digest>,
}

impl Found {
    fn of(node: NodeRef<'_>) -> Self {
        let nested =
            node.document.children().filter(|child| node.document.is_index() && child.media_type.is_document());
        Self {
            descriptor: node.descriptor.clone(),
            children: nested.map(|child| child.digest.clone()).collect(),
            subject: node.document.subject().map(|subject| subject.digest.clone()),
        }
    }
}

/// Documents in lists, each after the lists that hold its children and its subject. Some registries refuse a document whose
/// subject they do not have. A circle, which only subjects can close, is cut at the subjects.
fn ordered(found: Vec<Found>) -> Vec<Vec<Descriptor>> {
    let at: HashMap<&Digest, usize> =
        found.iter().enumerate().map(|(at, found)| (&found.descriptor.digest, at)).collect();
    let mut waits = vec![0usize; found.len()];
    let mut before: Vec<Vec<(usize, bool)>> = vec![Vec::new(); found.len()];
    for (own, found) in found.iter().enumerate() {
        let children: HashSet<&usize> = found.children.iter().filter_map(|child| at.get(child)).collect();
        let subject = found.subject.as_ref().and_then(|subject| at.get(subject)).filter(|at| !children.contains(at));
        let needed = children.into_iter().map(|child| (*child, false)).chain(subject.map(|subject| (*subject, true)));
        for (needed, is_subject) in needed.filter(|(needed, _)| *needed != own) {
            before[needed].push((own, is_subject));
            waits[own] += 1;
        }
    }
    let mut lists: Vec<Vec<usize>> = Vec::new();
    let mut ready: Vec<usize> = (0..found.len()).filter(|at| waits[*at] == 0).collect();
    let mut left = found.len();
    let mut cut = false;
    while left > 0 {
        if ready.is_empty() {
            if cut {
                break;
            }
            // What waits for a subject only need not do so any more.
            cut = true;
            for waiting in &mut before {
                for (own, _) in waiting.extract_if(.., |(_, is_subject)| *is_subject) {
                    waits[own] -= 1;
                    if waits[own] == 0 {
                        ready.push(own);
                    }
                }
            }
            continue;
        }
        left -= ready.len();
        let mut next = Vec::new();
        for needed in &ready {
            for (own, _) in std::mem::take(&mut before[*needed]) {
                waits[own] -= 1;
                if waits[own] == 0 {
                    next.push(own);
                }
            }
        }
        next.sort_unstable();
        lists.push(std::mem::replace(&mut ready, next));
    }
    let mut found: Vec<Option<Descriptor>> = found.into_iter().map(|found| Some(found.descriptor)).collect();
    lists.into_iter().map(|list| list.into_iter().filter_map(|at| found[at].take()).collect()).collect()
}

/// An image on whose way down its contents are gathered.
struct Reading<'a> {
    state: &'a State,
    lease: &'a Lease,
    descent: Descent<&'a Descriptor, &'a Arc<Document>>,
    contents: Contents,
    found: Vec<Found>,
}

impl<'a> Reading<'a> {
    fn enter(&mut self, descriptor: &'a Descriptor) -> Result<()> {
        if !self.contents.add_part(&descriptor.digest)? {
            return Ok(());
        }
        let here = is_here(self.state, self.lease, descriptor)?;
        match self.state.document(&descriptor.digest).filter(|_| here) {
            Some(document) => drop(self.descent.enter(Node { descriptor, document })?),
            None => drop(self.contents.lost.get_or_insert_with(|| descriptor.digest.clone())),
        }
        Ok(())
    }

    fn add_blob(&mut self, descriptor: &Descriptor) -> Result<()> {
        if self.contents.add_part(&descriptor.digest)? {
            let here = is_here(self.state, self.lease, descriptor)?;
            self.contents.blobs.push(Blob { descriptor: descriptor.clone(), here });
        }
        Ok(())
    }
}

/// Whether a blob is here and stays.
fn is_here(state: &State, lease: &Lease, descriptor: &Descriptor) -> Result<bool> {
    let stays = lease.hold(&descriptor.digest);
    match state.blob(&descriptor.digest).filter(|_| stays) {
        Some(record) if record.size != descriptor.size => Err(Error::invalid(format!(
            "content {} has {} bytes, its descriptor says {}",
            descriptor.digest, record.size, descriptor.size
        ))),
        record => Ok(record.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MediaType;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn order(documents: &[(&str, &[&str], Option<&str>)]) -> Vec<Vec<String>> {
        let found = documents.iter().map(|(name, children, subject)| Found {
            descriptor: Descriptor::new(MediaType::OCI_MANIFEST, digest(name), 1),
            children: children.iter().map(|child| digest(child)).collect(),
            subject: subject.map(digest),
        });
        let name = |descriptor: &Descriptor| {
            let found = documents.iter().find(|(name, ..)| digest(name) == descriptor.digest);
            found.map(|(name, ..)| (*name).to_owned()).unwrap()
        };
        ordered(found.collect()).iter().map(|list| list.iter().map(name).collect()).collect()
    }

    #[test]
    fn a_document_goes_after_its_children_and_its_subject() {
        let found = order(&[
            ("attestation", &[], Some("amd64")),
            ("amd64", &[], None),
            ("arm64", &[], Some("elsewhere")),
            ("signature", &[], Some("attestation")),
            ("index", &["attestation", "amd64", "arm64", "signature"], None),
        ]);
        assert_eq!(found, [vec!["amd64", "arm64"], vec!["attestation"], vec!["signature"], vec!["index"]]);
    }

    #[test]
    fn circles_of_subjects_are_cut_and_nothing_is_lost() {
        for documents in [
            &[("a", &[][..], Some("b")), ("b", &[], Some("a")), ("c", &["a", "b"], None)][..],
            &[("a", &[], Some("c")), ("b", &[], None), ("c", &["a", "b"], None)],
            &[("a", &[], Some("a")), ("c", &["a", "a"], Some("a"))],
        ] {
            let lists = order(documents);
            let place = |name: &str| lists.iter().position(|list| list.iter().any(|other| other == name)).unwrap();
            assert_eq!(lists.iter().map(Vec::len).sum::<usize>(), documents.len());
            assert!(place("a") < place("c"), "{lists:?}");
        }
        let names: Vec<String> = (0..5000).map(|at| at.to_string()).collect();
        let chain: Vec<(&str, &[&str], Option<&str>)> =
            (0..5000).map(|at| (names[at].as_str(), &[][..], names.get(at + 1).map(String::as_str))).collect();
        assert_eq!(order(&chain).len(), 5000);
    }
}
