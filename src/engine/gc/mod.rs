//! Collection of content that nothing refers to.

pub(super) mod collect;
pub(super) mod parents;
pub(super) mod reachable;
