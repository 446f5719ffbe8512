//! Check: whether a data root that no daemon uses holds what it says, and repair of what does not.
//!
//! First the store: each record has its file, each file hashes to its digest. Then what records say: documents and
//! configurations are what their blobs say, names lead to content that is here. An image of which only some platforms are
//! here is no fault: what counts is what the records say is here.
//!
//! A repair takes nothing away that is sound and that a record knows. What it cannot make right is removed, so that it can
//! be pulled or loaded again.

mod blobs;
mod content;
mod finding;
mod images;
mod layers;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::catalog::Catalog;
use super::gc::reachable::reachable;
use super::now;
use crate::domain::{Digest, Result};
use crate::store::{BlobRecord, Changes, Contents, Found, Mending, Survey, UnreadableRecord};
pub use finding::{Checked, Fault, Finding};

/// How a check is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    pub depth: CheckDepth,
    /// Whether to put right what can be.
    pub repair: bool,
}

/// How closely blobs are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckDepth {
    /// Only their sizes.
    Sizes,
    /// Every byte, against their digests.
    #[default]
    Content,
    /// The same, and layers are unpacked and compared with the diff IDs in their image's configuration.
    Layers,
}

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub what: &'static str,
    /// Bytes that were read, of all.
    pub done: u64,
    pub total: u64,
}

/// Checks a data root. Blocks for as long as it takes to read everything in it; `progress` is told often, from several
/// threads.
///
/// Without repair nothing is written. A repair that is interrupted can be done again.
///
/// # Errors
/// `NotFound` where there is no data root; `Conflict` where a process uses it; `PermissionDenied` where it may not be read;
/// `DataLoss` where its database is damaged beyond repair.
pub fn check(data_root: &Path, options: CheckOptions, progress: &(dyn Fn(Progress) + Sync)) -> Result<Checked> {
    let survey = Survey::open(data_root)?;
    let found = survey.look()?;
    let mut check = Check {
        survey: &survey,
        options,
        progress,
        clean: found.clean,
        lost: HashSet::new(),
        mending: Mending { changes: Changes { now: now(), ..Changes::default() }, ..Mending::default() },
        summary: Checked { blobs: found.contents.blobs.len(), names: found.contents.names.len(), ..Checked::default() },
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
    let catalog = Catalog::new(contents);
    check.references(&catalog);
    if options.depth == CheckDepth::Layers {
        check.layers(&catalog)?;
    }
    let (mut summary, mending) = check.finish();
    if options.repair && summary.findings.iter().any(|finding| finding.remedy.is_some()) {
        survey.mend(&mending)?;
        summary.findings.iter_mut().for_each(|finding| finding.repaired = finding.remedy.is_some());
    }
    Ok(summary)
}

/// A check in progress.
struct Check<'a> {
    survey: &'a Survey,
    options: CheckOptions,
    progress: &'a (dyn Fn(Progress) + Sync),
    /// Whether the last process ended in order.
    clean: bool,
    /// Blobs that records say are here and that are not as they should be.
    lost: HashSet<Digest>,
    mending: Mending,
    summary: Checked,
}

impl Check<'_> {
    /// Notes something that is not as it should be.
    fn note(&mut self, fault: Fault, subject: impl ToString, detail: impl Into<String>, remedy: Option<&'static str>) {
        let is_leftover = match fault {
            Fault::AbandonedIngest | Fault::UnreferencedBlob | Fault::Unclean => true,
            // The next start after a crash removes them.
            Fault::StrayFile => !self.clean,
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
        if !found.database_intact {
            let remedy = Some("pages rebuilt from the newest state that is whole");
            self.note(Fault::DamagedDatabase, "metadata.redb", "pages of it are not what was written", remedy);
        }
        if !found.clean {
            let detail = "the last process did not end in order; the next start removes what it left";
            self.note(Fault::Unclean, "clean", detail, None);
        }
        for stray in &found.strays {
            let detail = "no blob has such a name";
            self.note(Fault::StrayFile, stray.path.display(), detail, Some("removed"));
        }
        for ingest in &found.ingests {
            let detail = format!("{} bytes of a blob that nobody writes any more", ingest.size);
            self.note(Fault::AbandonedIngest, ingest.path.display(), detail, Some("removed"));
        }
        for ingest in &found.resumable {
            let detail =
                format!("{} bytes of a download; the next start keeps them, so that it can go on", ingest.size);
            self.note(Fault::AbandonedIngest, ingest.path.display(), detail, None);
        }
        self.mending.strays.extend(found.strays.iter().chain(&found.ingests).cloned());
        for record in &found.unreadable {
            let (of, remedy) = match record.kind {
                "blob" => ("a blob's record", "dropped, and made again where the file is sound"),
                "document" => ("a parsed document", "dropped, and parsed again where the blob is sound"),
                "configuration" => ("a parsed configuration", "dropped, and parsed again where the blob is sound"),
                "source" => ("where an image was pulled from", "dropped"),
                _ => ("what a name points at", "dropped; images without a name are kept under their digests"),
            };
            self.note(Fault::UnreadableRecord, &record.key, format!("{of} cannot be decoded"), Some(remedy));
        }
        self.mending.unreadable.clone_from(&found.unreadable);
    }

    /// Tells of each blob that was lost which images need it.
    fn tell_names(&mut self, contents: &Contents) {
        if self.lost.is_empty() {
            return;
        }
        let catalog = Catalog::new(Contents {
            blobs: contents.blobs.clone(),
            documents: contents.documents.clone(),
            names: contents.names.clone(),
            ..Contents::default()
        });
        let state = catalog.state();
        let mut needed: HashMap<String, Vec<String>> = HashMap::new();
        for (name, record) in state.names() {
            for digest in reachable(&state, [&record.target.digest]) {
                if self.lost.contains(digest) {
                    needed.entry(digest.to_string()).or_default().push(name.to_owned());
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
    fn finish(mut self) -> (Checked, Mending) {
        self.summary.findings.sort_by(|a, b| (a.fault, &a.subject).cmp(&(b.fault, &b.subject)));
        (self.summary, self.mending)
    }
}

/// Blobs that are here and as they should be.
type Sound = HashMap<Digest, BlobRecord>;

/// The digests of the records of a kind that cannot be read.
fn unreadable<'a>(found: &'a [UnreadableRecord], kind: &'a str) -> impl Iterator<Item = Digest> + 'a {
    found.iter().filter(move |record| record.kind == kind).filter_map(|record| record.key.parse().ok())
}
