//! What the cases need of an implementation.

use futures_util::future::BoxFuture;

use crate::domain::Result;
use crate::store::Stores;

/// A place for stores that nobody else uses. Each case gets a new one.
pub trait Fixture: Send + Sync + 'static {
    /// Opens the stores of this place: empty ones the first time, later those that were dropped. They were perhaps not closed,
    /// as after a crash.
    ///
    /// # Errors
    /// Those of the stores; the case then fails.
    fn open(&self) -> BoxFuture<'_, Result<Stores>>;
}
