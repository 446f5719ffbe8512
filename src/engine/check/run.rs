//! The steps of a check, one after the other.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::super::catalog::Catalog;
use super::super::clock::Clock;
use super::super::gc::reachable::reachable;
use super::finding::{Checked, Fault, Finding};
use super::options::{CheckDepth, CheckOptions, Progress};
use crate::domain::manifest::{ConfigSummary, Document};
use crate::domain::{Digest, Result};
use crate::store::local::LocalAudit;
use crate::store::{Audit, BlobRecord, Entry, Inventory, NameRecord, RecordKind, Repair, Sources, UnreadableRecord};

/// Checks a data root. Blocks for as long as it takes to read everything in it; `progress` is told often, from several
/// threads.
///
/// Without repair nothing is written. A repair that is interrupted can be done again.
///
/// # Errors
/// `NotFound` where there is no data root; `Conflict` where a process uses it; `PermissionDenied` where it may not be read;
/// `DataLoss` where its database is damaged beyond repair.
pub fn check(data_root: &Path, options: CheckOptions, progress: &(dyn Fn(Progress) + Sync)) -> Result<Checked> {
    check_stores(Box::new(LocalAudit::open(data_root)?), options, progress)
}

/// The same for any stores that nobody uses.
///
/// # Errors
/// Those of the stores.
pub fn check_stores(
    audit: Box<dyn Audit>,
    options: CheckOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Checked> {
    let found = Found::of(audit.as_ref())?;
    let summary =
        Checked { blobs: found.contents.blobs.len(), names: found.contents.names.len(), ..Checked::default() };
    let mut check = Check {
        audit: audit.as_ref(),
        options,
        progress,
        is_clean: found.inventory.is_clean,
        lost: HashSet::new(),
        repair: Repair::default(),
        now: Clock::default().record_time(),
        summary,
    };
    check.database(&found);
    let sound = check.blobs(&found)?;
    check.tell_names(&found.contents);
    let mut parsed = check.documents(&found, &sound)?;
    let names = check.names(&found, &sound, &parsed);
    check.complete(&names, &sound, &mut parsed)?;
    drop(found);
    let contents = Contents {
        blobs: sound.into_iter().collect(),
        documents: parsed.documents.into_iter().collect(),
        configs: parsed.configs.into_iter().collect(),
        names,
        sources: Vec::new(),
    };
    let catalog = Catalog::of(contents.into_records());
    check.references(&catalog);
    if options.depth == CheckDepth::Layers {
        check.layers(&catalog)?;
    }
    let (mut summary, repair) = check.finish();
    if options.repair && summary.findings.iter().any(|finding| finding.remedy.is_some()) {
        audit.repair(&repair)?;
        summary.findings.iter_mut().for_each(|finding| finding.repaired = finding.remedy.is_some());
    }
    Ok(summary)
}

/// What was found in the stores.
pub(super) struct Found {
    /// All but the records.
    pub(super) inventory: Inventory,
    pub(super) contents: Contents,
}

/// Records by their kinds.
#[derive(Clone, Default)]
pub(super) struct Contents {
    pub(super) blobs: Vec<(Digest, BlobRecord)>,
    pub(super) documents: Vec<(Digest, Arc<Document>)>,
    pub(super) configs: Vec<(Digest, Arc<ConfigSummary>)>,
    pub(super) names: Vec<(String, NameRecord)>,
    pub(super) sources: Vec<(Digest, Sources)>,
}

impl Found {
    fn of(audit: &dyn Audit) -> Result<Self> {
        let mut contents = Contents::default();
        let inventory = audit.scan(&mut |record| contents.add(record))?;
        Ok(Self { inventory, contents })
    }
}

impl Contents {
    fn add(&mut self, record: Entry) {
        match record {
            Entry::Blob(digest, record) => self.blobs.extend(record.map(|record| (digest, record))),
            Entry::Document(digest, record) => self.documents.extend(record.map(|record| (digest, record))),
            Entry::Config(digest, record) => self.configs.extend(record.map(|record| (digest, record))),
            Entry::Name(name, record) => self.names.extend(record.map(|record| (name, record))),
            Entry::Sources(digest, record) => self.sources.extend(record.map(|record| (digest, record))),
        }
    }

    /// The records, those of blobs first.
    fn into_records(self) -> Vec<Entry> {
        let blobs = self.blobs.into_iter().map(|(digest, record)| Entry::Blob(digest, Some(record)));
        let documents = self.documents.into_iter().map(|(digest, record)| Entry::Document(digest, Some(record)));
        let configs = self.configs.into_iter().map(|(digest, record)| Entry::Config(digest, Some(record)));
        let names = self.names.into_iter().map(|(name, record)| Entry::Name(name, Some(record)));
        blobs.chain(documents).chain(configs).chain(names).collect()
    }
}

/// A check in progress.
pub(super) struct Check<'a> {
    pub(super) audit: &'a dyn Audit,
    pub(super) options: CheckOptions,
    pub(super) progress: &'a (dyn Fn(Progress) + Sync),
    /// Whether the last process ended in order.
    pub(super) is_clean: bool,
    /// Blobs that records say are here and that are not as they should be.
    pub(super) lost: HashSet<Digest>,
    pub(super) repair: Repair,
    /// The time that records are made at, in nanoseconds since the Unix epoch.
    pub(super) now: i64,
    pub(super) summary: Checked,
}

impl Check<'_> {
    /// Notes something that is not as it should be.
    pub(super) fn note(
        &mut self,
        fault: Fault,
        subject: impl ToString,
        detail: impl Into<String>,
        remedy: Option<&'static str>,
    ) {
        let is_leftover = match fault {
            Fault::AbandonedIngest | Fault::UnreferencedBlob | Fault::Unclean => true,
            // The next start after a crash removes them.
            Fault::StrayFile => !self.is_clean,
            _ => false,
        };
        self.summary.findings.push(Finding {
            fault,
            is_leftover,
            subject: subject.to_string(),
            detail: detail.into(),
            names: Vec::new(),
            remedy,
            repaired: false,
        });
    }

    /// The database as a whole, and what stands among the blobs and can be none.
    fn database(&mut self, found: &Found) {
        if !found.inventory.is_database_intact {
            let remedy = Some("pages rebuilt from the newest state that is whole");
            self.note(Fault::DamagedDatabase, "metadata.redb", "pages of it are not what was written", remedy);
        }
        if !found.inventory.is_clean {
            let detail = "the last process did not end in order; the next start removes what it left";
            self.note(Fault::Unclean, "clean", detail, None);
        }
        for stray in &found.inventory.strays {
            let detail = "no blob has such a name";
            self.note(Fault::StrayFile, stray.path.display(), detail, Some("removed"));
        }
        for ingest in &found.inventory.ingests {
            let detail = format!("{} bytes of a blob that nobody writes any more", ingest.size);
            self.note(Fault::AbandonedIngest, ingest.path.display(), detail, Some("removed"));
        }
        for ingest in &found.inventory.resumable {
            let detail =
                format!("{} bytes of a download; the next start keeps them, so that it can go on", ingest.size);
            self.note(Fault::AbandonedIngest, ingest.path.display(), detail, None);
        }
        self.repair.strays.extend(found.inventory.strays.iter().chain(&found.inventory.ingests).cloned());
        for record in &found.inventory.unreadable {
            let (of, remedy) = match record.kind {
                RecordKind::Blob => ("a blob's record", "dropped, and made again where the file is sound"),
                RecordKind::Document => ("a parsed document", "dropped, and parsed again where the blob is sound"),
                RecordKind::Config => ("a parsed configuration", "dropped, and parsed again where the blob is sound"),
                RecordKind::Sources => ("where an image was pulled from", "dropped"),
                RecordKind::Name => {
                    ("what a name points at", "dropped; images without a name are kept under their digests")
                }
            };
            match record.newer {
                Some(version) => {
                    let text = "which this version of Loadline does not know; nothing is repaired: use a newer one";
                    let detail = format!("{of} is of version {version}, {text}");
                    self.note(Fault::UnreadableRecord, &record.key, detail, None);
                }
                None => {
                    self.note(Fault::UnreadableRecord, &record.key, format!("{of} cannot be decoded"), Some(remedy));
                }
            }
        }
        self.repair.unreadable.clone_from(&found.inventory.unreadable);
    }

    /// Tells of each blob that was lost which images need it.
    fn tell_names(&mut self, contents: &Contents) {
        if self.lost.is_empty() {
            return;
        }
        let Contents { blobs, documents, names, .. } = contents.clone();
        let catalog = Catalog::of(Contents { blobs, documents, names, ..Contents::default() }.into_records());
        let state = catalog.state();
        let mut needed: HashMap<String, Vec<String>> = HashMap::new();
        for (name, record) in state.names() {
            for digest in reachable(&state, [&record.target.digest]) {
                if self.lost.contains(digest) {
                    needed.entry(digest.to_string()).or_default().push(name.to_string());
                }
            }
        }
        for finding in &mut self.summary.findings {
            if matches!(finding.fault, Fault::CorruptBlob | Fault::MissingBlob) {
                finding.names = needed.remove(&finding.subject).unwrap_or_default();
            }
        }
    }

    /// Blobs that nothing leads to.
    fn references(&mut self, catalog: &Catalog) {
        let state = catalog.state();
        let live = reachable(&state, state.targets());
        for (digest, record) in state.blobs().filter(|(digest, _)| !live.contains(*digest)) {
            let detail = format!("{} bytes that no name leads to; a prune removes it", record.size);
            self.note(Fault::UnreferencedBlob, digest, detail, None);
        }
    }

    /// What was found, in order, and what is to be done about it.
    fn finish(mut self) -> (Checked, Repair) {
        // What is wrong here may be right by what a newer version has recorded, and it must not be lost.
        if self.repair.unreadable.iter().any(|record| record.newer.is_some()) {
            self.summary.findings.iter_mut().for_each(|finding| finding.remedy = None);
            self.repair = Repair::default();
        }
        self.summary.findings.sort_by(|a, b| (a.fault, &a.subject).cmp(&(b.fault, &b.subject)));
        (self.summary, self.repair)
    }
}

/// Blobs that are here and as they should be.
pub(super) type Sound = HashMap<Digest, BlobRecord>;

/// The digests of the records of a kind that cannot be read.
pub(super) fn unreadable(found: &[UnreadableRecord], kind: RecordKind) -> impl Iterator<Item = Digest> {
    found.iter().filter(move |record| record.kind == kind).filter_map(|record| record.key.parse().ok())
}
