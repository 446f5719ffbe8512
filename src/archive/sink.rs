//! Where the files of an archive go.

use std::io::Read;

use crate::domain::{Digest, Result};

/// The largest file that says what is in an archive (`index.json`, `manifest.json`), in bytes: enough for the names of
/// forty thousand images.
pub(super) const MAX_LISTING: u64 = 16 << 20;

/// Where the files of an archive go.
pub trait Sink {
    /// Whether the blob is wanted; its bytes are skipped where it is not.
    fn wants(&mut self, digest: &Digest) -> bool;

    /// Takes one file; `expected` is the digest that its path claims. Returns the digest it has.
    fn take(&mut self, expected: Option<&Digest>, size: u64, content: &mut dyn Read) -> Result<Digest>;

    /// A small file that was taken.
    fn read(&mut self, digest: &Digest, limit: u64) -> Result<Vec<u8>>;
}
