//! Reading an archive, front to back.

use std::io::Read;

use super::listing::{ArchiveFile, Listing};
use super::{compression, layout, tar};
use crate::domain::{Digest, Error, Result};

/// The largest file that says what is in an archive (`index.json`, `manifest.json`), in bytes: enough for the names of
/// forty thousand images.
const MAX_LISTING: u64 = 16 << 20;

/// The most entries an archive may have.
const MAX_ENTRIES: usize = 4_000_000;

/// Where the files of an archive go.
pub trait Sink {
    /// Whether the blob is wanted; its bytes are skipped where it is not.
    fn wants(&mut self, digest: &Digest) -> bool;

    /// Takes one file; `expected` is the digest that its path claims. Returns the digest it has.
    fn take(&mut self, expected: Option<&Digest>, size: u64, content: &mut dyn Read) -> Result<Digest>;
}

/// Reads an archive to its end, giving its files to the sink.
///
/// # Errors
/// `InvalidArgument` where the archive is damaged, is no image archive, or tries to be more than one: absolute paths,
/// `..`, links out of the archive, two files of one name, sizes out of bounds.
pub fn read(archive: impl Read, sink: &mut impl Sink) -> Result<Listing> {
    let (format, whole) = compression::sniff(archive)?;
    if whole.get_ref().0.get_ref().is_empty() {
        return Err(Error::invalid("unrecognized image format: the archive is empty"));
    }
    let plain = compression::decoder(format, whole)?;
    let mut entries = tar::Entries::new(plain);
    let mut collected = layout::Collected::default();
    let mut files = layout::Files::default();
    let mut count = 0;
    while let Some(entry) = entries.next_entry()? {
        count += 1;
        if count > MAX_ENTRIES {
            return Err(Error::invalid(format!("archive has more than {MAX_ENTRIES} entries")));
        }
        let path = layout::clean(&entry.path)?;
        match entry.kind {
            tar::EntryKind::Directory => {}
            tar::EntryKind::Link(target) => collected.link(path, &target)?,
            tar::EntryKind::File => match layout::role(&path)? {
                layout::Role::Listing => {
                    if entry.size > MAX_LISTING {
                        return Err(Error::invalid(format!("{path} is larger than {MAX_LISTING} bytes")));
                    }
                    let mut bytes = Vec::with_capacity(entry.size as usize);
                    entries.content().read_to_end(&mut bytes).map_err(tar::unreadable)?;
                    collected.listing(path, bytes)?;
                }
                layout::Role::Blob(digest) => {
                    let mut content = compression::Sniffed::new(entries.content());
                    if sink.wants(&digest) {
                        sink.take(Some(&digest), entry.size, &mut content)?;
                    }
                    let compression = content.compression()?;
                    files.blob(ArchiveFile { digest, size: entry.size, compression });
                }
                layout::Role::Other => {
                    files.reserve(&path)?;
                    let mut content = compression::Sniffed::new(entries.content());
                    let digest = sink.take(None, entry.size, &mut content)?;
                    let compression = content.compression()?;
                    files.named(path, ArchiveFile { digest, size: entry.size, compression });
                }
            },
        }
    }
    entries.finish()?;
    collected.into_listing(&files)
}
