//! L3: what Loadline does, one verb a file. The only layer that sequences the others.
//!
//! [`Engine`] is what facades see. It answers lists from the catalog, which holds every parsed document in memory, and
//! goes to the store for bytes only.

mod attestations;
mod blobs;
mod catalog;
pub mod check;
mod disk_usage;
mod events;
mod gc;
mod graph;
mod history;
mod import;
mod inspect;
mod list;
mod load;
mod prune;
mod publish;
mod pull;
mod push;
mod remote;
mod remove;
mod save;
mod stream;
mod tag;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::{Error, Result};
use crate::registry::{self, Registries};
use crate::store::{Leases, LocalStore, Store};
use catalog::Catalog;
use pull::Downloads;
use push::Uploads;

pub use crate::registry::{Credential, InsecureRegistry, Proxies};
pub use attestations::AttestationQuery;
pub use blobs::{Blob, BlobInfo, IngestStatus};
pub use disk_usage::DiskUsage;
pub use events::EventQuery;
pub use import::{ImportEvent, ImportRequest};
pub use list::{ListQuery, ListedImage, Listing};
pub use load::{LoadEvent, LoadOptions};
pub use prune::Pruned;
pub use pull::{BlobState, PullAttestations, PullEvent, PullRequest};
pub use push::{PushEvent, PushRequest, UploadState};
pub use remote::RemoteImage;
pub use remove::{RemoveOptions, Removed};
pub use save::{SaveOptions, Saved};

/// How long operations that were given up may take to let go of what they hold, when the engine is closed.
const LAST_LEASES: Duration = Duration::from_secs(2);

/// What an engine is opened with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory that everything is kept under.
    pub data_root: PathBuf,
    /// How registries are reached.
    pub registry: registry::Settings,
    /// How many blobs are fetched at a time, in all pulls together.
    pub max_concurrent_downloads: usize,
    /// How many blobs are sent at a time, in all pushes together.
    pub max_concurrent_uploads: usize,
    /// Whose attestations a pull fetches.
    pub pull_attestations: PullAttestations,
}

impl Settings {
    /// The default settings for a data root.
    pub fn new(data_root: impl Into<PathBuf>) -> Self {
        Self {
            data_root: data_root.into(),
            registry: registry::Settings::default(),
            max_concurrent_downloads: 3,
            max_concurrent_uploads: 5,
            pull_attestations: PullAttestations::default(),
        }
    }
}

/// The engine of one data root. Clones are handles to the same one.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    settings: Settings,
    store: Arc<dyn Store>,
    catalog: Catalog,
    leases: Leases,
    registries: Registries,
    downloads: Arc<Downloads>,
    uploads: Uploads,
    spare: Arc<stream::pieces::Spare>,
    parents: gc::parents::ParentIndex,
    events: events::Events,
    // Held by the one writer there may be, so that memory follows the database step by step.
    writing: Mutex<()>,
}

impl Engine {
    /// Opens the data root and reads the catalog. Blocks.
    ///
    /// After a crash, content that nothing refers to is collected before anything is served.
    ///
    /// # Errors
    /// `Conflict` where another process uses the data root; `InvalidArgument` where the settings for registries are wrong.
    pub fn open(settings: Settings) -> Result<Self> {
        let store = LocalStore::open(&settings.data_root)?;
        Self::with_store(settings, Arc::new(store))
    }

    fn with_store(settings: Settings, store: Arc<dyn Store>) -> Result<Self> {
        let catalog = Catalog::new(store.contents()?);
        let interrupted = store.was_interrupted();
        let inner = Inner {
            registries: Registries::new(settings.registry.clone())?,
            downloads: Downloads::new(store.clone(), settings.max_concurrent_downloads),
            uploads: Uploads::new(settings.max_concurrent_uploads),
            settings,
            store,
            catalog,
            leases: Leases::default(),
            spare: Arc::default(),
            parents: gc::parents::ParentIndex::default(),
            events: events::Events::default(),
            writing: Mutex::default(),
        };
        if interrupted {
            let collected = inner.collect(None)?;
            tracing::info!(
                blobs = collected.blobs.len(),
                bytes = collected.bytes,
                "the last process did not end in order"
            );
        }
        // So that the first list does not wait for it.
        drop(inner.catalog.snapshot());
        let inner = Arc::new(inner);
        gc::collect::start(&inner)?;
        Ok(Self(inner))
    }

    /// How many images there are: targets of names, each counted once.
    pub fn image_count(&self) -> usize {
        self.0.catalog.image_count()
    }

    /// The identity of this data root: a UUID made when it was made.
    pub fn uuid(&self) -> &str {
        self.0.store.uuid()
    }

    /// The directory that everything is kept under.
    pub fn data_root(&self) -> &Path {
        &self.0.settings.data_root
    }

    /// Leaves the data root in order. Call it when nobody asks for anything any more; what was given up a moment ago is
    /// waited for.
    pub async fn close(&self) -> Result<()> {
        let start = std::time::Instant::now();
        while !self.0.leases.held().is_empty() && start.elapsed() < LAST_LEASES {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.blocking(|inner| {
            inner.collect_postponed()?;
            inner.store.close()
        })
        .await
    }

    /// Runs work that blocks off the runtime's threads.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Inner) -> Result<T> + Send + 'static) -> Result<T> {
        let inner = self.0.clone();
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(result) => result,
            Err(stopped) => Err(Error::internal("the operation was stopped", stopped)),
        }
    }
}

/// Now, in the unit of records.
fn now() -> i64 {
    // Nanoseconds fit until 2262.
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

/// The moment of a record.
fn moment(nanoseconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
