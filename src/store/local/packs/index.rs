//! The index of a pack: a file beside it that says what is in it, so that a start need not read the pack.
//!
//! It is written when nothing is added to the pack any more, and when the stores are closed. One that is not there, damaged
//! or behind its pack costs time only: what it does not cover is read from the pack itself.

use std::fs;
use std::path::Path;

use super::location::{Location, Packed};
use crate::domain::{Digest, Error, Result};

const MAGIC: [u8; 4] = *b"LLi1";

/// The length of what stands before the entries.
const HEAD: usize = 4 + 8 + 4;

/// What an index says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// How many bytes of the pack it is about.
    pub(super) covered: u64,
    pub(super) entries: Vec<Packed>,
}

impl Index {
    /// Reads the index of a pack. Where there is none that can be used, it covers nothing.
    pub(super) fn read(path: &Path, pack: u32) -> Self {
        fs::read(path).ok().and_then(|bytes| Self::decode(&bytes, pack)).unwrap_or_default()
    }

    /// Writes it in the place of what is there. Nothing is synced: one that did not come to the disk is seen to be damaged.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let unfinished = path.with_extension("idx.new");
        let failed = |e| Error::io(format!("writing {}", path.display()), e);
        fs::write(&unfinished, self.encode()).map_err(failed)?;
        fs::rename(&unfinished, path).map_err(failed)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + 32 + self.entries.len() * 41);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.covered.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(self.entries.len()).unwrap_or(u32::MAX).to_le_bytes());
        for Packed { digest, location } in &self.entries {
            bytes.push(u8::try_from(digest.bytes().len()).unwrap_or_default());
            bytes.extend_from_slice(digest.bytes());
            bytes.extend_from_slice(&location.start.to_le_bytes());
            bytes.extend_from_slice(&location.size.to_le_bytes());
        }
        let sum = Digest::of(&bytes);
        bytes.extend_from_slice(sum.bytes());
        bytes
    }

    fn decode(bytes: &[u8], pack: u32) -> Option<Self> {
        let (said, sum) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
        if Digest::of(said).bytes() != sum {
            return None;
        }
        let mut rest = said;
        if take(&mut rest, 4)? != MAGIC {
            return None;
        }
        let covered = u64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?);
        let count = number(&mut rest)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let len = usize::from(*take(&mut rest, 1)?.first()?);
            let digest = Digest::from_bytes(take(&mut rest, len)?)?;
            let (start, size) = (number(&mut rest)?, number(&mut rest)?);
            entries.push(Packed { digest, location: Location { pack, start, size } });
        }
        rest.is_empty().then_some(Self { covered, entries })
    }
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(taken)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(take(rest, 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::Algorithm;

    fn index() -> Index {
        let entry = |algorithm, start| Packed {
            digest: Digest::compute(algorithm, &[start as u8]),
            location: Location { pack: 3, start, size: 5 },
        };
        Index { covered: 4096, entries: vec![entry(Algorithm::Sha256, 48), entry(Algorithm::Sha512, 104)] }
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("00000003.idx");
        assert_eq!(Index::read(&path, 3), Index::default());
        index().write(&path).unwrap();
        assert_eq!(Index::read(&path, 3), index());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_that_is_damaged_says_nothing() {
        let bytes = index().encode();
        assert_eq!(Index::decode(&bytes, 3), Some(index()));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(Index::decode(&damaged, 3), None, "byte {at}");
            assert_eq!(Index::decode(&bytes[..at], 3), None, "{at} bytes");
        }
        // A sum that is right over bytes that are not an index.
        let mut odd = b"LLi1 and no more".to_vec();
        odd.extend_from_slice(Digest::of(b"LLi1 and no more").bytes());
        assert_eq!(Index::decode(&odd, 3), None);
    }
}
