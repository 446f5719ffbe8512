//! L2: image archives as streams: OCI layouts and docker-archives in tar, plain or compressed.
//!
//! An archive is read once, front to back, with flat memory: files go to a [`Sink`] as they come, and only the few that
//! say what is inside are kept. Where those stand in the archive does not matter.

mod compression;
mod layout;
mod listing;
mod paths;
mod read;
mod role;
mod rootfs;
mod sink;
mod tar;
mod write;

pub use compression::{Compression, decompress};
pub use layout::name_annotations;
pub use listing::{ArchiveFile, DockerImage, Listing};
pub use read::read;
pub use rootfs::{Layer, layer};
pub use sink::Sink;
pub use tar::unreadable;
pub use write::{DockerView, Member, Piece, blob_path, docker_file, index_file, layout_file, pieces, total};

#[cfg(test)]
mod tests;
