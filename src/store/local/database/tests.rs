//! From format 1 to the present one, and what newer formats are met with.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use redb::ReadableTableMetadata;

use super::tables::{META, Table};
use super::*;
use crate::domain::manifest::{ConfigSummary, Document, Manifest};
use crate::domain::{Descriptor, MediaType, StringMap};
use crate::store::local::{LocalAudit, open as open_root};
use crate::store::{EvidenceState, NameRecord};

const IDENTITY: &str = "9a3c7d2e-0000-4000-8000-000000000001";

fn digest(number: u32) -> Digest {
    Digest::of(&number.to_le_bytes())
}

/// What a database of format 1 is to hold, as entries of today.
fn entries() -> Batch {
    let target = Descriptor::new(MediaType::OCI_MANIFEST, digest(0), 7);
    let manifest = Manifest {
        config: Descriptor::new(MediaType::OCI_CONFIG, digest(1), 2),
        layers: [Descriptor::new(MediaType::new("application/vnd.example"), digest(2), 3)].into(),
        subject: None,
        annotations: StringMap::default(),
        artifact_type: None,
    };
    let config =
        ConfigSummary { platform: Default::default(), created: Some(5), labels: StringMap::default(), user: None };
    let mut entries: Batch = (0..200)
        .map(|number| Entry::Blob(digest(number), Some(BlobRecord { size: u64::from(number), created_at: -1 })))
        .collect();
    entries.push(Entry::Document(digest(0), Some(Arc::new(Document::Manifest(manifest)))));
    entries.push(Entry::Config(digest(1), Some(Arc::new(config))));
    entries.push(Entry::Sources(digest(0), Some(vec!["registry.example/a".to_owned()])));
    let record = NameRecord { evidence: EvidenceState::Unrecorded, ..NameRecord::new(target.clone(), 3) };
    let name = |number| Entry::Name(format!("name {number:03}"), Some(record.clone()));
    entries.extend((0..100).map(name));
    entries
}

/// Records as format 1 had them: what is stored today without the version; without what was added since.
fn write_format_1(database: &redb::Database, format: &str) {
    let write = database.begin_write().unwrap();
    {
        let mut meta = write.open_table(META).unwrap();
        meta.insert("format", format).unwrap();
        meta.insert("uuid", IDENTITY).unwrap();
        // What later versions of a record added stands at its end, a byte for each field.
        let put = |table: Table, digest: &Digest, record: Vec<u8>| {
            write.open_table(table).unwrap().insert(digest.bytes(), &record[1..]).unwrap();
        };
        for entry in entries() {
            match entry {
                Entry::Blob(digest, record) => put(BLOBS, &digest, record.unwrap().encode().unwrap()),
                Entry::Document(digest, record) => put(DOCUMENTS, &digest, record.unwrap().encode().unwrap()),
                Entry::Config(digest, record) => {
                    let bytes = record.unwrap().encode().unwrap();
                    put(CONFIGS, &digest, bytes[..bytes.len() - 1].to_vec());
                }
                Entry::Sources(digest, record) => put(SOURCES, &digest, record.unwrap().encode().unwrap()),
                Entry::Name(name, record) => {
                    let bytes = record.unwrap().encode().unwrap();
                    write.open_table(NAMES).unwrap().insert(name.as_str(), &bytes[1..bytes.len() - 3]).unwrap();
                }
            }
        }
    }
    write.commit().unwrap();
}

fn all(database: &mut Database) -> Batch {
    let (mut cursor, mut all) = (database.cursor().unwrap(), Batch::new());
    loop {
        match cursor.next_batch().unwrap() {
            batch if batch.is_empty() => break,
            batch => all.extend(batch),
        }
    }
    sorted(all)
}

fn sorted(mut entries: Batch) -> Batch {
    entries.sort_by_key(|entry| format!("{entry:?}"));
    entries
}

#[test]
fn a_database_of_format_1_is_migrated() {
    let root = tempfile::tempdir().unwrap();
    write_format_1(&redb::Database::create(path(root.path())).unwrap(), "1");
    for _ in 0..2 {
        let (mut database, identity) = Database::open(root.path()).unwrap();
        assert_eq!(identity, IDENTITY);
        assert!(all(&mut database) == sorted(entries()));
        assert_eq!(database.revision().unwrap(), Revision(0));
        let read = database.begin_read().unwrap();
        assert_eq!(read.open_table(META).unwrap().get("format").unwrap().unwrap().value(), "3");
        assert!(read.open_table(BLOBS).unwrap().len().unwrap() == 200 && read.list_tables().unwrap().count() == 7);
    }
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    drop(open_root(root.path()).unwrap());
    fs::remove_file(path(root.path())).unwrap();
    write_format_1(&redb::Database::create(path(root.path())).unwrap(), "4");
    let before = fs::read(path(root.path())).unwrap();
    fs::write(root.path().join("ingest/7"), b"half").unwrap();
    let refusals = [open_root(root.path()).err().unwrap(), LocalAudit::open(root.path()).err().unwrap()];
    for refusal in refusals {
        assert_eq!(refusal.kind(), Kind::Conflict, "{refusal:?}");
        let text = refusal.public();
        assert!(text.contains("is of format 4") && text.contains("reads formats 1 to 3"), "{text}");
    }
    assert!(fs::read(path(root.path())).unwrap() == before, "the database was written");
    assert!(root.path().join("ingest/7").exists());
}

/// A file in memory that remembers in which order it was changed.
#[derive(Clone, Debug, Default)]
struct Recorded(Arc<Mutex<(Vec<u8>, Vec<Step>)>>);

#[derive(Clone, Debug)]
enum Step {
    Len(usize),
    Write(usize, Vec<u8>),
}

impl Step {
    fn make(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Len(len) => bytes.resize(*len, 0),
            Self::Write(at, written) => bytes[*at..at + written.len()].copy_from_slice(written),
        }
    }
}

impl Recorded {
    fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new((bytes, Vec::new()))))
    }

    fn step(&self, step: Step) -> io::Result<()> {
        let (bytes, steps) = &mut *self.0.lock();
        step.make(bytes);
        steps.push(step);
        Ok(())
    }
}

impl redb::StorageBackend for Recorded {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().0.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = offset as usize;
        out.copy_from_slice(&self.0.lock().0[at..at + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.step(Step::Len(len as usize))
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.step(Step::Write(offset as usize, data.to_vec()))
    }
}

fn database(file: Recorded) -> redb::Database {
    redb::Database::builder().create_with_backend(file).unwrap()
}

#[test]
fn a_migration_that_is_cut_short_leaves_the_old_or_the_new() {
    let file = Recorded::default();
    write_format_1(&database(file.clone()), "1");
    let old = file.0.lock().0.clone();
    let migrated = Recorded::of(old.clone());
    // Whatever was not yet written when the process was killed is missing.
    migrate::initialize(&database(migrated.clone())).unwrap();
    let steps = migrated.0.lock().1.clone();
    assert!(steps.len() > 5);
    let (mut bytes, mut formats) = (old, Vec::new());
    for step in [None].into_iter().chain(steps.iter().map(Some)) {
        if let Some(step) = step {
            step.make(&mut bytes);
        }
        let found = database(Recorded::of(bytes.clone()));
        let read = found.begin_read().unwrap();
        let format = read.open_table(META).unwrap().get("format").unwrap().unwrap().value().to_owned();
        // All records are of the format that is named.
        let first = read.open_table(BLOBS).unwrap().get(digest(7).bytes()).unwrap().unwrap().value().to_vec();
        let record = BlobRecord { size: 7, created_at: -1 }.encode().unwrap();
        assert_eq!(first, if format == "1" { &record[1..] } else { &record });
        drop(read);
        // And the next start has all of them.
        assert_eq!(migrate::initialize(&found).unwrap(), IDENTITY);
        let mut found = Database { path: PathBuf::new(), open: Some(found) };
        assert!(all(&mut found) == sorted(entries()));
        formats.push(format);
    }
    assert!(formats.is_sorted() && formats.first().unwrap() == "1" && formats.last().unwrap() == "3");
}
