//! What every implementation of the stores promises, as cases to run it through.
//!
//! An implementation needs a [`Fixture`], which makes new stores and opens them again. [`run`] takes one case of
//! [`cases()`] and a new fixture. [`store_conformance!`](crate::store_conformance) makes a test of each case:
//!
//! ```
//! use futures_util::future::BoxFuture;
//! use loadline::domain::Result;
//! use loadline::store::conformance::{self, Fixture};
//! use loadline::store::{MemoryStore, Stores};
//!
//! /// Stores in memory. They are there for as long as somebody holds them.
//! struct InMemory(Stores);
//!
//! impl Fixture for InMemory {
//!     fn open(&self) -> BoxFuture<'_, Result<Stores>> {
//!         Box::pin(async { Ok(self.0.clone()) })
//!     }
//! }
//!
//! // In a test module, a test of each case:
//! mod tests {
//!     # use super::*;
//!     loadline::store_conformance!(super::InMemory(loadline::store::MemoryStore::open()));
//! }
//!
//! // Or one after the other:
//! for case in conformance::cases() {
//!     println!("{}", case.name);
//!     conformance::run(case.name, InMemory(MemoryStore::open()));
//! }
//! ```
//!
//! A store may answer `Unavailable` at any time; the cases then ask again, a commit under the same id.

mod blobs;
mod cases;
mod concurrent;
mod fixture;
mod leases;
mod records;
mod removal;
mod reopening;
mod steps;

pub use cases::{Case, cases, run};
pub use fixture::Fixture;
