//! Leases that clients make: what they hold is not collected before they are deleted or their time is over.
//!
//! They live in memory and end with the engine. Where other engines use the same stores, these learn what is held by the
//! engine's own lease, as they do of operations.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use super::leases::Lease;
use crate::domain::{Digest, Error, Kind, Result, StringMap};

/// The label that says when a lease ends by itself: a time as RFC 3339 has it.
const EXPIRE: &str = "containerd.io/gc.expire";

/// How many leases there may be. Clients that are interrupted leave theirs until its time is over.
const MAX_LEASES: usize = 10_000;

/// Bytes that all leases and what they name may have together.
const MAX_BYTES: usize = 32 << 20;

/// Bytes of a lease's or resource's id.
const MAX_ID: usize = 1024;

/// Bytes of a label's key and value together, as containerd has it.
const MAX_LABEL: usize = 4096;

/// Bytes that are counted for a lease or a resource besides its texts.
const OVERHEAD: usize = 256;

/// A lease that a client made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientLease {
    pub id: String,
    pub created_at: Timestamp,
    pub labels: StringMap,
}

/// Something that a lease names. Only content is held by it: there are no snapshots, and ingests and images need no lease.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeaseResource {
    kind: String,
    id: String,
    content: Option<Digest>,
}

impl LeaseResource {
    /// A resource by its type (`content`, `ingests`, `images`, `snapshots/SNAPSHOTTER`) and its id, which is a digest for
    /// content.
    ///
    /// # Errors
    /// `InvalidArgument` where the id is too long or no digest, or the type has a part too many or too few;
    /// `NotImplemented` for other types.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Result<Self> {
        let (kind, id) = (kind.into(), id.into());
        if id.len() > MAX_ID || kind.len() > MAX_ID {
            return Err(Error::invalid(format!("resource: its id or its type is longer than {MAX_ID} bytes")));
        }
        let mut parts = kind.split('/');
        let (first, more) = (parts.next().unwrap_or_default(), parts.count());
        let content = match (first, more) {
            ("content", 0) => {
                let digest = id.parse::<Digest>();
                Some(digest.map_err(|cause| Error::invalid(format!("invalid content resource id {id}: {cause}")))?)
            }
            ("ingests" | "images", 0) | ("snapshots", 1) => None,
            ("content" | "ingests" | "images" | "snapshots", _) => {
                return Err(Error::invalid(format!("invalid resource type {kind}")));
            }
            _ => {
                return Err(Error::new(Kind::NotImplemented, format!("resource type {kind} is not supported")));
            }
        };
        Ok(Self { kind, id, content })
    }

    /// Content by its digest.
    pub fn content(digest: &Digest) -> Self {
        Self { kind: "content".to_owned(), id: digest.to_string(), content: Some(digest.clone()) }
    }

    /// The type.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The id among resources of that type.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn cost(&self) -> usize {
        OVERHEAD + 2 * (self.kind.len() + self.id.len())
    }
}

/// The leases of all clients of one engine.
#[derive(Default)]
pub(super) struct ClientLeases(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when the lease that ends next may be another, and when nobody uses this any more.
    changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    leases: BTreeMap<String, Entry>,
    /// What all of them cost.
    bytes: usize,
}

struct Entry {
    created_at: Timestamp,
    labels: StringMap,
    /// When it ends by itself; never where absent.
    expires: Option<Instant>,
    /// What is named, and what holds it.
    resources: BTreeMap<LeaseResource, Option<Lease>>,
    cost: usize,
    /// Closed with the lease.
    alive: watch::Sender<()>,
}

/// Tells when a lease has ended.
pub struct LeaseEnd(watch::Receiver<()>);

impl LeaseEnd {
    /// Waits until the lease has ended.
    pub async fn wait(mut self) {
        // Nothing is ever sent.
        while self.0.changed().await.is_ok() {}
    }
}

impl Drop for ClientLeases {
    fn drop(&mut self) {
        self.0.changed.notify_one();
    }
}

impl ClientLeases {
    /// No leases yet. Must be called on a runtime.
    pub(super) fn start() -> Self {
        let leases = Self::default();
        let (shared, changed) = (Arc::downgrade(&leases.0), leases.0.changed.clone());
        tokio::spawn(async move {
            loop {
                let Some(next) = shared.upgrade().map(|shared| shared.next_expiry()) else { return };
                match next {
                    Some(at) => drop(timeout_at(at, changed.notified()).await),
                    None => changed.notified().await,
                }
            }
        });
        leases
    }

    /// Ends all of them.
    pub(super) fn end(&self) {
        let ended = std::mem::take(&mut *self.0.state.lock());
        drop(ended);
    }
}

impl Shared {
    /// The leases that have not expired. Those that have are ended here.
    fn live(&self) -> MutexGuard<'_, State> {
        let (mut state, now) = (self.state.lock(), Instant::now());
        let is_over = |entry: &Entry| entry.expires.is_some_and(|expires| expires <= now);
        let over = state.leases.iter().filter(|(_, entry)| is_over(entry));
        for id in over.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            state.bytes -= state.leases.remove(&id).map_or(0, |entry| entry.cost);
        }
        state
    }

    /// When the next one ends by itself.
    fn next_expiry(&self) -> Option<Instant> {
        self.live().leases.values().filter_map(|entry| entry.expires).min()
    }
}

impl State {
    fn entry(&mut self, id: &str) -> Result<&mut Entry> {
        self.leases.get_mut(id).ok_or_else(|| no_such_lease(id))
    }

    /// Counts what is about to be added.
    fn pay(&mut self, cost: usize) -> Result<()> {
        if self.bytes + cost > MAX_BYTES {
            let text = format!("leases name too much: more than {MAX_BYTES} bytes; delete some of them");
            return Err(Error::new(Kind::ResourceExhausted, text));
        }
        self.bytes += cost;
        Ok(())
    }
}

impl ClientLeases {
    /// Makes a lease at a moment; see `Engine::create_lease`.
    pub(super) fn create(&self, id: String, labels: StringMap, created_at: Timestamp) -> Result<ClientLease> {
        if id.len() > MAX_ID {
            return Err(Error::invalid(format!("lease: its id is longer than {MAX_ID} bytes")));
        }
        if let Some((key, _)) = labels.iter().find(|(key, value)| key.len() + value.len() > MAX_LABEL) {
            let key: String = key.chars().take(64).collect();
            let text = format!("label key and value are longer than {MAX_LABEL} bytes together, key: {key}");
            return Err(Error::invalid(text));
        }
        let expires = labels.get(EXPIRE).map(|text| expiry(text, created_at)).transpose()?.flatten();
        let cost = OVERHEAD + 2 * id.len() + labels.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let mut state = self.0.live();
        if state.leases.contains_key(&id) {
            return Err(Error::new(Kind::AlreadyExists, format!("lease {id:?}: already exists")));
        }
        if state.leases.len() >= MAX_LEASES {
            let text = format!("there are {MAX_LEASES} leases; delete some of them");
            return Err(Error::new(Kind::ResourceExhausted, text));
        }
        state.pay(cost)?;
        let (resources, alive) = (BTreeMap::new(), watch::Sender::new(()));
        let entry = Entry { created_at, labels: labels.clone(), expires, resources, cost, alive };
        state.leases.insert(id.clone(), entry);
        self.0.changed.notify_one();
        Ok(ClientLease { id, created_at, labels })
    }

    /// Ends a lease; see `Engine::delete_lease`.
    pub(super) fn delete(&self, id: &str) -> Result<()> {
        let mut state = self.0.live();
        let ended = state.leases.remove(id).ok_or_else(|| no_such_lease(id))?;
        state.bytes -= ended.cost;
        Ok(())
    }

    /// Every lease, in the order of ids.
    pub(super) fn list(&self) -> Vec<ClientLease> {
        let lease = |(id, entry): (&String, &Entry)| ClientLease {
            id: id.clone(),
            created_at: entry.created_at,
            labels: entry.labels.clone(),
        };
        self.0.live().leases.iter().map(lease).collect()
    }

    /// Has a lease name one more resource, whose content is held by one of the engine's own.
    pub(super) fn add(&self, id: &str, resource: LeaseResource, held: impl FnOnce() -> Lease) -> Result<()> {
        let mut state = self.0.live();
        if state.entry(id)?.resources.contains_key(&resource) {
            return Ok(());
        }
        let cost = resource.cost();
        state.pay(cost)?;
        let entry = state.entry(id)?;
        entry.cost += cost;
        let lease = resource.content.as_ref().map(|digest| {
            let lease = held();
            lease.hold_in_advance(digest);
            lease
        });
        entry.resources.insert(resource, lease);
        Ok(())
    }

    /// Has a lease let go of a resource; see `Engine::remove_from_lease`.
    pub(super) fn remove(&self, id: &str, resource: &LeaseResource) -> Result<()> {
        let mut state = self.0.live();
        let entry = state.entry(id)?;
        if entry.resources.remove(resource).is_some() {
            entry.cost -= resource.cost();
            state.bytes -= resource.cost();
        }
        Ok(())
    }

    /// What a lease names, sorted by type and id.
    pub(super) fn resources(&self, id: &str) -> Result<Vec<LeaseResource>> {
        Ok(self.0.live().entry(id)?.resources.keys().cloned().collect())
    }

    /// What tells when a lease has ended.
    pub(super) fn end_of(&self, id: &str) -> Result<LeaseEnd> {
        Ok(LeaseEnd(self.0.live().entry(id)?.alive.subscribe()))
    }
}

/// When a lease of that label ends, for a clock that shows `now`; never where that is too far away to be counted.
fn expiry(text: &str, now: Timestamp) -> Result<Option<Instant>> {
    let at: Timestamp = text.parse().map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        Error::invalid(format!("label {EXPIRE}: {shown:?} is no time as RFC 3339 has it"))
    })?;
    let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    Ok(Instant::now().checked_add(left))
}

fn no_such_lease(id: &str) -> Error {
    let shown: String = id.chars().take(128).collect();
    Error::not_found(format!("lease {shown:?}: not found"))
}

#[cfg(test)]
mod tests;
