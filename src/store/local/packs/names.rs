//! What the files of packs are called.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use crate::domain::{Error, Result};

/// The file of a pack.
pub(super) fn path(directory: &Path, number: u32) -> PathBuf {
    directory.join(format!("{number:08}.pack"))
}

/// The file of its index.
pub(super) fn index_path(directory: &Path, number: u32) -> PathBuf {
    directory.join(format!("{number:08}.idx"))
}

/// The number of a pack, by the name of its file or of its index.
pub(in crate::store::local) fn number_of(name: &str, extension: &str) -> Option<u32> {
    let number = name.strip_suffix(extension)?.strip_suffix('.')?;
    let is_ours = number.len() == 8 && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| is_ours)
}

/// Opens a pack. A link or a device in its place is not followed.
pub(super) fn open_pack(path: &Path, write: bool) -> Result<File> {
    let failed = |e| Error::io(format!("opening {}", path.display()), e);
    let is_file = fs::symlink_metadata(path).map_err(failed)?.is_file();
    if !is_file {
        return Err(Error::io(format!("opening {}", path.display()), std::io::Error::other("it is not a file")));
    }
    OpenOptions::new().read(true).write(write).open(path).map_err(failed)
}
