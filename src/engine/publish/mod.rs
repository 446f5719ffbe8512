//! Publishing: the one way to change what is kept.

pub(super) mod names;
pub(super) mod writer;
