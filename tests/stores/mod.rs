//! Stores that are not the crate's own, and several engines on one.

mod followed;
mod model;
mod remote;

use futures_util::future::BoxFuture;
use loadline::domain::Result;
use loadline::store::conformance::Fixture;
use loadline::store::{MemoryStore, Stores};

use remote::Remote;

/// Stores in memory whose records are behind a network that is not to be relied on.
struct BehindANetwork(Stores);

impl Fixture for BehindANetwork {
    fn open(&self) -> BoxFuture<'_, Result<Stores>> {
        let stores = Stores { metadata: Remote::start(self.0.metadata.clone(), 1), ..self.0.clone() };
        Box::pin(async { Ok(stores) })
    }
}

mod conformance {
    use super::*;

    loadline::store_conformance!(BehindANetwork(MemoryStore::open()));
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}
