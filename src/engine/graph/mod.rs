//! The one way down an image: from a descriptor to the documents and blobs under it.
//!
//! Whoever reads one image in order walks by [`Descent`], whose limits stand in [`limits`]. Whoever must not miss
//! anything, as a collection must not, uses [`Closure`], which has none. Both open each document once, however many
//! others name it. Neither knows where documents come from: the caller looks up, reads or fetches them.
//!
//! [`Descent`]: descent::Descent
//! [`Closure`]: closure::Closure

pub(super) mod closure;
pub(super) mod descent;
pub(super) mod image_graph;
pub(super) mod limits;
