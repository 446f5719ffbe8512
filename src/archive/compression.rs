//! Compression of archives and of the layers in them. Decoders run in this process; none is ever executed.
//!
//! A compressed file is one member after another (RFC 1952, section 2.2; RFC 8878, section 3.1). What tapes, `dd` and
//! object stores leave after the last, zeroes, is not part of it.

mod source;
mod zstd_frame;

use std::io::{self, Read};

use crate::domain::{Error, Result};
pub(super) use source::Source;
use zstd_frame::ZstdFrame;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The end of the magic numbers of zstd's skippable frames, 0x184D2A50 to 0x184D2A5F, in little-endian order.
const ZSTD_SKIPPABLE: &[u8] = &[0x2a, 0x4d, 0x18];

const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const BZIP2: &[u8] = b"BZh";

/// The longest magic number.
const LONGEST: usize = XZ.len();

/// What an xz decoder may take, in KiB: what `xz -9` needs.
const XZ_MEMORY: u32 = 80 << 10;

/// How a file is compressed, as its first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn of(start: &[u8]) -> Self {
        match Format::of(start) {
            Format::Gzip => Self::Gzip,
            Format::Zstd => Self::Zstd,
            Format::None | Format::Xz | Format::Bzip2 => Self::None,
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

impl Format {
    fn of(start: &[u8]) -> Self {
        let is_skippable =
            start.first().is_some_and(|byte| byte & 0xf0 == 0x50) && start[1..].starts_with(ZSTD_SKIPPABLE);
        if start.starts_with(GZIP) {
            Self::Gzip
        } else if start.starts_with(ZSTD) || is_skippable {
            Self::Zstd
        } else if start.starts_with(XZ) {
            Self::Xz
        } else if start.starts_with(BZIP2) {
            Self::Bzip2
        } else {
            Self::None
        }
    }
}

/// What becomes of bytes after the last member that are not zeroes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trailing {
    /// Nobody reads that far, as gzip itself warns and goes on.
    Ignored,
    /// Other programs would fail on them.
    Refused,
}

/// The bytes of a layer without its compression, which its first bytes tell.
///
/// # Errors
/// `InvalidArgument` where its decoder cannot be started.
pub fn decompress<'a>(layer: impl Read + 'a) -> Result<impl Read + 'a> {
    let mut source = Source::new(layer);
    let format = sniff(&mut source)?;
    decoder(format, source, Trailing::Refused)
}

/// How an archive is compressed. Nothing of it is consumed.
pub(super) fn sniff<R: Read>(source: &mut Source<'_, R>) -> Result<Format> {
    Ok(Format::of(source.peek(LONGEST).map_err(super::tar::unreadable)?))
}

/// A reader without the compression.
pub(super) fn decoder<R: Read>(format: Format, source: Source<'_, R>, trailing: Trailing) -> Result<impl Read> {
    let failed = |e| Error::internal("starting a decoder failed", e);
    Ok(Members { format, trailing, member: Some(Member::begin(format, source).map_err(failed)?) })
}

/// Everything that the members of a file hold.
struct Members<'a, R: Read> {
    format: Format,
    trailing: Trailing,
    /// The one that is read; absent after the last.
    member: Option<Member<'a, R>>,
}

enum Member<'a, R: Read> {
    As(Source<'a, R>),
    Gzip(Box<flate2::bufread::GzDecoder<Source<'a, R>>>),
    Zstd(Box<ZstdFrame<Source<'a, R>>>),
    Xz(Box<lzma_rust2::XzReader<Source<'a, R>>>),
    Bzip2(Box<bzip2::bufread::BzDecoder<Source<'a, R>>>),
}

impl<'a, R: Read> Member<'a, R> {
    fn begin(format: Format, source: Source<'a, R>) -> io::Result<Self> {
        Ok(match format {
            Format::None => Self::As(source),
            Format::Gzip => Self::Gzip(Box::new(flate2::bufread::GzDecoder::new(source))),
            Format::Zstd => Self::Zstd(Box::new(ZstdFrame::new(source)?)),
            Format::Xz => Self::Xz(Box::new(lzma_rust2::XzReader::new_mem_limit(source, false, XZ_MEMORY))),
            Format::Bzip2 => Self::Bzip2(Box::new(bzip2::bufread::BzDecoder::new(source))),
        })
    }

    /// The member after this one, which has ended; `None` where nothing follows.
    fn next(self, format: Format, trailing: Trailing) -> io::Result<Option<Self>> {
        let (mut source, zstd) = match self {
            Self::As(_) => return Ok(None),
            Self::Gzip(decoder) => (decoder.into_inner(), None),
            Self::Zstd(frame) => {
                let (source, decoder) = frame.into_parts();
                (source, Some(decoder))
            }
            Self::Xz(decoder) => (decoder.into_inner(), None),
            Self::Bzip2(decoder) => (decoder.into_inner(), None),
        };
        source.skip_zeroes()?;
        let start = source.peek(LONGEST)?;
        if start.is_empty() {
            return Ok(None);
        }
        if Format::of(start) != format {
            return match trailing {
                Trailing::Ignored => Ok(None),
                Trailing::Refused => Err(io::Error::other(Error::invalid(
                    "bytes that are neither compressed nor zero follow the end of the compressed archive",
                ))),
            };
        }
        match zstd {
            // Making one costs more than most of the many frames that some files have.
            Some(decoder) => Ok(Some(Self::Zstd(Box::new(ZstdFrame::with(decoder, source)?)))),
            None => Self::begin(format, source).map(Some),
        }
    }
}

impl<R: Read> Read for Members<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let read = match &mut self.member {
                None => return Ok(0),
                Some(Member::As(source)) => source.read(buffer),
                Some(Member::Gzip(decoder)) => decoder.read(buffer),
                Some(Member::Zstd(frame)) => frame.read(buffer),
                Some(Member::Xz(decoder)) => decoder.read(buffer),
                Some(Member::Bzip2(decoder)) => decoder.read(buffer),
            }?;
            if read > 0 {
                return Ok(read);
            }
            if let Some(ended) = self.member.take() {
                self.member = ended.next(self.format, self.trailing)?;
            }
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

#[cfg(test)]
mod tests;
