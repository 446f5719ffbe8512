//! Sparse files: data with holes between them, which read as zeroes.

use crate::domain::{Error, Result};

/// How many bytes of holes an archive may have. Holes cost their sender nothing.
const MAX_HOLES: u64 = 64 << 30;

/// How many pieces of data a sparse file may have.
pub(super) const MAX_PIECES: usize = 1 << 17;

/// The most bytes that a map in front of a sparse file's data may have.
pub(super) const MAX_MAP: u64 = 4 << 20;

/// Where the data of a sparse file stand, and how far it was read.
#[derive(Debug)]
pub(super) struct Sparse {
    /// Offsets and lengths, in order, in the reverse of it.
    rest: Vec<(u64, u64)>,
    at: u64,
    size: u64,
}

/// What comes next in a sparse file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// At most this many bytes of data.
    Data(u64),
    /// At most this many zeroes.
    Hole(u64),
    End,
}

impl Sparse {
    /// A file of a size whose data, `stored` bytes, stand at these offsets, in these lengths.
    ///
    /// # Errors
    /// `InvalidArgument` where that cannot be.
    pub(super) fn new(pieces: Vec<(u64, u64)>, size: u64, stored: u64) -> Result<Self> {
        let (mut end, mut data) = (0u64, 0u64);
        for (offset, length) in &pieces {
            let next = offset.checked_add(*length).filter(|next| *offset >= end && *next <= size);
            end = next.ok_or_else(malformed)?;
            data += length;
        }
        if data != stored {
            return Err(malformed());
        }
        let mut rest = pieces;
        rest.retain(|(_, length)| *length > 0);
        rest.reverse();
        Ok(Self { rest, at: 0, size })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the whole that are not stored. Adds them to those of the archive's other files.
    ///
    /// # Errors
    /// `InvalidArgument` where they are too many.
    pub(super) fn count_holes(&self, before: u64) -> Result<u64> {
        let data: u64 = self.rest.iter().map(|(_, length)| length).sum();
        let holes = before.saturating_add(self.size - data);
        match holes > MAX_HOLES {
            true => Err(Error::invalid(format!("archive has sparse files with more than {MAX_HOLES} bytes of holes"))),
            false => Ok(holes),
        }
    }

    pub(super) fn next(&self) -> Next {
        match self.rest.last() {
            Some((offset, _)) if self.at < *offset => Next::Hole(offset - self.at),
            Some((offset, length)) => Next::Data(offset + length - self.at),
            None if self.at < self.size => Next::Hole(self.size - self.at),
            None => Next::End,
        }
    }

    /// Notes that this many bytes of what came next were read.
    pub(super) fn advance(&mut self, count: u64) {
        self.at += count;
        if self.rest.last().is_some_and(|(offset, length)| self.at >= offset + length) {
            self.rest.pop();
        }
    }
}

/// Pairs of offsets and lengths.
pub(super) fn pairs(numbers: &[u64]) -> Result<Vec<(u64, u64)>> {
    if !numbers.len().is_multiple_of(2) || numbers.len() > 2 * MAX_PIECES {
        return Err(malformed());
    }
    Ok(numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

pub(super) fn malformed() -> Error {
    Error::invalid("archive has a sparse file whose map is malformed")
}
