//! The format of the database, and the way from older ones to the present.
//!
//! | format | what it is |
//! | --- | --- |
//! | 1 | records without a version |
//! | 2 | each record begins with its version; commits are counted |
//! | 3 | small blobs may be in packs, where older versions do not look; the database is as in 2 |

use std::panic::catch_unwind;
use std::path::Path;

use redb::{ReadableDatabase, ReadableTable, TableDefinition};

use super::overlay::Overlay;
use super::tables::{BLOBS, CONFIGS, COUNTERS, DOCUMENTS, META, NAMES, SOURCES, begin, failed};
use crate::domain::{Error, Kind, Result};

/// The present format.
pub(super) const FORMAT: u32 = 3;

/// The version that records of format 1 get. What they hold is what the first version of each record holds.
const FIRST_VERSION: u8 = 1;

/// Makes the tables where they are not there yet, brings those of an older format to the present one, and returns the
/// store's identity; all in one transaction, so that a crash leaves the old or the new.
///
/// # Errors
/// `Conflict` where the database is of a newer format; then nothing is changed.
pub(super) fn initialize(database: &redb::Database) -> Result<String> {
    let write = begin(database)?;
    let identity = {
        let mut meta = write.open_table(META).map_err(failed)?;
        let format = meta.get("format").map_err(failed)?.map(|value| value.value().to_owned());
        // Else it is of the present format, or new.
        if format.as_deref().map(parse).transpose()? == Some(1) {
            tracing::info!(from = 1, to = FORMAT, "migrating the metadata database");
            add_versions(&write)?;
        }
        meta.insert("format", FORMAT.to_string().as_str()).map_err(failed)?;
        let known = meta.get("uuid").map_err(failed)?.map(|value| value.value().to_owned());
        match known {
            Some(identity) => identity,
            None => {
                let identity = uuid::Uuid::new_v4().to_string();
                meta.insert("uuid", identity.as_str()).map_err(failed)?;
                identity
            }
        }
    };
    for table in [BLOBS, DOCUMENTS, CONFIGS, SOURCES] {
        write.open_table(table).map_err(failed)?;
    }
    write.open_table(NAMES).map_err(failed)?;
    write.open_table(COUNTERS).map_err(failed)?;
    write.commit().map_err(failed)?;
    Ok(identity)
}

/// Fails where a database is of a newer format, before anything of it is written. What else may be wrong with it is found when
/// it is opened.
///
/// # Errors
/// `Conflict` where it is of a newer format.
pub(super) fn refuse_newer(path: &Path) -> Result<()> {
    // The database's own code can meet damage with a panic.
    let format = catch_unwind(|| format(path).ok().flatten()).ok().flatten();
    format.map_or(Ok(()), |format| parse(&format).map(drop))
}

fn format(path: &Path) -> Result<Option<String>> {
    let overlay = Overlay::open(path).map_err(|e| Error::io("opening the metadata database", e))?;
    let database = redb::Database::builder().create_with_backend(overlay).map_err(failed)?;
    let meta = database.begin_read().map_err(failed)?.open_table(META).map_err(failed)?;
    Ok(meta.get("format").map_err(failed)?.map(|format| format.value().to_owned()))
}

/// Reads a format number.
///
/// # Errors
/// `Conflict` where it is none of those that this version reads.
pub(super) fn parse(format: &str) -> Result<u32> {
    match format.parse() {
        Ok(known @ 1..=FORMAT) => Ok(known),
        _ => Err(Error::new(
            Kind::Conflict,
            format!(
                "the data root is of format {format}, and this version of Loadline reads formats 1 to {FORMAT}: \
                 use the version that wrote it, or a newer one"
            ),
        )),
    }
}

/// From format 1 to 2: each record gets its version in front.
fn add_versions(write: &redb::WriteTransaction) -> Result<()> {
    for table in [BLOBS, DOCUMENTS, CONFIGS, SOURCES] {
        add_version(write, table)?;
    }
    add_version(write, NAMES)
}

fn add_version<K: redb::Key + 'static>(
    write: &redb::WriteTransaction,
    table: TableDefinition<'static, K, &'static [u8]>,
) -> Result<()> {
    let old = TableDefinition::<K, &[u8]>::new("format 1");
    match write.rename_table(table, old) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
        renamed => renamed.map_err(failed)?,
    }
    {
        let (old, mut new) = (write.open_table(old).map_err(failed)?, write.open_table(table).map_err(failed)?);
        for row in old.iter().map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            new.insert(key.value(), versioned(value.value()).as_slice()).map_err(failed)?;
        }
    }
    write.delete_table(old).map_err(failed)?;
    Ok(())
}

fn versioned(record: &[u8]) -> Vec<u8> {
    [&[FIRST_VERSION], record].concat()
}
