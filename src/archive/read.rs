//! Reading an archive, front to back.

use std::io::Read;

use super::compression::{self, Source, Trailing};
use super::listing::{ArchiveFile, Listing};
use super::paths::{self, Paths, Place};
use super::role::{Role, role};
use super::sink::{MAX_LISTING, Sink};
use super::{layout, tar};
use crate::domain::{Error, Result};

/// The most entries an archive may have.
const MAX_ENTRIES: usize = 4_000_000;

/// Reads an archive to its end, giving its files to the sink. Entries that no image names do not matter, whatever they are.
///
/// # Errors
/// `InvalidArgument` where the archive is damaged, is no image archive or has no image, where a listing names what is not
/// in it, and where sizes are out of bounds.
pub fn read(archive: impl Read, sink: &mut impl Sink) -> Result<Listing> {
    let mut source = Source::new(archive);
    let format = compression::sniff(&mut source)?;
    if source.peek(1).map_err(tar::unreadable)?.is_empty() {
        return Err(Error::invalid("unrecognized image format: the archive is empty"));
    }
    let mut entries = tar::Entries::new(compression::decoder(format, source, Trailing::Ignored)?);
    let mut paths = Paths::default();
    let mut count = 0;
    while let Some(entry) = entries.next_entry()? {
        count += 1;
        if count > MAX_ENTRIES {
            return Err(Error::invalid(format!("archive has more than {MAX_ENTRIES} entries")));
        }
        // Nothing in the archive can name what is outside of it.
        let Some(path) = entry.path.as_deref().and_then(paths::clean) else { continue };
        paths.see(&path);
        match entry.kind {
            tar::EntryKind::Directory | tar::EntryKind::Other => {}
            tar::EntryKind::Symlink(target) => {
                let target = target.and_then(|target| paths::join(paths::parent(&path), &target));
                paths.put(path, Place::Link(target));
            }
            tar::EntryKind::HardLink(target) => {
                paths.put(path, Place::Link(target.and_then(|target| paths::clean(&target))));
            }
            tar::EntryKind::File => match role(&path) {
                Role::Listing => {
                    if entry.size > MAX_LISTING {
                        return Err(Error::invalid(format!("{path} is larger than {MAX_LISTING} bytes")));
                    }
                    let mut bytes = Vec::with_capacity(entry.size as usize);
                    entries.content().read_to_end(&mut bytes).map_err(tar::unreadable)?;
                    paths.put(path, Place::Listing(bytes));
                }
                Role::Blob(digest) => {
                    let mut content = compression::Sniffed::new(entries.content());
                    if sink.wants(&digest) {
                        sink.take(Some(&digest), entry.size, &mut content)?;
                    }
                    let compression = content.compression()?;
                    paths.blob(ArchiveFile { digest, size: entry.size, compression });
                }
                Role::Other => {
                    let mut content = compression::Sniffed::new(entries.content());
                    let digest = sink.take(None, entry.size, &mut content)?;
                    let compression = content.compression()?;
                    paths.put(path, Place::File(ArchiveFile { digest, size: entry.size, compression }));
                }
            },
        }
    }
    entries.finish()?;
    layout::listing(&paths, sink)
}
