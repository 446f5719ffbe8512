//! The records of a data root in an embedded database.

mod found;
mod migrate;
mod overlay;
mod tables;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use redb::{ReadableDatabase, ReadableTable};

use crate::domain::{Digest, Error, Kind, Result};
use crate::store::journal::Key;
use crate::store::record::Record;
use crate::store::{Batch, BlobRecord, Changes, Entry, Revision};

pub(super) use found::FoundDatabase;
use tables::{BLOBS, CONFIGS, COUNTERS, DOCUMENTS, NAMES, REVISION, SOURCES, Table, begin, failed};

/// Where the database is in a data root.
pub(super) const FILE: &str = "metadata.redb";

/// What it is called until it is complete: redb cannot open a file whose making was cut short.
pub(super) const UNFINISHED: &str = "metadata.redb.new";

/// Everything is read once, at start, so a large cache would only be kept for nothing.
const CACHE_BYTES: usize = 4 << 20;

/// How many records are read at a time.
const BATCH: usize = 1024;

/// The database, which is opened again after an I/O error: until then it refuses to write.
pub(super) struct Database {
    path: PathBuf,
    open: Option<redb::Database>,
}

impl Database {
    /// Opens or makes the database of a data root, and migrates one of an older format; returns the store's identity with
    /// it.
    ///
    /// # Errors
    /// `Conflict` where it is of a newer format; then nothing of it is written.
    pub(super) fn open(root: &Path) -> Result<(Self, String)> {
        let path = path(root);
        match is_there(root) {
            true => migrate::refuse_newer(&path)?,
            false => make(root)?,
        }
        let database = open(&path)?;
        let identity = migrate::initialize(&database)?;
        Ok((Self { path, open: Some(database) }, identity))
    }

    fn database(&mut self) -> Result<&redb::Database> {
        let database = match self.open.take() {
            Some(database) => database,
            None => open(&self.path)?,
        };
        Ok(self.open.insert(database))
    }

    fn begin_read(&mut self) -> Result<redb::ReadTransaction> {
        self.database()?.begin_read().map_err(failed)
    }

    /// The revision of the last commit.
    pub(super) fn revision(&mut self) -> Result<Revision> {
        let counters = self.begin_read()?.open_table(COUNTERS).map_err(failed)?;
        Ok(Revision(counters.get(REVISION).map_err(failed)?.map_or(0, |revision| revision.value())))
    }

    /// What is recorded of every blob.
    pub(super) fn blobs(&mut self) -> Result<HashMap<Digest, BlobRecord>> {
        let table = self.begin_read()?.open_table(BLOBS).map_err(failed)?;
        let rows = table.iter().map_err(failed)?;
        rows.map(|row| {
            let (key, value) = row.map_err(failed)?;
            Ok((digest_of(key.value())?, BlobRecord::decode(value.value())?))
        })
        .collect()
    }

    /// The records of some keys as they are now.
    pub(super) fn entries(&mut self, keys: &HashSet<Key>) -> Result<Batch> {
        let read = self.begin_read()?;
        let names = read.open_table(NAMES).map_err(failed)?;
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            match key {
                Key::Name(name) => {
                    let record = names.get(name.as_str()).map_err(failed)?;
                    let record = record.map(|record| Record::decode(record.value())).transpose()?;
                    entries.push(Entry::Name(name.clone(), record));
                }
                Key::Content(digest) => {
                    entries.push(Entry::Blob(digest.clone(), lookup(&read, BLOBS, digest)?));
                    entries.push(Entry::Document(digest.clone(), lookup(&read, DOCUMENTS, digest)?));
                    entries.push(Entry::Config(digest.clone(), lookup(&read, CONFIGS, digest)?));
                    entries.push(Entry::Sources(digest.clone(), lookup(&read, SOURCES, digest)?));
                }
            }
        }
        Ok(entries)
    }

    /// Reads every record of this moment, step by step.
    pub(super) fn cursor(&mut self) -> Result<Cursor> {
        let read = self.begin_read()?;
        let rows = |table| read.open_table(table).map_err(failed)?.range::<&[u8]>(..).map_err(failed);
        let names = read.open_table(NAMES).map_err(failed)?.range::<&str>(..).map_err(failed)?;
        Ok(Cursor {
            rows: vec![
                (Kinds::Sources, rows(SOURCES)?),
                (Kinds::Configs, rows(CONFIGS)?),
                (Kinds::Documents, rows(DOCUMENTS)?),
                (Kinds::Blobs, rows(BLOBS)?),
            ],
            names,
        })
    }

    /// Makes changes that lead to a revision, in one transaction.
    pub(super) fn apply(&mut self, changes: &Changes, revision: Revision) -> Result<()> {
        let result = write(self.database()?, changes, revision);
        if result.is_err() {
            self.open = None;
        }
        result
    }
}

/// What stands in a table.
#[derive(Clone, Copy)]
enum Kinds {
    Blobs,
    Documents,
    Configs,
    Sources,
}

type Rows = redb::Range<'static, &'static [u8], &'static [u8]>;

/// Every record of one moment. Blobs come first, so that whoever follows knows them before what is said of them.
pub(super) struct Cursor {
    /// Tables that were not read to their end, the next one last.
    rows: Vec<(Kinds, Rows)>,
    names: redb::Range<'static, &'static str, &'static [u8]>,
}

impl Cursor {
    /// The next records; empty at the end.
    ///
    /// # Errors
    /// `DataLoss` where one cannot be read.
    pub(super) fn next_batch(&mut self) -> Result<Batch> {
        while let Some((kind, rows)) = self.rows.last_mut() {
            let kind = *kind;
            let entries = rows.take(BATCH).map(|row| {
                let (key, value) = row.map_err(failed)?;
                entry(kind, digest_of(key.value())?, value.value())
            });
            let batch = entries.collect::<Result<Batch>>()?;
            if !batch.is_empty() {
                return Ok(batch);
            }
            self.rows.pop();
        }
        let names = self.names.by_ref().take(BATCH).map(|row| {
            let (name, value) = row.map_err(failed)?;
            Ok(Entry::Name(name.value().to_owned(), Some(Record::decode(value.value())?)))
        });
        names.collect()
    }
}

fn entry(kind: Kinds, digest: Digest, value: &[u8]) -> Result<Entry> {
    Ok(match kind {
        Kinds::Blobs => Entry::Blob(digest, Some(Record::decode(value)?)),
        Kinds::Documents => Entry::Document(digest, Some(Record::decode(value)?)),
        Kinds::Configs => Entry::Config(digest, Some(Record::decode(value)?)),
        Kinds::Sources => Entry::Sources(digest, Some(Record::decode(value)?)),
    })
}

fn lookup<R: Record>(read: &redb::ReadTransaction, table: Table, digest: &Digest) -> Result<Option<R>> {
    let table = read.open_table(table).map_err(failed)?;
    let found = table.get(digest.bytes()).map_err(failed)?;
    found.map(|value| R::decode(value.value())).transpose()
}

/// The path of the database of a data root.
pub(super) fn path(root: &Path) -> PathBuf {
    root.join(FILE)
}

/// Whether a data root has a database. An empty file is none: nothing was ever written to it.
pub(super) fn is_there(root: &Path) -> bool {
    fs::metadata(path(root)).is_ok_and(|file| !file.is_file() || file.len() > 0)
}

/// Makes an empty database. A crash leaves all of it in its place, or nothing.
fn make(root: &Path) -> Result<()> {
    let making = |e| Error::io("making the metadata database", e);
    let unfinished = root.join(UNFINISHED);
    // Empties what a crash may have left there.
    File::create(&unfinished).map_err(making)?;
    let database = redb::Database::builder().create(&unfinished).map_err(failed)?;
    migrate::initialize(&database)?;
    // What a database writes when it is closed has to be there before the rename.
    database.close().map_err(failed)?;
    fs::rename(&unfinished, path(root)).and_then(|()| File::open(root)?.sync_all()).map_err(making)
}

fn open(path: &Path) -> Result<redb::Database> {
    redb::Database::builder().set_cache_size(CACHE_BYTES).open(path).map_err(failed)
}

fn write(database: &redb::Database, changes: &Changes, revision: Revision) -> Result<()> {
    let write = begin(database)?;
    change(&write, changes)?;
    write.open_table(COUNTERS).map_err(failed)?.insert(REVISION, revision.0).map_err(failed)?;
    write.commit().map_err(failed)
}

/// Writes changes into a transaction. Tables that nothing changes are not opened.
fn change(write: &redb::WriteTransaction, changes: &Changes) -> Result<()> {
    let Changes { blobs, documents, configs, names, sources, removed } = changes;
    if !blobs.is_empty() {
        let mut table = write.open_table(BLOBS).map_err(failed)?;
        for (digest, record) in blobs {
            if table.get(digest.bytes()).map_err(failed)?.is_none() {
                table.insert(digest.bytes(), record.encode()?.as_slice()).map_err(failed)?;
            }
        }
    }
    insert(write, DOCUMENTS, documents)?;
    insert(write, CONFIGS, configs)?;
    insert(write, SOURCES, sources)?;
    if !names.is_empty() {
        let mut table = write.open_table(NAMES).map_err(failed)?;
        for (name, record) in names {
            match record {
                Some(record) => table.insert(name.as_str(), record.encode()?.as_slice()).map_err(failed)?,
                None => table.remove(name.as_str()).map_err(failed)?,
            };
        }
    }
    if !removed.is_empty() {
        for table in [BLOBS, DOCUMENTS, CONFIGS, SOURCES] {
            let mut table = write.open_table(table).map_err(failed)?;
            for digest in removed {
                table.remove(digest.bytes()).map_err(failed)?;
            }
        }
    }
    Ok(())
}

fn insert<R: Record>(write: &redb::WriteTransaction, table: Table, records: &[(Digest, R)]) -> Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let mut table = write.open_table(table).map_err(failed)?;
    for (digest, record) in records {
        table.insert(digest.bytes(), record.encode()?.as_slice()).map_err(failed)?;
    }
    Ok(())
}

fn digest_of(key: &[u8]) -> Result<Digest> {
    Digest::from_bytes(key).ok_or_else(|| {
        Error::new(
            Kind::DataLoss,
            "the metadata database holds a record under a key that is not a digest: see loadline check",
        )
    })
}

#[cfg(test)]
mod tests;
