//! Time as records keep it: nanoseconds since the Unix epoch.

/// Now.
pub(super) fn now() -> i64 {
    // Nanoseconds fit until 2262.
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

/// The moment of a record.
pub(super) fn moment(nanoseconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or_default()
}
