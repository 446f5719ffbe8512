//! Small blobs as a whole. Blocks.

use super::pieces::read_full;
use crate::domain::{Error, Result};
use crate::store::Blob;

/// The bytes of a small blob.
///
/// # Errors
/// `InvalidArgument` where it is larger than `limit`.
pub(in crate::engine) fn read_whole(blob: &dyn Blob, limit: u64) -> Result<Vec<u8>> {
    if blob.size() > limit {
        return Err(Error::invalid(format!("document is larger than {limit} bytes")));
    }
    let mut bytes = vec![0; blob.size() as usize];
    read_full(blob, &mut bytes, 0)?;
    Ok(bytes)
}
