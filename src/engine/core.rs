//! The engine's parts, and how they are opened and closed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;

use super::admission::RulesAdmission;
use super::catalog::Catalog;
use super::client_leases::ClientLeases;
use super::clock::Clock;
use super::downloads::Downloads;
use super::gc::collect;
use super::leases::Leases;
use super::node::images::NodeCache;
use super::node::pinned::Pinned;
use super::publish::{Admission, AdmitAll, Events, Publisher};
use super::renewal;
use super::stream::pieces::BufferPool;
use super::uploads::Uploads;
use crate::domain::Result;
use crate::registry::{self, Registries};
use crate::store::blocking::offload;
use crate::store::{self, Stores};

/// How long operations that were given up may take to let go of what they hold, when the engine is closed.
const LAST_LEASES: Duration = Duration::from_secs(2);

/// What an engine is opened with.
#[derive(Clone)]
pub struct Settings {
    /// The directory that everything is kept under.
    pub data_root: PathBuf,
    /// How registries are reached.
    pub registry: registry::Settings,
    /// How many blobs are fetched at a time, in all pulls together.
    pub max_concurrent_downloads: usize,
    /// How many blobs are sent at a time, in all pushes together.
    pub max_concurrent_uploads: usize,
    /// The largest blob, in bytes, that is kept in a file with others; 0 gives each blob a file of its own.
    pub max_packed_blob_size: u32,
    /// Whose attestations a pull fetches.
    pub pull_attestations: PullAttestations,
    /// Which images are kept from collections of unused images.
    pub pinned: Pinned,
    /// What tells the time.
    pub clock: Clock,
    /// Who decides what may get a name, in this order.
    pub admissions: Vec<Arc<dyn Admission>>,
    /// The administrator's rules, which decide after those; absent where there are none.
    pub rules: Option<Arc<RulesAdmission>>,
}

/// Whose attestations a pull fetches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullAttestations {
    /// Those of the platform that is pulled.
    #[default]
    Platform,
    /// Those of every platform, so that they can be read before a platform is pulled.
    All,
}

impl Settings {
    /// The default settings for a data root.
    pub fn new(data_root: impl Into<PathBuf>) -> Self {
        Self {
            data_root: data_root.into(),
            registry: registry::Settings::default(),
            max_concurrent_downloads: 3,
            max_concurrent_uploads: 5,
            max_packed_blob_size: store::local::MAX_PACKED_BLOB_SIZE,
            pull_attestations: PullAttestations::default(),
            pinned: Pinned::default(),
            clock: Clock::default(),
            admissions: vec![Arc::new(AdmitAll)],
            rules: None,
        }
    }
}

/// The engine of one data root. Clones are handles to the same one.
///
/// # Examples
/// Importing a root file system, and finding it again by its name:
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use loadline::domain::{Reference, TagName};
/// use loadline::engine::{Engine, ImportEvent, ImportRequest, ListQuery, Settings};
///
/// let data_root = tempfile::tempdir()?;
/// let engine = Engine::open(Settings::new(data_root.path())).await?;
/// let name = TagName::new(Reference::parse("registry.example/rootfs:1")?)?;
/// let request = ImportRequest { name: Some(name), ..ImportRequest::default() };
/// // An empty tar archive is two blocks of zeros.
/// let archive = futures_util::stream::iter([Ok(bytes::Bytes::from(vec![0; 1024]))]);
/// let mut events = engine.import(request, archive);
/// while let Some(event) = events.recv().await {
///     if let ImportEvent::Failed(error) = event {
///         return Err(error.into());
///     }
/// }
/// assert_eq!(engine.list(&ListQuery::default())?.rows.len(), 1);
/// engine.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Engine(pub(super) Arc<Inner>);

/// What verbs work with.
pub(super) struct Inner {
    pub(super) settings: Settings,
    pub(super) stores: Stores,
    pub(super) catalog: Arc<Catalog>,
    pub(super) leases: Leases,
    pub(super) client_leases: ClientLeases,
    pub(super) publisher: Publisher,
    pub(super) registries: Registries,
    pub(super) downloads: Arc<Downloads>,
    pub(super) uploads: Uploads,
    pub(super) buffers: Arc<BufferPool>,
    pub(super) events: Arc<Events>,
    pub(super) node: NodeCache,
}

impl Engine {
    /// Opens the data root and reads the catalog.
    ///
    /// After a crash, content that nothing refers to is collected before anything is served.
    ///
    /// # Errors
    /// `Conflict` where another process uses the data root, or a newer version wrote it; `InvalidArgument` where the
    /// settings for registries are wrong.
    pub async fn open(settings: Settings) -> Result<Self> {
        let (data_root, packed) = (settings.data_root.clone(), settings.max_packed_blob_size);
        let stores = offload(move || store::local::open_with(&data_root, packed)).await?;
        Self::with_stores(settings, stores).await
    }

    /// The same on stores that are open already; several engines may share them.
    ///
    /// # Errors
    /// Those of [`Engine::open`] and of the stores.
    pub async fn with_stores(settings: Settings, stores: Stores) -> Result<Self> {
        let mut records = stores.metadata.read(None).await?;
        let mut entries = Vec::new();
        while let Some(batch) = records.batches.try_next().await? {
            entries.extend(batch);
        }
        let registry = settings.registry.clone();
        let registries = offload(move || Registries::new(registry)).await?;
        let catalog = Arc::new(Catalog::new());
        catalog.replace(entries, records.revision);
        let (leases, events) = (Leases::new(stores.leases.clone()), Arc::new(Events::new(settings.clock.clone())));
        leases.start_renewal();
        let mut admissions = settings.admissions.clone();
        admissions.extend(settings.rules.clone().map(|rules| rules as Arc<dyn Admission>));
        let publisher = Publisher::start(
            stores.clone(),
            catalog.clone(),
            leases.clone(),
            events.clone(),
            admissions,
            settings.clock.clone(),
        )?;
        let inner = Inner {
            registries,
            downloads: Downloads::new(stores.blobs.clone(), settings.max_concurrent_downloads),
            uploads: Uploads::new(settings.max_concurrent_uploads),
            settings,
            stores,
            catalog,
            leases,
            client_leases: ClientLeases::start(),
            publisher,
            buffers: Arc::default(),
            events,
            node: NodeCache::default(),
        };
        if inner.stores.metadata.was_interrupted() {
            let collected = collect::collect(&inner.publisher, None).await?;
            tracing::info!(
                "the previous process did not shut down cleanly; removed {} unreferenced blobs ({} bytes)",
                collected.blobs.len(),
                collected.bytes,
            );
        }
        renewal::renew_configs(&inner.publisher, &inner.catalog).await?;
        // So that the first list does not wait for it.
        drop(inner.catalog.snapshot());
        collect::start(&inner.publisher);
        Ok(Self(Arc::new(inner)))
    }

    /// Now, as the engine's clock has it.
    pub fn now(&self) -> jiff::Timestamp {
        self.0.settings.clock.now()
    }

    /// How many images there are: targets of names, each counted once.
    pub fn image_count(&self) -> usize {
        self.0.catalog.image_count()
    }

    /// The identity of this data root: a UUID made when it was made.
    pub fn uuid(&self) -> &str {
        self.0.stores.metadata.identity()
    }

    /// The directory that everything is kept under.
    pub fn data_root(&self) -> &Path {
        &self.0.settings.data_root
    }

    /// Leaves the data root in order. Call it when nobody asks for anything any more; what was given up a moment ago is
    /// waited for.
    ///
    /// # Errors
    /// Those of the stores. What was acknowledged is durable all the same.
    pub async fn close(&self) -> Result<()> {
        self.0.client_leases.end();
        let start = std::time::Instant::now();
        while !self.0.leases.held().is_empty() && start.elapsed() < LAST_LEASES {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        collect::collect_postponed(&self.0.publisher).await?;
        self.0.leases.end().await?;
        self.0.stores.blobs.close().await?;
        self.0.stores.metadata.close().await
    }

    /// Runs work that blocks off the runtime's threads.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.0.clone();
        offload(move || work(&inner)).await
    }
}
