//! Values as containerd's messages have them.

/// A moment.
pub fn timestamp(time: jiff::Timestamp) -> prost_types::Timestamp {
    // The wire counts nanoseconds upwards from the second, also before 1970.
    let back = time.subsec_nanosecond() < 0;
    prost_types::Timestamp {
        seconds: time.as_second() - i64::from(back),
        nanos: time.subsec_nanosecond() + if back { 1_000_000_000 } else { 0 },
    }
}

/// A size. It is signed on the wire; no file is larger than that.
pub fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
