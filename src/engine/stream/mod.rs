//! Content as streams: out of the store, and into blocking readers.

pub(super) mod blocking_reader;
pub(super) mod pieces;
pub(super) mod whole;
