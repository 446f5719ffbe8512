//! The database as a check finds it: nothing is made, and what cannot be read is told apart from what can.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{ReadableDatabase, ReadableTable};

use super::overlay::Overlay;
use super::tables::{BLOBS, CONFIGS, DOCUMENTS, META, NAMES, SOURCES, Table, begin, failed};
use super::{CACHE_BYTES, Kinds, change, entry, migrate};
use crate::domain::manifest::{ConfigSummary, Document};
use crate::domain::{Digest, Error, Kind, Result};
use crate::store::record::{Record, newer_version};
use crate::store::{BlobRecord, Entry, NameRecord, RecordKind, Repair, Sources, UnreadableRecord};

/// An existing database.
pub(in crate::store::local) struct FoundDatabase {
    database: redb::Database,
    intact: bool,
}

impl FoundDatabase {
    /// Opens a database that is there for reading, and verifies every page of it. The file stays as it is, even where
    /// something was under way in it when a process ended.
    ///
    /// # Errors
    /// `DataLoss` where it is damaged beyond repair; `Conflict` where it is of a newer format.
    pub(in crate::store::local) fn read(path: &Path) -> Result<Self> {
        guarded(|| {
            let overlay = Overlay::open(path).map_err(|e| Error::io("opening the metadata database", e))?;
            Self::verified(builder().create_with_backend(overlay).map_err(unusable)?)
        })
    }

    fn verified(mut database: redb::Database) -> Result<Self> {
        let intact = database.check_integrity().map_err(unusable)?;
        let read = database.begin_read().map_err(failed)?;
        let meta = read.open_table(META).map_err(unusable)?;
        match meta.get("format").map_err(failed)? {
            Some(format) => drop(migrate::parse(format.value())?),
            None => return Err(unusable_for("it does not say of which format it is")),
        }
        drop((meta, read));
        // Where the file is only read, what this changes stays in memory.
        migrate::initialize(&database).map_err(|e| unusable_for("it cannot be migrated").with_cause(e))?;
        Ok(Self { database, intact })
    }

    /// Whether every page was as it was written.
    pub(in crate::store::local) fn is_intact(&self) -> bool {
        self.intact
    }

    /// Gives every record that can be read; returns the keys of those that cannot.
    pub(in crate::store::local) fn records(&self, record: &mut dyn FnMut(Entry)) -> Result<Vec<UnreadableRecord>> {
        guarded(|| {
            let read = self.database.begin_read().map_err(failed)?;
            let mut found = Found { record, unreadable: Vec::new() };
            for (kinds, kind, table) in TABLES {
                found.read(&read, kinds, kind, table)?;
            }
            found.read_names(&read)?;
            Ok(found.unreadable)
        })
    }

    /// Repairs damaged pages where that can be done; then drops records that cannot be read, sets records of blobs that are
    /// in place, and makes changes, all or none.
    pub(in crate::store::local) fn repair(path: &Path, repair: &Repair) -> Result<()> {
        guarded(|| {
            let Self { database, .. } = Self::verified(builder().open(path).map_err(unusable)?)?;
            let write = begin(&database)?;
            for record in &repair.unreadable {
                drop_row(&write, record)?;
            }
            {
                let mut blobs = write.open_table(BLOBS).map_err(failed)?;
                for (digest, record) in &repair.blobs {
                    blobs.insert(digest.bytes(), record.encode()?.as_slice()).map_err(failed)?;
                }
            }
            change(&write, &repair.changes)?;
            write.commit().map_err(failed)
        })
    }
}

const TABLES: [(Kinds, RecordKind, Table); 4] = [
    (Kinds::Blobs, RecordKind::Blob, BLOBS),
    (Kinds::Documents, RecordKind::Document, DOCUMENTS),
    (Kinds::Configs, RecordKind::Config, CONFIGS),
    (Kinds::Sources, RecordKind::Sources, SOURCES),
];

/// Where records go that are read.
struct Found<'a> {
    record: &'a mut dyn FnMut(Entry),
    unreadable: Vec<UnreadableRecord>,
}

impl Found<'_> {
    fn read(&mut self, read: &redb::ReadTransaction, kinds: Kinds, kind: RecordKind, table: Table) -> Result<()> {
        let table = read.open_table(table).map_err(unusable)?;
        for row in table.iter().map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            let digest = Digest::from_bytes(key.value());
            match digest.as_ref().and_then(|digest| entry(kinds, digest.clone(), value.value()).ok()) {
                Some(entry) => (self.record)(entry),
                None => {
                    let shown =
                        digest.as_ref().map_or_else(|| format!("{:02x?}", key.value()), |digest| digest.to_string());
                    let newer = digest.as_ref().and_then(|_| newer(kinds, value.value()));
                    self.unreadable.push(UnreadableRecord { kind, key: shown, raw: key.value().to_vec(), newer });
                }
            }
        }
        Ok(())
    }

    fn read_names(&mut self, read: &redb::ReadTransaction) -> Result<()> {
        let table = read.open_table(NAMES).map_err(unusable)?;
        for row in table.iter().map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            let name = key.value().to_owned();
            match Record::decode(value.value()) {
                Ok(record) => (self.record)(Entry::Name(name, Some(record))),
                Err(_) => {
                    let raw = name.clone().into_bytes();
                    let newer = newer_version::<NameRecord>(value.value());
                    self.unreadable.push(UnreadableRecord { kind: RecordKind::Name, raw, key: name, newer });
                }
            }
        }
        Ok(())
    }
}

/// The version of a record that is newer than is known here.
fn newer(kinds: Kinds, value: &[u8]) -> Option<u8> {
    match kinds {
        Kinds::Blobs => newer_version::<BlobRecord>(value),
        Kinds::Documents => newer_version::<Document>(value),
        Kinds::Configs => newer_version::<ConfigSummary>(value),
        Kinds::Sources => newer_version::<Sources>(value),
    }
}

fn builder() -> redb::Builder {
    let mut builder = redb::Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn drop_row(write: &redb::WriteTransaction, record: &UnreadableRecord) -> Result<()> {
    if record.kind == RecordKind::Name {
        write.open_table(NAMES).map_err(failed)?.remove(record.key.as_str()).map_err(failed)?;
        return Ok(());
    }
    for (_, _, table) in TABLES.into_iter().filter(|(_, kind, _)| *kind == record.kind) {
        write.open_table(table).map_err(failed)?.remove(record.raw.as_slice()).map_err(failed)?;
    }
    Ok(())
}

/// Runs work on a database that may be damaged, which the database's own code can meet with a panic.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(unusable_for("reading it ended in a panic")))
}

fn unusable_for(reason: &'static str) -> Error {
    Error::new(Kind::DataLoss, format!("the metadata database is damaged beyond repair: {reason}"))
}

fn unusable(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        error @ (redb::Error::Corrupted(_)
        | redb::Error::TableDoesNotExist(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::RepairAborted
        | redb::Error::UpgradeRequired(_)) => unusable_for("its content is not what was written").with_cause(error),
        // What redb says of a file that is none of its own, or shorter than it should be.
        redb::Error::Io(e)
            if matches!(e.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof) =>
        {
            unusable_for("its content is not what was written").with_cause(e)
        }
        other => failed(other),
    }
}
