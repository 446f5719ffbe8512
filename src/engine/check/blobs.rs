//! Each record has its file, and each file hashes to its digest.

use std::collections::HashSet;

use super::CheckDepth;
use super::content::{Reading, in_parallel};
use super::finding::Fault;
use super::run::{Check, Found, Sound, unreadable};
use crate::domain::{Digest, Kind, Result};
use crate::store::{BlobRecord, ObjectFile, RecordKind};

const AGAIN: Option<&str> = Some("removed with its record, so that it can be pulled or loaded again");

/// A file to be read.
struct Job {
    digest: Digest,
    size: u64,
    /// Absent where there is one that cannot be read.
    record: Option<BlobRecord>,
}

impl Check<'_> {
    /// Compares records, files and content; returns what is sound, under records that are right.
    pub(super) fn blobs(&mut self, found: &Found) -> Result<Sound> {
        let mut sound = Sound::new();
        let records: Sound = found.contents.blobs.iter().cloned().collect();
        let undecoded: HashSet<Digest> = unreadable(&found.inventory.unreadable, RecordKind::Blob).collect();
        let mut jobs = Vec::new();
        for (digest, file) in &found.inventory.objects {
            let record = records.get(digest).copied();
            match *file {
                _ if record.is_none() && !undecoded.contains(digest) => {
                    let detail = match file {
                        ObjectFile::Regular(size) => format!("{size} bytes that no record knows"),
                        ObjectFile::Other(what) => format!("{what} that no record knows"),
                    };
                    let path = format!("blobs/{}/{}", digest.algorithm().name(), digest.hex());
                    self.note(Fault::StrayFile, path, detail, Some("removed"));
                    self.repair.objects.push(digest.clone());
                }
                ObjectFile::Other(what) => self.corrupt(digest, format!("{what} stands in its place")),
                // Where sizes disagree, only the content tells which of the two is right.
                ObjectFile::Regular(size) => match record {
                    Some(known) if known.size == size && self.options.depth == CheckDepth::Sizes => {
                        sound.insert(digest.clone(), known);
                    }
                    record => jobs.push(Job { digest: digest.clone(), size, record }),
                },
            }
        }
        for (digest, record) in records.iter().filter(|(digest, _)| !found.inventory.objects.contains_key(*digest)) {
            let detail = format!("{} bytes are recorded and there is no file", record.size);
            let remedy = Some("record dropped, so that it can be pulled or loaded again");
            self.note(Fault::MissingBlob, digest, detail, remedy);
            self.lose(digest);
        }
        self.read(jobs, &mut sound)?;
        Ok(sound)
    }

    fn read(&mut self, mut jobs: Vec<Job>, sound: &mut Sound) -> Result<()> {
        // The largest first, so that no thread is left alone with one at the end.
        jobs.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.digest.cmp(&b.digest)));
        let total = jobs.iter().map(|job| job.size).sum();
        let reading = Reading::new(self.audit, "reading blobs", total, self.progress);
        let results = in_parallel(&jobs, |job| reading.digest(&job.digest));
        self.summary.bytes += reading.done();
        for (Job { digest, size, record }, result) in jobs.into_iter().zip(results) {
            match result {
                Ok(actual) if actual == digest => {
                    let right = BlobRecord { size, created_at: record.map_or(self.now, |r| r.created_at) };
                    if record != Some(right) {
                        self.repair.blobs.push((digest.clone(), right));
                    }
                    if let Some(wrong) = record.filter(|record| record.size != size) {
                        let detail = format!("the file is sound and has {size} bytes, {} are recorded", wrong.size);
                        self.note(Fault::WrongRecord, &digest, detail, Some("record corrected"));
                    }
                    sound.insert(digest, right);
                }
                Ok(actual) => {
                    let mut detail = format!("its content hashes to {actual}");
                    if let Some(record) = record.filter(|record| record.size != size) {
                        detail = format!("it has {size} of {} bytes, and {detail}", record.size);
                    }
                    self.corrupt(&digest, detail);
                }
                Err(error) if error.kind() == Kind::PermissionDenied => return Err(error),
                Err(error) => self.corrupt(&digest, error.chain()),
            }
        }
        Ok(())
    }

    fn corrupt(&mut self, digest: &Digest, detail: String) {
        self.note(Fault::CorruptBlob, digest, detail, AGAIN);
        self.lose(digest);
    }

    fn lose(&mut self, digest: &Digest) {
        self.lost.insert(digest.clone());
        self.repair.changes.removed.push(digest.clone());
    }
}
