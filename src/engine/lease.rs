//! Leases: what clients hold against collection.

use super::client_leases::{ClientLease, LeaseEnd, LeaseResource};
use super::core::Engine;
use super::gc::collect::collect_postponed;
use crate::domain::{Result, StringMap};

impl Engine {
    /// Makes a lease that holds nothing yet. Without an id, one is made up. It ends when it is deleted, at the time of its
    /// label `containerd.io/gc.expire`, or with the engine.
    ///
    /// # Errors
    /// `AlreadyExists` where there is one of that id; `InvalidArgument` where the id or a label is too long, or the label
    /// `containerd.io/gc.expire` is no time; `ResourceExhausted` where there are too many.
    pub fn create_lease(&self, id: Option<String>, labels: StringMap) -> Result<ClientLease> {
        let id = id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        self.0.client_leases.create(id, labels, self.now())
    }

    /// Ends a lease. What it alone held is collected: before this returns if `sync`, else soon after.
    ///
    /// # Errors
    /// `NotFound` where there is no such lease; those of the store.
    pub async fn delete_lease(&self, id: &str, sync: bool) -> Result<()> {
        self.0.client_leases.delete(id)?;
        match sync {
            true => collect_postponed(&self.0.publisher).await,
            false => Ok(()),
        }
    }

    /// Every lease that a client made, in the order of ids.
    pub fn leases(&self) -> Vec<ClientLease> {
        self.0.client_leases.list()
    }

    /// Has a lease name one more resource. Content, and everything under it, is held from now on, whether it is here yet
    /// or not.
    ///
    /// # Errors
    /// `NotFound` where there is no such lease; `ResourceExhausted` where leases name too much; those of the store, where
    /// other engines could not be told.
    pub async fn add_to_lease(&self, id: &str, resource: LeaseResource) -> Result<()> {
        self.0.client_leases.add(id, resource, || self.0.leases.acquire())?;
        self.0.leases.flush().await
    }

    /// Has a lease let go of a resource; one that it does not name is no error.
    ///
    /// # Errors
    /// `NotFound` where there is no such lease.
    pub fn remove_from_lease(&self, id: &str, resource: &LeaseResource) -> Result<()> {
        self.0.client_leases.remove(id, resource)
    }

    /// What a lease names, sorted by type and id.
    ///
    /// # Errors
    /// `NotFound` where there is no such lease.
    pub fn lease_resources(&self, id: &str) -> Result<Vec<LeaseResource>> {
        self.0.client_leases.resources(id)
    }

    /// What tells when a lease has ended.
    ///
    /// # Errors
    /// `NotFound` where there is no such lease.
    pub fn lease_end(&self, id: &str) -> Result<LeaseEnd> {
        self.0.client_leases.end_of(id)
    }
}
