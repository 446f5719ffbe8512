//! Root file systems: tar archives that become a layer as they are.
//!
//! What is in such an archive is the business of who unpacks it one day: devices, odd names and sparse files are fine
//! here. It has to be a tar archive from its beginning to its end, and nothing else is looked at.

use std::io::{self, BufReader, Read, Write};

use flate2::write::GzEncoder;

use super::compression::{self, Compression, Format, Source, Trailing};
use super::tar::{Entries, unreadable};
use crate::domain::digest::{Algorithm, Hasher};
use crate::domain::{Digest, Result};

/// Bytes that are worked on at a time.
const BUFFER: usize = 128 << 10;

/// A layer that was made of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// How it is stored.
    pub compression: Compression,
    /// The digest of the archive without any compression.
    pub diff_id: Digest,
}

/// Reads a root file system's archive to its end and gives `store` the bytes of the layer that it becomes: those of the
/// archive where it is compressed with gzip or zstd, and else a compression with gzip. An archive without a byte is an
/// empty file system.
///
/// # Errors
/// `InvalidArgument` where it is no tar archive, or damaged; the errors of `store` as they are.
pub fn layer(archive: impl Read, store: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Layer> {
    let mut source = Source::new(archive);
    let format = compression::sniff(&mut source)?;
    let mut hasher = Algorithm::Sha256.hasher();
    let compression = match format {
        Format::Gzip | Format::Zstd => {
            // Padding is left out: most programs that unpack layers take it for damage.
            let mut used = |bytes: &[u8]| store(bytes).map_err(io::Error::other);
            let plain = compression::decoder(format, source.showing(&mut used), Trailing::Refused)?;
            read(hashed(plain, &mut hasher))?;
            if format == Format::Gzip { Compression::Gzip } else { Compression::Zstd }
        }
        Format::None | Format::Xz | Format::Bzip2 => {
            let plain = compression::decoder(format, source, Trailing::Refused)?;
            let mut gzip = GzEncoder::new(Stored(store), flate2::Compression::default());
            read(Tap { reader: hashed(plain, &mut hasher), taken: |bytes: &[u8]| gzip.write_all(bytes) })?;
            gzip.finish().map_err(unreadable)?;
            Compression::Gzip
        }
    };
    Ok(Layer { compression, diff_id: hasher.finish() })
}

fn hashed<R: Read>(reader: R, hasher: &mut Hasher) -> impl Read {
    let taken = |bytes: &[u8]| {
        hasher.update(bytes);
        Ok(())
    };
    Tap { reader, taken }
}

/// Shows everything that is read to somebody else.
struct Tap<R, F> {
    reader: R,
    taken: F,
}

impl<R: Read, F: FnMut(&[u8]) -> io::Result<()>> Read for Tap<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        (self.taken)(&buffer[..read])?;
        Ok(read)
    }
}

/// Where a compressor writes to.
struct Stored<'a>(&'a mut dyn FnMut(&[u8]) -> Result<()>);

impl Write for Stored<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.0)(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Goes through an archive, and reads what follows it.
fn read(archive: impl Read) -> Result<()> {
    let mut archive = BufReader::with_capacity(BUFFER, archive);
    let mut entries = Entries::new(&mut archive);
    while entries.next_entry()?.is_some() {}
    io::copy(&mut archive, &mut io::sink()).map_err(unreadable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Error, Kind};

    const BLOCK: usize = 512;

    fn made(archive: &[u8]) -> Result<(Layer, Vec<u8>)> {
        let mut stored = Vec::new();
        let layer = layer(archive, &mut |bytes| {
            stored.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok((layer, stored))
    }

    #[track_caller]
    fn refused(archive: &[u8], why: &str) {
        let error = made(archive).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidArgument, "{error:?}");
        assert!(error.public().contains(why), "{error:?}");
    }

    /// A header of a kind with what follows it, padded.
    fn entry(kind: u8, path: &str, claimed: u64, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(claimed);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    fn pax(record: &str) -> Vec<u8> {
        let record = format!(" {record}\n");
        let record = format!("{}{record}", record.len() + 2);
        entry(b'x', "pax", record.len() as u64, record.as_bytes())
    }

    fn end(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut archive = entries.concat();
        archive.resize(archive.len() + 1024, 0);
        archive
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn bzip2(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A file system in xz (made with `xz -9`): one empty directory `d`.
    fn xz() -> Vec<u8> {
        include_bytes!("rootfs.tar.xz").to_vec()
    }

    fn unzip(bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
        plain
    }

    /// Everything that image archives must not have and file systems do.
    fn odd() -> Vec<u8> {
        // Its map takes two blocks behind the header.
        let mut sparse = entry(b'S', "sparse", 512, b"");
        sparse[482] = 1;
        sparse[483..495].copy_from_slice(b"00000002000\0");
        let mut fixed = tar::Header::from_byte_slice(&sparse).clone();
        fixed.set_cksum();
        let mut map = vec![0u8; BLOCK];
        map[504] = 1;
        let mut last = vec![0u8; BLOCK];
        last[..23].copy_from_slice(b"00000001000\x0000000001000");
        let sparse = [fixed.as_bytes().to_vec(), map, last, vec![7u8; BLOCK]].concat();
        end(&[
            entry(b'5', "dev/", 0, b""),
            entry(b'3', "dev/null", 4096, b""),
            entry(b'4', "dev/sda", 0, b""),
            entry(b'6', "pipe", 0, b""),
            entry(b'2', "link", 9, b""),
            entry(b'0', "/absolute", 1, b"x"),
            entry(b'0', "../out", 1, b"x"),
            entry(b'0', "twice", 1, b"x"),
            entry(b'0', "twice", 1, b"y"),
            entry(b'g', "global", 4, b"what"),
            pax("size=600"),
            entry(b'0', "long", 1, &[9; 600]),
            entry(b'L', "name", 5, b"\xff\xfe\0ab"),
            entry(b'0', "short", 0, b""),
            sparse,
            entry(b'Z', "unknown", 3, b"abc"),
        ])
    }

    #[test]
    fn a_layer_is_stored_with_its_compression_or_with_gzip() {
        let plain = odd();
        let (layer, stored) = made(&plain).unwrap();
        assert_eq!((layer.compression, &layer.diff_id), (Compression::Gzip, &Digest::of(&plain)));
        assert_eq!(unzip(&stored), plain);

        let (layer, stored) = made(&bzip2(&plain)).unwrap();
        assert_eq!((layer.compression, &layer.diff_id), (Compression::Gzip, &Digest::of(&plain)));
        assert_eq!(unzip(&stored), plain);

        let (layer, stored) = made(&xz()).unwrap();
        assert_eq!((layer.compression, layer.diff_id), (Compression::Gzip, Digest::of(&unzip(&stored))));

        // In two members, as pigz and bgzip write it.
        let packed = [gzip(&plain[..1000]), gzip(&plain[1000..])].concat();
        let (layer, stored) = made(&packed).unwrap();
        assert_eq!((layer.compression, &layer.diff_id), (Compression::Gzip, &Digest::of(&plain)));
        assert_eq!(stored, packed);

        let packed = zstd::encode_all(&plain[..], 3).unwrap();
        let (layer, stored) = made(&packed).unwrap();
        assert_eq!((layer.compression, layer.diff_id), (Compression::Zstd, Digest::of(&plain)));
        assert_eq!(stored, packed);
    }

    #[test]
    fn what_follows_the_end_belongs_to_the_layer() {
        let mut padded = odd();
        padded.resize(padded.len() + 3 * BUFFER, 0);
        let (layer, stored) = made(&padded).unwrap();
        assert_eq!((layer.diff_id, unzip(&stored)), (Digest::of(&padded), padded));
        for empty in [Vec::new(), vec![0; 1024]] {
            assert_eq!(made(&empty).unwrap().0.diff_id, Digest::of(&empty));
        }
    }

    #[test]
    fn damage_is_found() {
        let plain = odd();
        let file = end(&[entry(b'0', "a", 2000, &[7; 2000])]);
        refused(b"not a tar", "this is not a tar archive");
        refused(&[b'x'; 2000], "not a tar");
        refused(&file[..1000], "unexpected end");
        refused(&gzip(b"not a tar, for all that it is compressed"), "this is not a tar archive");
        refused(&end(&[entry(b'0', "a", u64::MAX >> 2, b"x")]), "unexpected end");
        refused(&[pax("size=-1"), entry(b'0', "a", 0, b"")].concat(), "malformed PAX");
        refused(&end(&[pax("size=5")]), "ends after an extension");
        refused(&entry(b'x', "pax", 5 << 20, &vec![b'1'; 5 << 20]), "larger");
        for packed in [gzip(&plain), zstd::encode_all(&plain[..], 3).unwrap(), bzip2(&plain), xz()] {
            for cut in [7, packed.len() / 2, packed.len() - 1] {
                assert!(made(&packed[..cut]).is_err(), "{cut} of {}", packed.len());
            }
            let mut damaged = packed.clone();
            damaged[packed.len() / 2] ^= 0xff;
            assert!(made(&damaged).is_err());
        }
        refused(&[gzip(&plain), b"garbage".to_vec()].concat(), "");
    }

    #[test]
    fn a_full_disk_is_no_fault_of_the_archive() {
        for archive in [odd(), gzip(&odd())] {
            let full = || Err(Error::new(Kind::ResourceExhausted, "no space left on device"));
            let error = layer(&archive[..], &mut |_| full()).unwrap_err();
            assert_eq!(error.kind(), Kind::ResourceExhausted);
        }
    }
}
