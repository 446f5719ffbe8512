//! The tar container: headers one by one, with everything that an archive may claim kept in bounds.
//!
//! The `tar` crate decodes header blocks; the walk from block to block is here, because long names and PAX records are
//! read under a limit, and a PAX `size` moves the next header, as in Go's reader.

use std::io::{self, Read};

use crate::domain::{Error, Kind, Result};

/// The longest name, link target or set of PAX records, in bytes.
const MAX_EXTENDED: u64 = 1 << 20;

/// How much may follow the end of an archive before it is cut off, in bytes. `tar` pads to 10 KiB and more.
const MAX_TRAILER: u64 = 1 << 20;

const BLOCK: u64 = 512;

/// What an entry is. Devices, sockets and sparse files do not occur in image archives and are refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Directory,
    /// A hard or symbolic link with its target.
    Link(String),
}

/// One member of an archive.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) kind: EntryKind,
    /// Bytes of content.
    pub(super) size: u64,
}

/// The entries of a tar stream, in order.
pub(super) struct Entries<R> {
    reader: R,
    /// Content of the current entry that was not read yet.
    left: u64,
    padding: u64,
    done: bool,
    /// Whether a whole header block was read, so that this is a tar archive at all.
    has_begun: bool,
}

/// What extension headers say of the entry that follows them.
#[derive(Default)]
struct Extended {
    path: Option<String>,
    link: Option<String>,
    size: Option<u64>,
}

impl<R: Read> Entries<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, left: 0, padding: 0, done: false, has_begun: false }
    }

    /// The next entry; `None` at the end. Content that was not read is skipped.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>> {
        let mut extended = Extended::default();
        loop {
            self.skip_content()?;
            if self.done {
                return Ok(None);
            }
            let Some(header) = self.header()? else {
                self.done = true;
                return match extended {
                    Extended { path: None, link: None, size: None } => Ok(None),
                    _ => Err(Error::invalid("archive ends after an extension header")),
                };
            };
            let claimed =
                header.entry_size().map_err(|e| Error::invalid("archive has a malformed size").with_cause(e))?;
            let kind = header.entry_type();
            if kind.is_gnu_longname()
                || kind.is_gnu_longlink()
                || kind.is_pax_local_extensions()
                || kind.is_pax_global_extensions()
            {
                self.begin(claimed);
                let bytes = self.small()?;
                if kind.is_gnu_longname() {
                    extended.path = Some(text(bytes.split(|b| *b == 0).next().unwrap_or_default())?);
                } else if kind.is_gnu_longlink() {
                    extended.link = Some(text(bytes.split(|b| *b == 0).next().unwrap_or_default())?);
                } else if kind.is_pax_local_extensions() {
                    pax(&bytes, &mut extended)?;
                }
                continue;
            }
            let path = match extended.path.take() {
                Some(path) => path,
                None => text(&header.path_bytes())?,
            };
            // Links and directories have no content, whatever their header claims; Go's reader does the same.
            let (kind, size) = if kind.is_file() || kind.is_contiguous() {
                // Archives from before POSIX mark directories by the slash alone.
                match path.ends_with('/') {
                    true => (EntryKind::Directory, 0),
                    false => (EntryKind::File, extended.size.unwrap_or(claimed)),
                }
            } else if kind.is_dir() {
                (EntryKind::Directory, 0)
            } else if kind.is_symlink() || kind.is_hard_link() {
                let target = match extended.link.take() {
                    Some(link) => link,
                    None => text(&header.link_name_bytes().unwrap_or_default())?,
                };
                (EntryKind::Link(target), 0)
            } else {
                let text = format!(
                    "archive has an entry of an unsupported type: {:?}",
                    crate::domain::descriptor::clip(&path)
                );
                return Err(Error::invalid(text));
            };
            self.begin(size);
            return Ok(Some(Entry { path, kind, size }));
        }
    }

    /// The content of the current entry.
    pub(super) fn content(&mut self) -> Content<'_, R> {
        Content(self)
    }

    /// Reads what follows the end of the archive, so that the sender is not cut off while it pads.
    pub(super) fn finish(mut self) -> Result<()> {
        let mut trailer = (&mut self.reader).take(MAX_TRAILER);
        io::copy(&mut trailer, &mut io::sink()).map_err(unreadable)?;
        Ok(())
    }

    pub(super) fn begin(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK - size % BLOCK) % BLOCK;
    }

    /// Reads one header block; `None` at the end of the archive.
    pub(super) fn header(&mut self) -> Result<Option<tar::Header>> {
        let mut block = [0u8; BLOCK as usize];
        let mut filled = 0;
        while filled < block.len() {
            match self.reader.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) if self.has_begun => return Err(truncated()),
                Ok(0) => return Err(Error::invalid("this is not a tar archive: it ends within its first header")),
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(unreadable(e)),
            }
        }
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = tar::Header::from_byte_slice(&block).clone();
        let sum: u32 =
            block.iter().enumerate().map(|(i, byte)| if (148..156).contains(&i) { 32 } else { u32::from(*byte) }).sum();
        if header.cksum().ok() != Some(sum) {
            return Err(Error::invalid(match is_first {
                true => "this is not a tar archive: the checksum of its first header is wrong",
                false => "the archive is damaged: the checksum of a header is wrong",
            }));
        }
        Ok(Some(header))
    }

    /// The whole content of an extension header.
    pub(super) fn small(&mut self) -> Result<Vec<u8>> {
        if self.left > MAX_EXTENDED {
            return Err(Error::invalid(format!("archive has an extension header larger than {MAX_EXTENDED} bytes")));
        }
        let mut bytes = Vec::new();
        self.content().read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    }

    pub(super) fn skip_content(&mut self) -> Result<()> {
        let rest = self.left.saturating_add(self.padding);
        (self.left, self.padding) = (0, 0);
        if rest > 0 {
            let skipped = io::copy(&mut (&mut self.reader).take(rest), &mut io::sink()).map_err(unreadable)?;
            if skipped < rest {
                return Err(truncated());
            }
        }
        Ok(())
    }
}

/// Reads the content of one entry, and never past it.
pub(super) struct Content<'a, R>(&'a mut Entries<R>);

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(usize::try_from(self.0.left).unwrap_or(usize::MAX));
        if len == 0 {
            return Ok(0);
        }
        let read = self.0.reader.read(&mut buffer[..len])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.0.left -= read as u64;
        Ok(read)
    }
}

/// PAX records: `<length> <key>=<value>\n`, of which three matter here.
fn pax(mut bytes: &[u8], extended: &mut Extended) -> Result<()> {
    let malformed = || Error::invalid("archive has a malformed PAX header");
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').ok_or_else(malformed)?;
        let digits = std::str::from_utf8(&bytes[..space]).map_err(|_| malformed())?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        let length: usize = digits.parse().map_err(|_| malformed())?;
        if length <= space + 1 || length > bytes.len() || bytes[length - 1] != b'\n' {
            return Err(malformed());
        }
        let record = &bytes[space + 1..length - 1];
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(malformed)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" => extended.path = Some(text(value)?),
            b"linkpath" => extended.link = Some(text(value)?),
            b"size" => {
                let value = std::str::from_utf8(value).map_err(|_| malformed())?;
                extended.size =
                    Some(value.parse::<i64>().ok().and_then(|v| u64::try_from(v).ok()).ok_or_else(malformed)?);
            }
            key if key.starts_with(b"GNU.sparse.") => return Err(Error::invalid("archive has a sparse file")),
            _ => {}
        }
        bytes = &bytes[length..];
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Result<String> {
    if bytes.contains(&0) {
        return Err(Error::invalid("archive has a name with a NUL in it"));
    }
    String::from_utf8(bytes.to_vec()).map_err(|e| Error::invalid("archive has a name that is not UTF-8").with_cause(e))
}

pub(super) fn truncated() -> Error {
    Error::invalid("unexpected end of the archive")
}

/// Why bytes of the archive could not be had: the archive's own fault, or the connection's.
pub fn unreadable(error: io::Error) -> Error {
    // What the reader below has failed with is passed on as it is.
    let error = match error.downcast::<Error>() {
        Ok(own) => return own,
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::UnexpectedEof => truncated(),
        io::ErrorKind::ConnectionAborted => Error::new(Kind::Cancelled, "the client went away").with_cause(error),
        // Decoders report damage in either of these.
        io::ErrorKind::InvalidData
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::Unsupported
        | io::ErrorKind::OutOfMemory
        | io::ErrorKind::Other => Error::invalid("archive cannot be decompressed").with_cause(error),
        _ => Error::io("reading the archive", error),
    }
}
