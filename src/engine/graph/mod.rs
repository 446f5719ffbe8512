//! The way down an image: from a descriptor to the documents and blobs under it.

pub(super) mod image_graph;
