//! What a data root takes of the disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::domain::{Error, Result};
use crate::store::StoreUsage;

/// The unit of a file's blocks, whatever those of its file system are.
const BLOCK: u64 = 512;

/// Adds up everything under a data root: what the disk holds of each file, not how long it is. What goes meanwhile does not
/// count. Blocks.
///
/// # Errors
/// `Internal` where a directory cannot be read.
pub(super) fn of(root: &Path) -> Result<StoreUsage> {
    let failed = |e| Error::io("adding up the files of the data root", e);
    let mut usage = StoreUsage::default();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        let entries = match fs::read_dir(&directory) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(failed)?,
        };
        usage.add(&fs::symlink_metadata(&directory).map_err(failed)?);
        for entry in entries {
            let entry = entry.map_err(failed)?;
            // Of a link, the link itself.
            let metadata = match entry.metadata() {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                metadata => metadata.map_err(failed)?,
            };
            match metadata.is_dir() {
                true => left.push(entry.path()),
                false => usage.add(&metadata),
            }
        }
    }
    Ok(usage)
}

impl StoreUsage {
    fn add(&mut self, file: &fs::Metadata) {
        self.bytes += file.blocks() * BLOCK;
        self.files += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_directories_count_with_what_the_disk_holds_of_them() {
        let root = tempfile::tempdir().unwrap();
        let empty = of(root.path()).unwrap();
        assert_eq!(empty.files, 1);
        fs::create_dir(root.path().join("a")).unwrap();
        fs::write(root.path().join("a/full"), vec![1; 100_000]).unwrap();
        fs::File::create(root.path().join("a/sparse")).unwrap().set_len(1 << 30).unwrap();
        std::os::unix::fs::symlink("/", root.path().join("link")).unwrap();
        let usage = of(root.path()).unwrap();
        assert_eq!(usage.files, 5);
        let added = usage.bytes - empty.bytes;
        assert!((100_000..1 << 20).contains(&added), "{added}");
        assert!(of(&root.path().join("absent")).is_ok_and(|usage| usage == StoreUsage::default()));
    }
}
