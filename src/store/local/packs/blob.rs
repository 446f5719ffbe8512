//! A packed blob that is open for reading.

use std::fs::File;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::location::Location;
use crate::domain::Result;
use crate::store::Blob;
use crate::store::local::files;

/// A part of a pack. It stays readable when the pack is removed.
pub(super) struct PackedBlob {
    file: Arc<File>,
    location: Location,
}

impl PackedBlob {
    pub(super) fn new(file: Arc<File>, location: Location) -> Self {
        Self { file, location }
    }

    /// Where in the pack an offset is, and how much of the buffer there are bytes for from there on.
    fn part<'a>(&self, buffer: &'a mut [u8], offset: u64) -> (&'a mut [u8], u64) {
        let rest = self.size().saturating_sub(offset);
        let len = usize::try_from(rest).unwrap_or(usize::MAX).min(buffer.len());
        (&mut buffer[..len], u64::from(self.location.start).saturating_add(offset))
    }
}

impl Blob for PackedBlob {
    fn size(&self) -> u64 {
        u64::from(self.location.size)
    }

    fn read_at<'a>(&'a self, buffer: &'a mut [u8], offset: u64) -> BoxFuture<'a, Result<usize>> {
        let (buffer, offset) = self.part(buffer, offset);
        Box::pin(async move {
            match buffer.is_empty() {
                true => Ok(0),
                false => files::read_at(&self.file, buffer, offset).await,
            }
        })
    }

    fn read_ready(&self, buffer: &mut [u8], offset: u64) -> usize {
        let (buffer, offset) = self.part(buffer, offset);
        if buffer.is_empty() { 0 } else { files::read_ready(&self.file, buffer, offset) }
    }

    fn prefetch(&self, offset: u64, len: u64) {
        let rest = self.size().saturating_sub(offset);
        files::prefetch(&self.file, u64::from(self.location.start).saturating_add(offset), len.min(rest));
    }
}
