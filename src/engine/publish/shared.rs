//! What publishing works on.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::watch;

use super::admission::Admission;
use super::event_log::Events;
use crate::engine::catalog::Catalog;
use crate::engine::clock::Clock;
use crate::engine::gc::parents::ParentIndex;
use crate::engine::leases::Leases;
use crate::store::Stores;

/// The stores, what follows them in memory, and who decides and listens.
pub(super) struct Shared {
    pub(super) stores: Stores,
    pub(super) catalog: Arc<Catalog>,
    pub(super) parents: ParentIndex,
    pub(super) leases: Leases,
    pub(super) events: Arc<Events>,
    pub(super) admissions: Vec<Arc<dyn Admission>>,
    pub(super) clock: Clock,
    /// How many images were denied.
    pub(super) denied: AtomicU64,
    /// Closes when the last publisher goes.
    pub(super) alive: watch::Sender<()>,
    /// Where work goes on that nobody waits for.
    pub(super) runtime: tokio::runtime::Handle,
}

impl Shared {
    /// What the admissions decide by now.
    pub(super) fn revisions(&self) -> Vec<u64> {
        self.admissions.iter().map(|admission| admission.revision()).collect()
    }
}
