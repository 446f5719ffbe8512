//! Reading a pack from its bytes, where its index does not say what is in it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::entry::{ALIGN, Header, MAX_ENTRY};
use super::location::{Location, Packed};
use crate::domain::Digest;

/// Which entries are found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Those that are whole: their bytes have the digest of their headers.
    Whole,
    /// All that have a header, and as many bytes as that says.
    All,
}

/// What was found in a part of a pack.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: Vec<Packed>,
    /// Where the last of them ends; where the part begins if there is none.
    pub(super) end: u64,
}

/// Reads a pack from an offset to its end. What is no entry is passed over, up to where one begins.
pub(super) fn scan(file: &File, pack: u32, from: u64, len: u64, wanted: Wanted) -> io::Result<Found> {
    let mut found = Found { entries: Vec::new(), end: from };
    let mut offset = from.next_multiple_of(ALIGN);
    let mut window = Window { file, bytes: Vec::new(), start: offset, is_last: false };
    while offset < len {
        let bytes = window.from(offset)?;
        let Some(header) = Header::read(bytes) else {
            offset += ALIGN;
            continue;
        };
        let start = header.len();
        let blob = bytes.get(start..start + header.size as usize);
        let is_wanted = blob.is_some_and(|blob| {
            wanted == Wanted::All || Digest::compute(header.digest.algorithm(), blob) == header.digest
        });
        let start = u32::try_from(offset + start as u64);
        let (Ok(start), true) = (start, is_wanted) else {
            offset += ALIGN;
            continue;
        };
        offset += header.entry_len();
        found.end = offset.min(len);
        let location = Location { pack, start, size: header.size };
        found.entries.push(Packed { digest: header.digest, location });
    }
    Ok(found)
}

/// Bytes that are read at a time.
const WINDOW: usize = 1 << 20;

/// A part of a pack in memory.
struct Window<'a> {
    file: &'a File,
    bytes: Vec<u8>,
    start: u64,
    /// Whether the pack ends with it.
    is_last: bool,
}

impl Window<'_> {
    /// The bytes from an offset on, which only grows: at least those of an entry, or all that there are.
    fn from(&mut self, offset: u64) -> io::Result<&[u8]> {
        let here = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let rest = self.bytes.len().saturating_sub(here);
        if rest >= MAX_ENTRY || self.is_last {
            return Ok(self.bytes.get(here..).unwrap_or_default());
        }
        self.bytes.resize(WINDOW, 0);
        let mut filled = 0;
        while filled < WINDOW {
            match self.file.read_at(&mut self.bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.bytes.truncate(filled);
        (self.start, self.is_last) = (offset, filled < WINDOW);
        Ok(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::entry::write;
    use super::*;

    fn pack(blobs: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for blob in blobs {
            write(&mut bytes, &Digest::of(blob), blob);
        }
        bytes
    }

    fn found(bytes: &[u8], from: u64, wanted: Wanted) -> (Vec<Digest>, u64) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let Found { entries, end } = scan(&file, 1, from, bytes.len() as u64, wanted).unwrap();
        for Packed { digest, location } in &entries {
            let blob = &bytes[location.start as usize..][..location.size as usize];
            assert!(wanted == Wanted::All || Digest::of(blob) == *digest);
        }
        (entries.into_iter().map(|entry| entry.digest).collect(), end)
    }

    #[test]
    fn entries_are_found_in_order() {
        let blobs: Vec<Vec<u8>> = (0..200u32).map(|n| vec![n as u8; (n * 331 % 16384) as usize]).collect();
        let blobs: Vec<&[u8]> = blobs.iter().map(Vec::as_slice).collect();
        let (bytes, digests) = (pack(&blobs), blobs.iter().map(|blob| Digest::of(blob)).collect::<Vec<_>>());
        assert!(bytes.len() > WINDOW);
        assert_eq!(found(&bytes, 0, Wanted::Whole), (digests.clone(), bytes.len() as u64));
        let from = pack(&blobs[..150]).len() as u64;
        assert_eq!(found(&bytes, from, Wanted::Whole), (digests[150..].to_vec(), bytes.len() as u64));
        assert_eq!(found(&bytes, bytes.len() as u64, Wanted::All), (vec![], bytes.len() as u64));
        assert_eq!(found(&[], 0, Wanted::All), (vec![], 0));
    }

    #[test]
    fn an_entry_that_is_cut_short_is_none() {
        let (whole, all) = (pack(&[b"first"]), pack(&[b"first", b"the second one"]));
        for len in whole.len()..all.len() - 2 {
            assert_eq!(found(&all[..len], 0, Wanted::All), (vec![Digest::of(b"first")], whole.len() as u64), "{len}");
        }
    }

    #[test]
    fn damage_hides_nothing_that_comes_after_it() {
        let [first, second, third] = [b"first", b"other", b"third"].map(|blob| Digest::of(blob));
        let bytes = pack(&[b"first", b"other", b"third"]);
        let second_entry = pack(&[b"first"]).len();
        for at in second_entry..second_entry + 48 + 5 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(found(&damaged, 0, Wanted::Whole).0, [first.clone(), third.clone()], "byte {at}");
        }
        let mut rotten = bytes.clone();
        rotten[second_entry + 48] ^= 1;
        assert_eq!(found(&rotten, 0, Wanted::All).0, [first, second, third]);
    }

    #[test]
    fn what_an_entry_of_another_pack_holds_counts_for_what_it_is() {
        // A blob may look like an entry; it is passed over with the entry that it is in.
        let inner = pack(&[b"inner"]);
        let bytes = pack(&[&inner, b"after"]);
        assert_eq!(found(&bytes, 0, Wanted::Whole).0, [Digest::of(&inner), Digest::of(b"after")]);
    }
}
