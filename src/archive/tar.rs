//! The tar container: headers one by one, with everything that an archive may claim kept in bounds.
//!
//! What writers have made of the format in forty years is read as GNU tar, Python and Go read it: long names, PAX records,
//! sparse files, numbers in several forms, entries that are no files.

mod header;
mod pax;
mod sparse;

use std::io::{self, Read};

use crate::domain::descriptor::clip;
use crate::domain::{Error, Kind, Result};
use header::{BLOCK, Header};
use pax::{Extended, SparseRecords};
use sparse::{MAX_MAP, MAX_PIECES, Next, Sparse};

/// The longest name, link target or set of PAX records, in bytes.
const MAX_EXTENDED: u64 = 1 << 20;

/// How much may follow the end of an archive before it is cut off, in bytes. `tar` pads to 10 KiB and more.
const MAX_TRAILER: u64 = 1 << 20;

/// What an entry is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Directory,
    /// A symbolic link, whose target counts from its own directory; absent where it is no text.
    Symlink(Option<String>),
    /// A further name of a file, whose target counts from the top; absent where it is no text.
    HardLink(Option<String>),
    /// A device, a pipe, the label of a volume and whatever else there is.
    Other,
}

/// One member of an archive.
#[derive(Debug)]
pub(super) struct Entry {
    /// Absent where it is no text in UTF-8, or has a NUL in it.
    pub(super) path: Option<String>,
    pub(super) kind: EntryKind,
    /// Bytes of content.
    pub(super) size: u64,
}

/// The entries of a tar stream, in order.
pub(super) struct Entries<R> {
    reader: R,
    /// Content of the current entry that stands in the archive and was not read yet.
    left: u64,
    padding: u64,
    /// How the current entry's content becomes a file; absent where it is one as it is.
    sparse: Option<Sparse>,
    /// Bytes of holes so far.
    holes: u64,
    /// What to call the current entry in messages.
    shown: String,
    done: bool,
    /// Whether a whole header block was read, so that this is a tar archive at all.
    has_begun: bool,
}

impl<R: Read> Entries<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            left: 0,
            padding: 0,
            sparse: None,
            holes: 0,
            shown: String::new(),
            done: false,
            has_begun: false,
        }
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
                return match extended.is_any {
                    false => Ok(None),
                    true => Err(Error::invalid("archive ends after an extension header")),
                };
            };
            let claimed = header.size().map_err(|e| e.context(clip(&String::from_utf8_lossy(&header.path()))))?;
            if !matches!(header.kind(), b'L' | b'K' | b'x' | b'g') {
                return self.entry(&header, claimed, extended).map(Some);
            }
            self.begin(claimed);
            let content = self.extension()?;
            match header.kind() {
                b'L' => extended.long_name(&content),
                b'K' => extended.long_link(&content),
                b'x' => extended.records(&content)?,
                // Those for all that follows have nothing to do with names and sizes.
                _ => {}
            }
        }
    }

    fn entry(&mut self, header: &Header, claimed: u64, extended: Extended) -> Result<Entry> {
        let path = extended.path.unwrap_or_else(|| header.path());
        self.shown = clip(&String::from_utf8_lossy(&path));
        let link = || text(extended.link.clone().unwrap_or_else(|| header.link()));
        let kind = match header.kind() {
            // Archives from before POSIX mark directories by the slash alone.
            0 | b'0' | b'7' if path.ends_with(b"/") => EntryKind::Directory,
            0 | b'0' | b'7' | b'S' => EntryKind::File,
            b'1' => EntryKind::HardLink(link()),
            b'2' => EntryKind::Symlink(link()),
            b'5' => EntryKind::Directory,
            _ => EntryKind::Other,
        };
        // What these claim to have does not follow; Go's reader does the same.
        let is_bare = kind == EntryKind::Directory || matches!(header.kind(), b'1'..=b'6');
        self.begin(if is_bare { 0 } else { extended.size.unwrap_or(claimed) });
        if header.kind() == b'S' {
            self.sparse = Some(self.gnu_map(header)?);
        } else if let Some(records) = extended.sparse.filter(|_| kind == EntryKind::File) {
            self.sparse = Some(self.posix_map(*records)?);
        }
        let size = match &self.sparse {
            Some(sparse) => {
                self.holes = sparse.count_holes(self.holes).map_err(|e| e.context(&self.shown))?;
                sparse.size()
            }
            None => self.left,
        };
        Ok(Entry { path: text(path), kind, size })
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

    fn begin(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        self.sparse = None;
    }

    /// Reads one block; `None` where nothing follows.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let mut block = [0u8; BLOCK];
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
        Ok(Some(block))
    }

    /// Reads one header; `None` at the end of the archive.
    fn header(&mut self) -> Result<Option<Header>> {
        let Some(block) = self.block()? else { return Ok(None) };
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        Header::read(block).map(Some).ok_or_else(|| {
            Error::invalid(match is_first {
                true => "this is not a tar archive: the checksum of its first header is wrong",
                false => "the archive is damaged: the checksum of a header is wrong",
            })
        })
    }

    /// The whole content of an extension header.
    fn extension(&mut self) -> Result<Vec<u8>> {
        if self.left > MAX_EXTENDED {
            return Err(Error::invalid(format!("archive has an extension header larger than {MAX_EXTENDED} bytes")));
        }
        let mut bytes = Vec::new();
        self.content().read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    }

    /// Where the data of a sparse file in GNU tar's old form stand, as its header and the blocks behind it say.
    fn gnu_map(&mut self, header: &Header) -> Result<Sparse> {
        let mut pieces = Vec::new();
        let mut add = |fields: &[u8]| -> Result<()> {
            for entry in fields.chunks_exact(24) {
                let (offset, length) = (header::number(&entry[..12]), header::number(&entry[12..]));
                let pair = offset.zip(length).ok_or_else(sparse::malformed)?;
                if entry[0] == 0 {
                    break;
                }
                pieces.push(pair);
            }
            if pieces.len() > MAX_PIECES { Err(sparse::malformed()) } else { Ok(()) }
        };
        add(&header.0[386..482])?;
        let mut goes_on = header.0[482] != 0;
        while goes_on {
            let block = self.block()?.ok_or_else(truncated)?;
            add(&block[..504])?;
            goes_on = block[504] != 0;
        }
        let size = header::number(&header.0[483..495]).ok_or_else(sparse::malformed)?;
        Sparse::new(pieces, size, self.left)
    }

    /// The same for the forms that POSIX' headers allow: the map is among the records, or in front of the data.
    fn posix_map(&mut self, records: SparseRecords) -> Result<Sparse> {
        let numbers = match records.has_map_in_data {
            true => self.map_in_data()?,
            false => records.numbers,
        };
        Sparse::new(sparse::pairs(&numbers)?, records.size.ok_or_else(sparse::malformed)?, self.left)
    }

    /// Reads the map in front of the data: in decimal lines, how many pairs there are, then these, in whole blocks.
    fn map_in_data(&mut self) -> Result<Vec<u64>> {
        let (mut numbers, mut number, mut missing) = (Vec::new(), None, 1);
        let mut left = self.left.min(MAX_MAP);
        while missing > 0 {
            left = left.checked_sub(BLOCK as u64).ok_or_else(sparse::malformed)?;
            let block = self.block()?.ok_or_else(truncated)?;
            self.left -= BLOCK as u64;
            for byte in block {
                match (byte, number) {
                    (b'0'..=b'9', _) => {
                        let sum = number.unwrap_or(0u64).checked_mul(10);
                        number = Some(
                            sum.and_then(|n| n.checked_add(u64::from(byte - b'0'))).ok_or_else(sparse::malformed)?,
                        );
                    }
                    (b'\n', Some(complete)) => {
                        number = None;
                        missing -= 1;
                        if numbers.is_empty() && missing == 0 {
                            // The first is how many pairs follow. It stands in front of them for a moment.
                            let count = usize::try_from(complete).ok().filter(|count| *count <= MAX_PIECES);
                            missing = 2 * count.ok_or_else(sparse::malformed)?;
                        }
                        numbers.push(complete);
                        if missing == 0 {
                            break;
                        }
                    }
                    _ => return Err(sparse::malformed()),
                }
            }
        }
        numbers.remove(0);
        Ok(numbers)
    }

    fn skip_content(&mut self) -> Result<()> {
        let rest = self.left.saturating_add(self.padding);
        self.begin(0);
        if rest > 0 {
            let skipped = io::copy(&mut (&mut self.reader).take(rest), &mut io::sink()).map_err(unreadable)?;
            if skipped < rest {
                return Err(truncated_in(&self.shown));
            }
        }
        Ok(())
    }
}

/// Reads the content of one entry, and never past it.
pub(super) struct Content<'a, R>(&'a mut Entries<R>);

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (most, is_hole) = match self.0.sparse.as_ref().map(Sparse::next) {
            None => (self.0.left, false),
            Some(Next::Data(most)) => (most.min(self.0.left), false),
            Some(Next::Hole(most)) => (most, true),
            Some(Next::End) => (0, false),
        };
        let len = buffer.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        if len == 0 {
            return Ok(0);
        }
        let read = if is_hole {
            buffer[..len].fill(0);
            len
        } else {
            let read = self.0.reader.read(&mut buffer[..len])?;
            if read == 0 {
                return Err(io::Error::other(truncated_in(&self.0.shown)));
            }
            self.0.left -= read as u64;
            read
        };
        if let Some(sparse) = &mut self.0.sparse {
            sparse.advance(read as u64);
        }
        Ok(read)
    }
}

fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

pub(super) fn truncated() -> Error {
    Error::invalid("unexpected end of the archive")
}

fn truncated_in(entry: &str) -> Error {
    match entry {
        "" => truncated(),
        entry => Error::invalid(format!("unexpected end of the archive within {entry:?}")),
    }
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

#[cfg(test)]
mod tests;
