//! The tables of the database.

use redb::TableDefinition;

use crate::domain::{Error, Kind, Result};

pub(super) type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

pub(super) const BLOBS: Table = TableDefinition::new("blobs");
pub(super) const DOCUMENTS: Table = TableDefinition::new("documents");
pub(super) const CONFIGS: Table = TableDefinition::new("configs");
pub(super) const SOURCES: Table = TableDefinition::new("sources");
pub(super) const NAMES: TableDefinition<&str, &[u8]> = TableDefinition::new("names");
pub(super) const META: TableDefinition<&str, &str> = TableDefinition::new("meta");
pub(super) const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");

/// What the present revision is called among the counters.
pub(super) const REVISION: &str = "revision";

pub(super) fn begin(database: &redb::Database) -> Result<redb::WriteTransaction> {
    let mut write = database.begin_write().map_err(failed)?;
    // A start after a crash then takes no longer than any other.
    write.set_quick_repair(true);
    Ok(write)
}

pub(super) fn failed(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::Io(e) => Error::io("writing the metadata database", e),
        redb::Error::DatabaseAlreadyOpen => {
            Error::new(Kind::Conflict, "the metadata database is in use by another process")
        }
        other => Error::internal("the metadata database failed", other),
    }
}
