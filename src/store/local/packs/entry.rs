//! The form of a pack: entries one after another, each a header that says whose bytes follow, those bytes, and zeros up to a
//! multiple of eight.
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | `LLb1` |
//! | 1 | the length of the hash: 32 is SHA-256, 64 is SHA-512 |
//! | 3 | zeros |
//! | 4 | the size of the blob, little-endian |
//! | 4 | zeros |
//! | 32 or 64 | the hash |
//!
//! So a pack can be read without anything else, and an entry is whole where its bytes have the digest of its header.

use crate::domain::Digest;

const MAGIC: [u8; 4] = *b"LLb1";

/// Entries begin at multiples of this.
pub(super) const ALIGN: u64 = 8;

/// The length of a header without the hash.
const FIXED: usize = 16;

/// The largest blob that an entry can be of, in bytes. What says that it is larger is damaged.
pub(in crate::store::local) const MAX_SIZE: u32 = 64 << 10;

/// The longest entry, in bytes.
pub(super) const MAX_ENTRY: usize = FIXED + 64 + MAX_SIZE as usize + ALIGN as usize;

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) digest: Digest,
    /// Bytes of the blob.
    pub(super) size: u32,
}

impl Header {
    /// Reads the header at the beginning of some bytes; `None` where there is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_at_checked(FIXED)?;
        let hash_len = usize::from(fixed[4]);
        let size = u32::from_le_bytes(fixed[8..12].try_into().ok()?);
        if fixed[..4] != MAGIC || fixed[5..8] != [0; 3] || fixed[12..] != [0; 4] || size > MAX_SIZE {
            return None;
        }
        Some(Self { digest: Digest::from_bytes(rest.get(..hash_len)?)?, size })
    }

    /// How long it is: the blob begins so many bytes after the entry.
    pub(super) fn len(&self) -> usize {
        FIXED + self.digest.bytes().len()
    }

    /// How long the entry is.
    pub(super) fn entry_len(&self) -> u64 {
        entry_len(&self.digest, self.size)
    }
}

/// How many bytes of a pack a blob takes.
pub(super) fn entry_len(digest: &Digest, size: u32) -> u64 {
    (FIXED as u64 + digest.bytes().len() as u64 + u64::from(size)).next_multiple_of(ALIGN)
}

/// Adds an entry to the bytes of a pack, which end where one may begin. The size must be at most [`MAX_SIZE`]. Returns where
/// in them the blob begins.
pub(super) fn write(pack: &mut Vec<u8>, digest: &Digest, blob: &[u8]) -> usize {
    let hash = digest.bytes();
    pack.extend_from_slice(&MAGIC);
    pack.extend_from_slice(&[u8::try_from(hash.len()).unwrap_or_default(), 0, 0, 0]);
    pack.extend_from_slice(&u32::try_from(blob.len()).unwrap_or(u32::MAX).to_le_bytes());
    pack.extend_from_slice(&[0; 4]);
    pack.extend_from_slice(hash);
    let start = pack.len();
    pack.extend_from_slice(blob);
    pack.resize(pack.len().next_multiple_of(ALIGN as usize), 0);
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::Algorithm;

    #[test]
    fn what_is_written_is_read() {
        for algorithm in Algorithm::ALL {
            for blob in [&b""[..], b"x", b"eight by", &[7; 5000]] {
                let digest = Digest::compute(algorithm, blob);
                let mut pack = vec![1; 16];
                let start = write(&mut pack, &digest, blob);
                let header = Header::read(&pack[16..]).unwrap();
                assert_eq!(header, Header { digest: digest.clone(), size: blob.len() as u32 });
                assert_eq!((16 + header.len(), &pack[start..start + blob.len()]), (start, blob));
                assert_eq!(pack.len() as u64, 16 + header.entry_len());
                assert!(pack.len() - 16 <= MAX_ENTRY);
            }
        }
    }

    #[test]
    fn what_is_no_header_is_told() {
        let digest = Digest::of(b"blob");
        let mut pack = Vec::new();
        write(&mut pack, &digest, b"blob");
        assert!(Header::read(&pack).is_some());
        for at in [0, 3, 4, 5, 7, 11, 12, 15] {
            let mut damaged = pack.clone();
            damaged[at] ^= 0x40;
            assert_eq!(Header::read(&damaged), None, "byte {at}");
        }
        for len in 0..48 {
            assert_eq!(Header::read(&pack[..len]), None, "{len} bytes");
        }
        assert_eq!(Header::read(&[0; 100]), None);
    }
}
