//! Stores on local files and an embedded database.
//!
//! ```text
//! <root>/lock            held by the process that uses the root
//! <root>/clean           there only while no process uses the root, and the last one ended in order
//! <root>/metadata.redb   the records
//! <root>/blobs/<algorithm>/<hex>
//! <root>/packs/        small blobs, many to a file: see `packs`
//! <root>/ingest/<number> large blobs being written; emptied at start
//! <root>/partial/<algorithm>-<hex> beginnings of blobs whose download ended early
//! ```
//!
//! A blob's bytes are synced, then its file is renamed into place, then the directory is synced, and only then a commit may
//! record it. Removal goes the other way. A crash between two of these steps leaves blobs that no record knows, never a
//! record without its blob; the next start removes such blobs.
//!
//! A directory is taken for a root by its database; see `claim`.

mod audit;
mod blobs;
mod claim;
mod database;
mod deletions;
mod files;
mod ingest;
mod metadata;
mod packs;
mod partial;
mod root;
mod usage;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::memory::MemoryLeases;
use super::{BlobRecord, Changes, Stores};
use crate::domain::digest::Algorithm;
use crate::domain::{Digest, Result};
pub use audit::LocalAudit;
use blobs::LocalBlobs;
use database::Database;
use metadata::LocalMetadata;
use packs::Limits;
use root::Root;

/// The size, in bytes, of the largest blob that is packed, unless another is asked for.
pub const MAX_PACKED_BLOB_SIZE: u32 = packs::LARGEST_BLOB;

/// The most that can be asked for, in bytes.
pub const LARGEST_PACKED_BLOB: u32 = packs::MAX_SIZE;

/// Opens the stores under a directory, which is made if it is not there. A directory that is neither empty nor a data root
/// is left as it is. Blocks.
///
/// Whatever a process that did not end in order left behind is put right first: ingests are dropped (those that can be
/// resumed are kept as partials), blobs that no record knows are removed, and records whose blob is gone are dropped with a
/// warning. A root of an older format is migrated in one transaction.
///
/// # Errors
/// `InvalidArgument` where the directory is not a data root and none can be made there; `Conflict` where another process
/// uses it, or a newer version of Loadline wrote it.
pub fn open(path: &Path) -> Result<Stores> {
    open_with(path, MAX_PACKED_BLOB_SIZE)
}

/// The same with another size, in bytes, of the largest blob that is packed: at most [`LARGEST_PACKED_BLOB`]; 0 gives each blob
/// a file of its own. What is there is read whatever the size was when it came.
///
/// # Errors
/// As [`open`].
pub fn open_with(path: &Path, max_packed_blob_size: u32) -> Result<Stores> {
    let largest_blob = max_packed_blob_size.min(LARGEST_PACKED_BLOB);
    open_limited(path, Limits { largest_blob, ..Limits::default() })
}

fn open_limited(path: &Path, limits: Limits) -> Result<Stores> {
    claim::check(path)?;
    let opened = root::open(path, database::is_there(path))?;
    let (mut database, identity) = Database::open(path)?;
    let root = Arc::new(opened.prepare(limits)?);
    if root.was_interrupted || root.has_strays {
        reconcile(&root, &mut database)?;
    }
    root.mark_unclean()?;
    Ok(Stores {
        blobs: Arc::new(LocalBlobs::new(root.clone())),
        metadata: Arc::new(LocalMetadata::new(root, database, identity)?),
        // An operation does not outlive its process, and nobody else uses the root.
        leases: Arc::new(MemoryLeases::new(false)),
    })
}

/// Makes blobs and records agree again after a crash.
fn reconcile(root: &Root, database: &mut Database) -> Result<()> {
    let recorded: HashMap<Digest, BlobRecord> = database.blobs()?;
    let is_recorded = |digest: &Digest, size| recorded.get(digest).is_some_and(|record| record.size == size);
    root.packs.retain(|packed| is_recorded(packed.digest(), packed.size()));
    root.packs.tidy();
    let mut found: HashSet<Digest> = root.packs.blobs().into_iter().map(|packed| packed.digest().clone()).collect();
    for algorithm in Algorithm::ALL {
        for (name, size) in files::list(&root.blob_dir(algorithm))? {
            let digest = format!("{}:{name}", algorithm.name()).parse::<Digest>().ok();
            match digest.filter(|digest| is_recorded(digest, size)) {
                Some(digest) => drop(found.insert(digest)),
                None => {
                    tracing::info!(file = %name, "removing a blob file that no record knows");
                    // What cannot be removed, such as a directory, is no reason not to start.
                    if let Err(error) = files::remove(&root.blob_dir(algorithm).join(&name)) {
                        tracing::warn!(
                            file = %name, error = error.chain(),
                            "could not remove it; loadline check --repair moves it out of the way"
                        );
                    }
                }
            }
        }
    }
    let lost: Vec<Digest> = recorded.into_keys().filter(|digest| !found.contains(digest)).collect();
    for digest in &lost {
        tracing::warn!(content.digest = %digest, "the content of a blob is missing or has the wrong size; removing its record: images that need it must be pulled or loaded again");
    }
    if !lost.is_empty() {
        let revision = database.revision()?.next();
        database.apply(&Changes { removed: lost, ..Changes::default() }, revision)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
