//! Bodies in a `Content-Encoding`. Nobody is asked for one, and yet proxies and object stores send them; and some call
//! gzip what is a layer in gzip, whose digest is of the bytes as they are.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::header::{CONTENT_ENCODING, HeaderMap};

use super::body::BlobStream;
use crate::domain::MediaType;
use crate::domain::error::{Error, Kind, Result};

/// How much of a body is read to tell how it was sent.
const PEEK: usize = 4 << 10;
/// How much is decoded at a time: what comes of it is a thousand times as much at most.
const STEP: usize = 4 << 10;

/// An encoding that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    Zlib,
    Zstd,
}

impl Encoding {
    /// The encoding that an answer names; `None` where it names none.
    ///
    /// # Errors
    /// The name of one that is not understood.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, String> {
        let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
        match value.as_bytes().trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Ok(None),
            b"gzip" | b"x-gzip" => Ok(Some(Self::Gzip)),
            b"deflate" => Ok(Some(Self::Zlib)),
            b"zstd" => Ok(Some(Self::Zstd)),
            other => Err(String::from_utf8_lossy(other).chars().take(40).collect()),
        }
    }

    /// Whether bytes begin as this encoding does.
    fn begins(self, bytes: &[u8]) -> bool {
        match (self, bytes) {
            (Self::Gzip, [0x1f, 0x8b, ..]) | (Self::Zstd, [0x28, 0xb5, 0x2f, 0xfd, ..]) => true,
            // Skippable frames may stand before the first.
            (Self::Zstd, [first, 0x2a, 0x4d, 0x18, ..]) => first & 0xf0 == 0x50,
            (Self::Zlib, [first, second, ..]) => {
                first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31)
            }
            _ => false,
        }
    }

    /// Undoes it; at most `limit` bytes and one more.
    ///
    /// # Errors
    /// The bytes are not so encoded.
    pub fn decode(self, bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
        let mut decoder = Decoder::new(self)?;
        let mut plain = Vec::new();
        for piece in bytes.chunks(STEP) {
            plain.extend(decoder.decode(piece)?);
            if plain.len() as u64 > limit {
                return Ok(plain);
            }
        }
        plain.extend(decoder.finish()?);
        Ok(plain)
    }

    /// Whether a body that begins so was encoded on its way, given what kind of content it has to be. A layer in gzip that
    /// is called gzip is so by itself, unless there is gzip within.
    fn was_applied(self, beginning: &[u8], media_type: &MediaType) -> bool {
        if !self.begins(beginning) {
            return false;
        }
        let name = media_type.as_str();
        let own = match self {
            Self::Gzip => name.ends_with("gzip"),
            Self::Zstd => name.ends_with("zstd"),
            Self::Zlib => false,
        };
        let within = || {
            let mut decoder = Decoder::new(self).ok()?;
            decoder.decode(beginning).ok().filter(|plain| !plain.is_empty())
        };
        !own || within().is_some_and(|plain| self.begins(&plain))
    }
}

/// A decoder that is given pieces.
pub(super) enum Decoder {
    Gzip(flate2::write::MultiGzDecoder<Vec<u8>>),
    Zlib(flate2::write::ZlibDecoder<Vec<u8>>),
    Zstd(zstd::stream::write::Decoder<'static, Vec<u8>>),
}

impl Decoder {
    fn new(encoding: Encoding) -> io::Result<Self> {
        Ok(match encoding {
            Encoding::Gzip => Self::Gzip(flate2::write::MultiGzDecoder::new(Vec::new())),
            Encoding::Zlib => Self::Zlib(flate2::write::ZlibDecoder::new(Vec::new())),
            Encoding::Zstd => {
                let mut decoder = zstd::stream::write::Decoder::new(Vec::new())?;
                // As browsers have it (RFC 9659): 8 MiB.
                decoder.window_log_max(23)?;
                Self::Zstd(decoder)
            }
        })
    }

    /// What comes of the next piece.
    fn decode(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(decoder) => decoder.write_all(piece).and_then(|()| decoder.flush())?,
            Self::Zlib(decoder) => decoder.write_all(piece).and_then(|()| decoder.flush())?,
            Self::Zstd(decoder) => decoder.write_all(piece).and_then(|()| decoder.flush())?,
        }
        Ok(std::mem::take(match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }))
    }

    /// What is left at the end.
    fn finish(&mut self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(decoder) => decoder.try_finish()?,
            Self::Zlib(decoder) => decoder.try_finish()?,
            Self::Zstd(decoder) => decoder.flush()?,
        }
        self.decode(&[])
    }
}

/// A blob's body without the encoding it was sent in, if there was one. `length` is how long it is as it arrives, where
/// that is known, and `size` how long the blob is: where both are the same, nothing is undone.
///
/// # Errors
/// What reading the beginning of the body fails with.
pub(super) async fn blob(
    body: BlobStream,
    encoding: Encoding,
    length: Option<u64>,
    size: u64,
    media_type: &MediaType,
) -> Result<BlobStream> {
    if length == Some(size) {
        return Ok(body);
    }
    let mut body = body.fuse();
    let mut beginning = BytesMut::new();
    while beginning.len() < PEEK {
        match body.next().await {
            Some(chunk) => beginning.extend_from_slice(&chunk?),
            None => break,
        }
    }
    let applied = encoding.was_applied(&beginning[..beginning.len().min(PEEK)], media_type);
    let body = futures_util::stream::iter([Ok(beginning.freeze())]).chain(body).boxed();
    match applied {
        true => decoded(body, encoding),
        false => Ok(body),
    }
}

fn decoded(body: BlobStream, encoding: Encoding) -> Result<BlobStream> {
    let broken =
        |cause: io::Error| Error::new(Kind::DataLoss, "the blob is not encoded as the registry says").with_cause(cause);
    let decoder = Decoder::new(encoding).map_err(|cause| Error::internal("decoding a blob", cause))?;
    let stream = futures_util::stream::unfold(Some((body, decoder, Bytes::new())), move |state| async move {
        let (mut body, mut decoder, mut chunk) = state?;
        loop {
            if chunk.is_empty() {
                match body.next().await {
                    Some(Ok(next)) => chunk = next,
                    Some(Err(error)) => return Some((Err(error), None)),
                    None => {
                        let last = decoder.finish().map(Bytes::from).map_err(broken);
                        return Some((last, None));
                    }
                }
            }
            let piece = chunk.split_to(chunk.len().min(STEP));
            match decoder.decode(&piece) {
                Ok(plain) if plain.is_empty() => {}
                Ok(plain) => return Some((Ok(plain.into()), Some((body, decoder, chunk)))),
                Err(cause) => return Some((Err(broken(cause)), None)),
            }
        }
    });
    Ok(stream.boxed())
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 0).unwrap()
    }

    async fn read(sent: &[u8], encoding: Encoding, known: bool, size: usize, kind: &MediaType) -> Result<Vec<u8>> {
        let chunks: Vec<_> = sent.chunks(7).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let length = known.then_some(sent.len() as u64);
        let body = futures_util::stream::iter(chunks).boxed();
        let body = blob(body, encoding, length, size as u64, kind).await?;
        Ok(body.try_collect::<Vec<_>>().await?.concat())
    }

    #[tokio::test]
    async fn what_was_encoded_on_its_way_is_decoded_and_nothing_else() {
        let plain: Vec<u8> = (0..40_000u32).flat_map(|n| (n % 251).to_le_bytes()).collect();
        let (tar, gz, zst) = (
            MediaType::OCI_LAYER,
            MediaType::new("application/vnd.oci.image.layer.v1.tar+gzip"),
            MediaType::new("application/vnd.oci.image.layer.v1.tar+zstd"),
        );
        for known in [true, false] {
            for (own, kind, encoding, sent) in [
                (&plain, &tar, Encoding::Gzip, gzip(&plain)),
                (&plain, &tar, Encoding::Zlib, zlib(&plain)),
                (&plain, &tar, Encoding::Zstd, zstd(&plain)),
                // Called encoded, and is the content itself.
                (&plain, &tar, Encoding::Gzip, plain.clone()),
                (&gzip(&plain), &gz, Encoding::Gzip, gzip(&plain)),
                (&zstd(&plain), &zst, Encoding::Zstd, zstd(&plain)),
                // A layer in gzip that was compressed once more.
                (&gzip(&plain), &gz, Encoding::Gzip, gzip(&gzip(&plain))),
                (&gzip(&plain), &gz, Encoding::Zstd, zstd(&gzip(&plain))),
            ] {
                let got = read(&sent, encoding, known, own.len(), kind).await.unwrap();
                assert!(got == *own, "{encoding:?} {kind} {known}");
            }
        }
        let mut cut = gzip(&plain);
        cut.truncate(cut.len() / 2);
        assert!(read(&cut, Encoding::Gzip, true, plain.len(), &tar).await.is_err());
        assert!(read(&[0x1f, 0x8b, 0xff], Encoding::Gzip, true, 9, &tar).await.is_err());
        assert_eq!(read(&[], Encoding::Gzip, true, 9, &tar).await.unwrap(), b"");
    }

    #[test]
    fn a_document_is_decoded_up_to_a_limit() {
        let plain = vec![b' '; 1 << 20];
        for (encoding, sent) in
            [(Encoding::Gzip, gzip(&plain)), (Encoding::Zlib, zlib(&plain)), (Encoding::Zstd, zstd(&plain))]
        {
            assert_eq!(encoding.decode(&sent, 1 << 20).unwrap().len(), 1 << 20);
            let more = encoding.decode(&sent, 1000).unwrap().len();
            assert!(more > 1000 && more <= 1 << 20);
        }
    }
}
