//! The database as it is found, for a check: nothing is made, what cannot be read is told apart from what can.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde::de::DeserializeOwned;

use super::overlay::Overlay;
use super::{
    BLOBS, CACHE_BYTES, CONFIGS, DOCUMENTS, FORMAT, META, NAMES, SOURCES, begin, change, decode, encode, failed,
    other_form,
};
use crate::domain::{Digest, Error, Kind, Result};
use crate::store::{BlobRecord, Changes, Contents, UnreadableRecord};

/// An existing database.
pub(in crate::store::local) struct FoundDatabase {
    database: redb::Database,
    intact: bool,
}

/// What a database holds.
pub(in crate::store::local) struct Records {
    pub(in crate::store::local) contents: Contents,
    pub(in crate::store::local) unreadable: Vec<UnreadableRecord>,
}

impl FoundDatabase {
    /// Opens a database that is there for reading, and verifies every page of it. The file stays as it is, even where
    /// something was under way in it when a process ended.
    ///
    /// # Errors
    /// `DataLoss` where it is damaged beyond repair; `Conflict` where it is of another form.
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
            Some(form) if form.value() == FORMAT => {}
            Some(form) => return Err(other_form(form.value())),
            None => return Err(unusable_for("it does not say of which form it is")),
        }
        drop((meta, read));
        Ok(Self { database, intact })
    }

    /// Whether every page was as it was written.
    pub(in crate::store::local) fn is_intact(&self) -> bool {
        self.intact
    }

    /// Every record that can be read, and the keys of those that cannot.
    pub(in crate::store::local) fn records(&self) -> Result<Records> {
        guarded(|| {
            let read = self.database.begin_read().map_err(failed)?;
            let mut unreadable = Vec::new();
            let contents = Contents {
                blobs: by_digest(&read, BLOBS, "blob", &mut unreadable)?,
                documents: by_digest(&read, DOCUMENTS, "document", &mut unreadable)?,
                configs: by_digest(&read, CONFIGS, "configuration", &mut unreadable)?,
                names: names(&read, &mut unreadable)?,
                sources: by_digest(&read, SOURCES, "source", &mut unreadable)?,
            };
            Ok(Records { contents, unreadable })
        })
    }

    /// Puts damaged pages right where that can be done; then drops records that cannot be read, sets records of blobs that
    /// are in place, and makes changes, all or none.
    pub(in crate::store::local) fn mend(
        path: &Path,
        unreadable: &[UnreadableRecord],
        records: &[(Digest, BlobRecord)],
        changes: &Changes,
    ) -> Result<()> {
        guarded(|| {
            let Self { database, .. } = Self::verified(builder().open(path).map_err(unusable)?)?;
            let write = begin(&database)?;
            for record in unreadable {
                drop_row(&write, record)?;
            }
            {
                let mut blobs = write.open_table(BLOBS).map_err(failed)?;
                for (digest, record) in records {
                    blobs.insert(digest.bytes(), encode(record)?.as_slice()).map_err(failed)?;
                }
            }
            change(&write, changes)?;
            write.commit().map_err(failed)
        })
    }
}

fn builder() -> redb::Builder {
    let mut builder = redb::Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn by_digest<T: DeserializeOwned>(
    read: &redb::ReadTransaction,
    table: TableDefinition<&'static [u8], &'static [u8]>,
    kind: &'static str,
    unreadable: &mut Vec<UnreadableRecord>,
) -> Result<Vec<(Digest, T)>> {
    let table = read.open_table(table).map_err(unusable)?;
    let mut found = Vec::new();
    for row in table.iter().map_err(failed)? {
        let (key, value) = row.map_err(failed)?;
        match (Digest::from_bytes(key.value()), decode(value.value())) {
            (Some(digest), Ok(value)) => found.push((digest, value)),
            (digest, _) => {
                let shown = digest.map_or_else(|| format!("{:02x?}", key.value()), |digest| digest.to_string());
                unreadable.push(UnreadableRecord { kind, key: shown, raw: key.value().to_vec() });
            }
        }
    }
    Ok(found)
}

fn names<T: DeserializeOwned>(
    read: &redb::ReadTransaction,
    unreadable: &mut Vec<UnreadableRecord>,
) -> Result<Vec<(String, T)>> {
    let table = read.open_table(NAMES).map_err(unusable)?;
    let mut found = Vec::new();
    for row in table.iter().map_err(failed)? {
        let (key, value) = row.map_err(failed)?;
        let name = key.value().to_owned();
        match decode(value.value()) {
            Ok(value) => found.push((name, value)),
            Err(_) => unreadable.push(UnreadableRecord { kind: "name", raw: name.clone().into_bytes(), key: name }),
        }
    }
    Ok(found)
}

fn drop_row(write: &redb::WriteTransaction, record: &UnreadableRecord) -> Result<()> {
    let table = match record.kind {
        "blob" => BLOBS,
        "document" => DOCUMENTS,
        "configuration" => CONFIGS,
        "source" => SOURCES,
        _ => {
            let mut names = write.open_table(NAMES).map_err(failed)?;
            names.remove(record.key.as_str()).map_err(failed)?;
            return Ok(());
        }
    };
    write.open_table(table).map_err(failed)?.remove(record.raw.as_slice()).map_err(failed)?;
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
