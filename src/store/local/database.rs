//! The records of a local store in an embedded database.

mod found;
mod overlay;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::{Digest, Error, Kind, Result};
use crate::store::{BlobRecord, Changes, Contents};

pub(super) use found::{FoundDatabase, Records};

const BLOBS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("blobs");
const DOCUMENTS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("documents");
const CONFIGS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("configs");
const NAMES: TableDefinition<&str, &[u8]> = TableDefinition::new("names");
const SOURCES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("sources");
const META: TableDefinition<&str, &str> = TableDefinition::new("meta");

/// The form of the records. A database of another form is refused, never misread.
const FORMAT: &str = "1";

/// Where the database is in a data root.
pub(super) const FILE: &str = "metadata.redb";

/// What it is called until it is complete: redb cannot open a file whose making was cut short.
pub(super) const UNFINISHED: &str = "metadata.redb.new";

/// Everything is read once, at start, so a large cache would only be kept for nothing.
const CACHE_BYTES: usize = 4 << 20;

/// The database, which is opened again after an I/O error: until then it refuses to write.
pub(super) struct Database {
    path: PathBuf,
    open: Option<redb::Database>,
}

impl Database {
    /// Opens or makes the database of a data root; returns the store's identity with it.
    pub(super) fn open(root: &Path) -> Result<(Self, String)> {
        let path = path(root);
        if !is_there(root) {
            make(root)?;
        }
        let database = open(&path)?;
        let uuid = initialize(&database)?;
        Ok((Self { path, open: Some(database) }, uuid))
    }

    fn database(&mut self) -> Result<&redb::Database> {
        let database = match self.open.take() {
            Some(database) => database,
            None => open(&self.path)?,
        };
        Ok(self.open.insert(database))
    }

    /// Every record.
    pub(super) fn contents(&mut self) -> Result<Contents> {
        let read = self.database()?.begin_read().map_err(failed)?;
        Ok(Contents {
            blobs: by_digest(&read, BLOBS)?,
            documents: by_digest(&read, DOCUMENTS)?,
            configs: by_digest(&read, CONFIGS)?,
            sources: by_digest(&read, SOURCES)?,
            names: {
                let table = read.open_table(NAMES).map_err(failed)?;
                let rows = table.iter().map_err(failed)?;
                rows.map(|row| {
                    let (name, record) = row.map_err(failed)?;
                    Ok((name.value().to_owned(), decode(record.value())?))
                })
                .collect::<Result<_>>()?
            },
        })
    }

    /// Whether a blob is recorded.
    pub(super) fn knows(&mut self, digest: &Digest) -> Result<bool> {
        let read = self.database()?.begin_read().map_err(failed)?;
        let blobs = read.open_table(BLOBS).map_err(failed)?;
        Ok(blobs.get(digest.bytes()).map_err(failed)?.is_some())
    }

    /// Records blobs that are in place, and everything else that changes, in one transaction.
    pub(super) fn apply(&mut self, blobs: &[(Digest, BlobRecord)], changes: &Changes) -> Result<()> {
        let result = write(self.database()?, blobs, changes);
        if result.is_err() {
            self.open = None;
        }
        result
    }
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
    initialize(&database)?;
    // What a database writes when it is closed has to be there before the rename.
    database.close().map_err(failed)?;
    fs::rename(&unfinished, path(root)).and_then(|()| File::open(root)?.sync_all()).map_err(making)
}

fn open(path: &Path) -> Result<redb::Database> {
    redb::Database::builder().set_cache_size(CACHE_BYTES).open(path).map_err(failed)
}

/// Makes the tables where they are not there yet, and returns the store's identity.
fn initialize(database: &redb::Database) -> Result<String> {
    let write = begin(database)?;
    let uuid = {
        write.open_table(BLOBS).map_err(failed)?;
        write.open_table(DOCUMENTS).map_err(failed)?;
        write.open_table(CONFIGS).map_err(failed)?;
        write.open_table(NAMES).map_err(failed)?;
        write.open_table(SOURCES).map_err(failed)?;
        let mut meta = write.open_table(META).map_err(failed)?;
        let format = meta.get("format").map_err(failed)?.map(|value| value.value().to_owned());
        match format.as_deref() {
            Some(FORMAT) => {}
            None => drop(meta.insert("format", FORMAT).map_err(failed)?),
            Some(other) => return Err(other_form(other)),
        }
        let known = meta.get("uuid").map_err(failed)?.map(|value| value.value().to_owned());
        match known {
            Some(uuid) => uuid,
            None => {
                let uuid = uuid::Uuid::new_v4().to_string();
                meta.insert("uuid", uuid.as_str()).map_err(failed)?;
                uuid
            }
        }
    };
    write.commit().map_err(failed)?;
    Ok(uuid)
}

fn other_form(form: &str) -> Error {
    Error::new(Kind::Conflict, format!("the data root is of form {form}, and this version reads form {FORMAT}"))
}

fn begin(database: &redb::Database) -> Result<redb::WriteTransaction> {
    let mut write = database.begin_write().map_err(failed)?;
    // A start after a crash then takes no longer than any other.
    write.set_quick_repair(true);
    Ok(write)
}

fn write(database: &redb::Database, blobs: &[(Digest, BlobRecord)], changes: &Changes) -> Result<()> {
    let write = begin(database)?;
    {
        let mut table = write.open_table(BLOBS).map_err(failed)?;
        for (digest, record) in blobs {
            if table.get(digest.bytes()).map_err(failed)?.is_none() {
                table.insert(digest.bytes(), encode(record)?.as_slice()).map_err(failed)?;
            }
        }
    }
    change(&write, changes)?;
    write.commit().map_err(failed)
}

/// Everything of the changes but the blobs that become visible.
fn change(write: &redb::WriteTransaction, changes: &Changes) -> Result<()> {
    let mut blobs = write.open_table(BLOBS).map_err(failed)?;
    let mut documents = write.open_table(DOCUMENTS).map_err(failed)?;
    for (digest, document) in &changes.documents {
        documents.insert(digest.bytes(), encode(document)?.as_slice()).map_err(failed)?;
    }
    let mut configs = write.open_table(CONFIGS).map_err(failed)?;
    for (digest, config) in &changes.configs {
        configs.insert(digest.bytes(), encode(config)?.as_slice()).map_err(failed)?;
    }
    let mut names = write.open_table(NAMES).map_err(failed)?;
    for (name, record) in &changes.names {
        match record {
            Some(record) => names.insert(name.as_str(), encode(record)?.as_slice()).map_err(failed)?,
            None => names.remove(name.as_str()).map_err(failed)?,
        };
    }
    let mut sources = write.open_table(SOURCES).map_err(failed)?;
    for (digest, repositories) in &changes.sources {
        sources.insert(digest.bytes(), encode(repositories)?.as_slice()).map_err(failed)?;
    }
    for digest in &changes.removed {
        blobs.remove(digest.bytes()).map_err(failed)?;
        documents.remove(digest.bytes()).map_err(failed)?;
        configs.remove(digest.bytes()).map_err(failed)?;
        sources.remove(digest.bytes()).map_err(failed)?;
    }
    Ok(())
}

fn by_digest<T: DeserializeOwned>(
    read: &redb::ReadTransaction,
    table: TableDefinition<&'static [u8], &'static [u8]>,
) -> Result<Vec<(Digest, T)>> {
    let table = read.open_table(table).map_err(failed)?;
    let rows = table.iter().map_err(failed)?;
    rows.map(|row| {
        let (key, value) = row.map_err(failed)?;
        let digest = Digest::from_bytes(key.value()).ok_or_else(|| damaged("a key that is no digest"))?;
        Ok((digest, decode(value.value())?))
    })
    .collect()
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(|e| Error::internal("writing a record failed", e))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(damaged)
}

fn damaged(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::DataLoss, "the metadata database holds a record that cannot be read: see loadline check")
        .with_cause(cause)
}

fn failed(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::Io(e) => Error::io("writing the metadata database", e),
        redb::Error::DatabaseAlreadyOpen => {
            Error::new(Kind::Conflict, "the metadata database is in use by another process")
        }
        other => Error::internal("the metadata database failed", other),
    }
}
