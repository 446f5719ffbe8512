//! Where the engine takes the time from.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// The time of day: that of the system, unless a test sets another. Clones show the same time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that shows what a function returns.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// Now in the unit of records: nanoseconds since the Unix epoch.
    pub(super) fn record_time(&self) -> i64 {
        // Nanoseconds fit until 2262.
        i64::try_from(self.now().as_nanosecond()).unwrap_or(i64::MAX)
    }
}

impl Default for Clock {
    /// The clock of the system.
    fn default() -> Self {
        Self::new(Timestamp::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// The moment of a record, from nanoseconds since the Unix epoch.
pub(super) fn moment(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or_default()
}
