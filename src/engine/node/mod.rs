//! Images as a Kubernetes node knows them: those that the host's platform runs, each under the digest of that platform's
//! configuration, whatever else stands in the index beside it.
//!
//! Names that lead to the same configuration are one image here, also where the indexes that they point at differ. It is
//! listed, looked up and removed as one.

pub(in crate::engine) mod images;
mod list;
pub(in crate::engine) mod pinned;
mod pull;
mod remove;

pub use images::NodeImage;
pub use pinned::Pinned;
