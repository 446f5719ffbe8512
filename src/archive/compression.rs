//! Compression of archives and of the layers in them. Decoders run in this process; none is ever executed.

use std::io::{self, BufReader, Chain, Cursor, Read};

use crate::domain::{Error, Result};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const BZIP2: &[u8] = b"BZh";

/// What an xz decoder may take, in KiB: what `xz -9` needs.
const XZ_MEMORY: u32 = 80 << 10;

/// The largest zstd window that is decoded, as a power of two: what `zstd --ultra -22` needs.
const ZSTD_WINDOW_LOG: u32 = 27;

/// How a file is compressed, as its first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn of(start: &[u8]) -> Self {
        if start.starts_with(GZIP) {
            Self::Gzip
        } else if start.starts_with(ZSTD) {
            Self::Zstd
        } else {
            Self::None
        }
    }
}

/// How a whole archive is compressed, as its first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    None,
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

/// The bytes of an archive or a layer without its compression, which its first bytes tell.
///
/// # Errors
/// `InvalidArgument` where its decoder cannot be started.
pub fn decompress(archive: impl Read) -> Result<impl Read> {
    let (format, whole) = sniff(archive)?;
    decoder(format, whole)
}

/// An archive of which the beginning was read ahead.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// How an archive is compressed, and the whole of it.
pub(super) fn sniff<R: Read>(mut archive: R) -> Result<(Format, Whole<R>)> {
    let mut start = [0u8; 6];
    let mut filled = 0;
    while filled < start.len() {
        match archive.read(&mut start[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(super::tar::unreadable(e)),
        }
    }
    let start = &start[..filled];
    let format = match Compression::of(start) {
        Compression::Gzip => Format::Gzip,
        Compression::Zstd => Format::Zstd,
        Compression::None if start == XZ => Format::Xz,
        Compression::None if start.starts_with(BZIP2) => Format::Bzip2,
        Compression::None => Format::None,
    };
    Ok((format, Cursor::new(start.to_vec()).chain(archive)))
}

/// A reader without the compression.
pub(super) fn decoder<R: Read>(format: Format, whole: R) -> Result<impl Read> {
    Ok(match format {
        Format::Gzip => Plain::Gzip(Box::new(flate2::read::MultiGzDecoder::new(whole))),
        Format::Zstd => {
            let failed = |e| Error::internal("starting the zstd decoder failed", e);
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(BufReader::with_capacity(128 << 10, whole)).map_err(failed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(failed)?;
            Plain::Zstd(Box::new(decoder))
        }
        Format::Xz => {
            let whole = BufReader::with_capacity(128 << 10, whole);
            Plain::Xz(Box::new(lzma_rust2::XzReader::new_mem_limit(whole, true, XZ_MEMORY)))
        }
        Format::Bzip2 => Plain::Bzip2(Box::new(bzip2::read::MultiBzDecoder::new(whole))),
        Format::None => Plain::As(whole),
    })
}

enum Plain<R: Read> {
    As(R),
    Gzip(Box<flate2::read::MultiGzDecoder<R>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<R>>>),
    Xz(Box<lzma_rust2::XzReader<BufReader<R>>>),
    Bzip2(Box<bzip2::read::MultiBzDecoder<R>>),
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::As(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
            Self::Zstd(reader) => reader.read(buffer),
            Self::Xz(reader) => reader.read(buffer),
            Self::Bzip2(reader) => reader.read(buffer),
        }
    }
}

/// A reader that remembers how what it read starts.
pub(super) struct Sniffed<R> {
    reader: R,
    start: Vec<u8>,
}

impl<R: Read> Sniffed<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, start: Vec::new() }
    }

    /// The compression of what is read. The first bytes are read for that, if nobody has yet.
    pub(super) fn compression(mut self) -> Result<Compression> {
        while self.start.len() < ZSTD.len() {
            match self.read(&mut [0; ZSTD.len()]) {
                Ok(0) => break,
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(super::tar::unreadable(e)),
            }
        }
        Ok(Compression::of(&self.start))
    }
}

impl<R: Read> Read for Sniffed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        if self.start.len() < ZSTD.len() {
            let wanted = (ZSTD.len() - self.start.len()).min(read);
            self.start.extend_from_slice(&buffer[..wanted]);
        }
        Ok(read)
    }
}
