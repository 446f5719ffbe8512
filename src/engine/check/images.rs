//! What records say of blobs is what the blobs say, and names lead to content that is here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::graph::closure::Closure;
use super::super::stream::whole::read_whole;
use super::finding::Fault;
use super::options::CheckDepth;
use super::run::{Check, Found, Sound, unreadable};
use crate::domain::manifest::{ConfigSummary, Document, MAX_CONFIG, MAX_MANIFEST};
use crate::domain::{Descriptor, Digest, Kind, MediaType, NameKey, NameKind, Result, attestation};
use crate::store::{NameRecord, RecordKind};

/// Parsed forms as they should be, of blobs that are sound.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) documents: HashMap<Digest, Arc<Document>>,
    pub(super) configs: HashMap<Digest, Arc<ConfigSummary>>,
}

const PARSED_AGAIN: Option<&str> = Some("parsed again");

impl Check<'_> {
    /// Compares parsed forms with their blobs.
    pub(super) fn documents(&mut self, found: &Found, sound: &Sound) -> Result<Parsed> {
        self.orphans(found);
        let mut parsed = Parsed::default();
        let contents = &found.contents;
        for (digest, stored) in contents.documents.iter().filter(|(digest, _)| sound.contains_key(digest)) {
            let right = match self.options.depth {
                CheckDepth::Sizes => stored.clone(),
                _ => self.document(digest, stored)?,
            };
            parsed.documents.insert(digest.clone(), right);
        }
        for (digest, stored) in contents.configs.iter().filter(|(digest, _)| sound.contains_key(digest)) {
            let right = match self.options.depth {
                CheckDepth::Sizes => stored.clone(),
                _ => self.config(digest, stored)?,
            };
            parsed.configs.insert(digest.clone(), right);
        }
        for digest in
            unreadable(&found.inventory.unreadable, RecordKind::Document).filter(|digest| sound.contains_key(digest))
        {
            if let Some((_, document)) = self.parse(&digest, &KINDS)? {
                self.repair.changes.documents.push((digest.clone(), document.clone()));
                parsed.documents.insert(digest, document);
            }
        }
        Ok(parsed)
    }

    /// Records about blobs that no record knows.
    fn orphans(&mut self, found: &Found) {
        let contents = &found.contents;
        let mut known: HashSet<&Digest> = contents.blobs.iter().map(|(digest, _)| digest).collect();
        let undecoded: Vec<Digest> = unreadable(&found.inventory.unreadable, RecordKind::Blob).collect();
        known.extend(&undecoded);
        let documents = contents.documents.iter().map(|(digest, _)| (digest, "a parsed document"));
        let configs = contents.configs.iter().map(|(digest, _)| (digest, "a parsed configuration"));
        let sources = contents.sources.iter().map(|(digest, _)| (digest, "a source"));
        let all = documents.chain(configs).chain(sources).filter(|(digest, _)| !known.contains(digest));
        let orphans: Vec<(Digest, &str)> = all.map(|(digest, what)| (digest.clone(), what)).collect();
        for (digest, what) in orphans {
            self.note(Fault::OrphanRecord, &digest, format!("{what} of a blob that is not here"), Some("dropped"));
            self.repair.changes.removed.push(digest);
        }
    }

    /// A document as its blob has it.
    fn document(&mut self, digest: &Digest, stored: &Arc<Document>) -> Result<Arc<Document>> {
        let kinds = match stored.as_ref() {
            Document::Index(_) => [MediaType::OCI_INDEX, MediaType::DOCKER_LIST],
            Document::Manifest(_) => [MediaType::OCI_MANIFEST, MediaType::DOCKER_MANIFEST],
        };
        let right = match self.parse(digest, &kinds)? {
            Some((_, document)) => Some(document),
            // Recorded as a manifest, it may be an index.
            None => self.parse(digest, &KINDS)?.map(|(_, document)| document),
        };
        match right {
            Some(right) if right == *stored => Ok(right),
            // What cosign's signatures are about is said by their tag.
            Some(right) if is_with_subject(&right, stored) => Ok(stored.clone()),
            Some(right) => {
                self.note(Fault::WrongDocument, digest, "it was parsed to something else than it says", PARSED_AGAIN);
                self.repair.changes.documents.push((digest.clone(), right.clone()));
                Ok(right)
            }
            None => {
                self.note(Fault::WrongDocument, digest, "recorded as a document, and it is none", None);
                Ok(stored.clone())
            }
        }
    }

    fn config(&mut self, digest: &Digest, stored: &Arc<ConfigSummary>) -> Result<Arc<ConfigSummary>> {
        match self.bytes(digest, MAX_CONFIG)?.and_then(|bytes| ConfigSummary::decode(&bytes).ok()).map(Arc::new) {
            Some(right) if stored.agrees_with(&right) => Ok(right),
            Some(right) => {
                self.note(Fault::WrongDocument, digest, "it was parsed to something else than it says", PARSED_AGAIN);
                self.repair.changes.configs.push((digest.clone(), right.clone()));
                Ok(right)
            }
            None => {
                self.note(Fault::WrongDocument, digest, "recorded as a configuration, and it is none", None);
                Ok(stored.clone())
            }
        }
    }

    /// Parses what names lead to and was not parsed, though it is here.
    pub(super) fn complete(
        &mut self,
        names: &[(String, NameRecord)],
        sound: &Sound,
        parsed: &mut Parsed,
    ) -> Result<()> {
        let as_named = |descriptor: &Descriptor| (descriptor.digest.clone(), descriptor.media_type.clone());
        // Evidence is found by its subject, not by a name.
        let evidence = parsed.documents.iter().filter(|(_, document)| document.subject().is_some());
        let evidence = evidence.map(|(digest, _)| (digest.clone(), MediaType::OCI_MANIFEST));
        let mut closure = Closure::of(names.iter().map(|(_, record)| as_named(&record.target)).chain(evidence));
        while let Some((digest, kind)) = closure.next() {
            if !kind.is_document() || !sound.contains_key(&digest) {
                continue;
            }
            if !parsed.documents.contains_key(&digest) {
                let Some((_, document)) = self.parse(&digest, std::slice::from_ref(&kind))? else {
                    self.note(
                        Fault::WrongDocument,
                        &digest,
                        format!("its descriptor says {kind}, and it is none"),
                        None,
                    );
                    continue;
                };
                if !self.repair.unreadable.iter().any(|record| record.key == digest.to_string()) {
                    self.note(Fault::WrongDocument, &digest, "what it says was not recorded", PARSED_AGAIN);
                }
                self.repair.changes.documents.push((digest.clone(), document.clone()));
                parsed.documents.insert(digest.clone(), document);
            }
            match parsed.documents[&digest].as_ref() {
                // Of a load that was interrupted, manifests may be here that were not parsed yet.
                Document::Index(index) => {
                    let known = |child: &&Descriptor| self.is_clean || parsed.documents.contains_key(&child.digest);
                    closure.add(index.manifests.iter().filter(known).map(as_named));
                }
                Document::Manifest(manifest) => {
                    let config = manifest.config.digest.clone();
                    let is_config = manifest.is_image() && manifest.config.media_type.may_be_config();
                    if is_config && sound.contains_key(&config) && !parsed.configs.contains_key(&config) {
                        self.complete_config(config, parsed)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn complete_config(&mut self, digest: Digest, parsed: &mut Parsed) -> Result<()> {
        // One that cannot be parsed is kept without its details.
        let summary =
            self.bytes(&digest, MAX_CONFIG)?.and_then(|bytes| ConfigSummary::decode(&bytes).ok()).map(Arc::new);
        let Some(summary) = summary else { return Ok(()) };
        if !self.repair.unreadable.iter().any(|record| record.key == digest.to_string()) {
            self.note(Fault::WrongDocument, &digest, "what it says was not recorded", PARSED_AGAIN);
        }
        self.repair.changes.configs.push((digest.clone(), summary.clone()));
        parsed.configs.insert(digest, summary);
        Ok(())
    }

    /// The document that a blob is, of the first of these types that it can be; `None` where it is none.
    fn parse(&self, digest: &Digest, kinds: &[MediaType]) -> Result<Option<(MediaType, Arc<Document>)>> {
        let Some(bytes) = self.bytes(digest, MAX_MANIFEST)? else { return Ok(None) };
        let decode = |kind: &MediaType| Some((kind.clone(), Arc::new(Document::decode(&bytes, kind).ok()?)));
        Ok(kinds.iter().find_map(decode))
    }

    /// The bytes of a small blob; `None` where it is larger than it may be.
    fn bytes(&self, digest: &Digest, limit: u64) -> Result<Option<Vec<u8>>> {
        match read_whole(self.audit.open_blob(digest)?.as_ref(), limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == Kind::InvalidArgument => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Compares names with what they point at; returns those that stay.
    pub(super) fn names(&mut self, found: &Found, sound: &Sound, parsed: &Parsed) -> Vec<(String, NameRecord)> {
        let mut kept: Vec<(String, NameRecord)> = Vec::new();
        let mut unnamed: Vec<NameRecord> = Vec::new();
        for (name, record) in &found.contents.names {
            let target = &record.target.digest;
            let Some(blob) = sound.get(target) else {
                let detail = format!("it points at {target}, which is not here");
                self.note(Fault::NameWithoutContent, name, detail, Some("dropped"));
                self.repair.changes.names.push((name.clone(), None));
                continue;
            };
            let mut record = record.clone();
            if record.target.size != blob.size {
                let detail =
                    format!("it says that {target} has {} bytes, and it has {}", record.target.size, blob.size);
                self.note(Fault::WrongName, name, detail, Some("corrected"));
                record.target.size = blob.size;
                self.repair.changes.names.push((name.clone(), Some(record.clone())));
            }
            match is_name(name, &record) {
                true => kept.push((name.clone(), record)),
                false => {
                    let remedy = Some("dropped; the image is kept under its digest where it has no other name");
                    self.note(Fault::WrongName, name, "it is no name of an image", remedy);
                    self.repair.changes.names.push((name.clone(), None));
                    unnamed.push(record);
                }
            }
        }
        if self.repair.unreadable.iter().any(|record| record.kind == RecordKind::Name) {
            unnamed.extend(self.nameless(parsed, sound, &kept));
        }
        for record in unnamed {
            if !kept.iter().any(|(_, other)| other.target.digest == record.target.digest) {
                let name = record.target.digest.to_string();
                self.repair.changes.names.push((name.clone(), Some(record.clone())));
                kept.push((name, record));
            }
        }
        kept
    }

    /// Images that no name leads to: a name that cannot be read may have.
    fn nameless(&self, parsed: &Parsed, sound: &Sound, kept: &[(String, NameRecord)]) -> Vec<NameRecord> {
        let mut under: HashSet<&Digest> = kept.iter().map(|(_, record)| &record.target.digest).collect();
        under.extend(parsed.documents.values().flat_map(|document| document.children()).map(|child| &child.digest));
        let now = self.now;
        let tops = parsed
            .documents
            .iter()
            .filter(|(digest, document)| !under.contains(digest) && document.subject().is_none());
        tops.filter_map(|(digest, _)| {
            let (kind, _) = self.parse(digest, &KINDS).ok()??;
            let target = Descriptor::new(kind, digest.clone(), sound.get(digest)?.size);
            Some(NameRecord::new(target, now))
        })
        .collect()
    }
}

/// Whether a stored document is what its blob says, with the subject that its tag said.
fn is_with_subject(right: &Document, stored: &Document) -> bool {
    let about = stored.subject().and_then(|subject| attestation::with_subject(right, &subject.digest));
    about.is_some_and(|about| about == *stored)
}

/// Every type of a document.
const KINDS: [MediaType; 4] =
    [MediaType::OCI_INDEX, MediaType::OCI_MANIFEST, MediaType::DOCKER_LIST, MediaType::DOCKER_MANIFEST];

/// Whether an image can have a stored name: anything but another image's digest.
fn is_name(name: &str, record: &NameRecord) -> bool {
    match NameKey::from_record(name).kind() {
        NameKind::Unnamed(digest) => *digest == record.target.digest,
        NameKind::Docker(_) | NameKind::Opaque => !name.is_empty(),
    }
}
