//! Whether a directory may be used as a data root.
//!
//! A store closes its directory to others and empties parts of it, so it must never take a directory for its own that is
//! somebody else's. Looking changes nothing.

use std::fs::{self, DirEntry};
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::database;
use crate::domain::{Error, Kind, Result};

/// How many names of files a refusal lists.
const SHOWN: usize = 3;

/// Fails unless a directory is a data root, or one can be made there: it is missing, empty, or holds only what a first start
/// leaves that was killed.
///
/// A data root is known by its database. What a first start makes before the database is `lock` and empty directories;
/// `lost+found` is the file system's, and a daemon's socket may be inside its data root.
///
/// # Errors
/// `InvalidArgument` where the path is not a directory, the directory holds something else, or it holds files of a data root
/// but no database; `PermissionDenied` or `Internal` where it cannot be read.
pub(super) fn check(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(unreadable(path, e)),
        Ok(metadata) if !metadata.is_dir() => return Err(refused(path, "it is not a directory", "a directory")),
        Ok(_) => {}
    }
    if database::is_there(path) {
        return Ok(());
    }
    let (mut foreign, mut file) = (Vec::new(), None);
    for entry in entries(path)? {
        match part_of(&entry).map_err(|e| unreadable(&entry.path(), e))? {
            Part::Negligible => {}
            Part::Directory => file = file.or(first_file(&entry.path())?),
            Part::Foreign => foreign.push(entry.file_name().to_string_lossy().into_owned()),
        }
    }
    if !foreign.is_empty() {
        let why = format!("it is neither empty nor a data root of Loadline: it holds {}", listed(&mut foreign));
        return Err(refused(path, &why, "a directory that is missing, empty, or a data root"));
    }
    if let Some(file) = file {
        let (file, database) = (file.display(), database::FILE);
        let why = format!("it holds {file} but no {database}, so it is not a data root or lost its database");
        return Err(refused(path, &why, "another directory, or restore the database"));
    }
    Ok(())
}

/// What an entry of a directory without a database says about the directory.
enum Part {
    /// Nothing: no store touches it, or a first start left it.
    Negligible,
    /// One of the directories that a store makes.
    Directory,
    Foreign,
}

fn part_of(entry: &DirEntry) -> std::io::Result<Part> {
    // Of the entry itself, not of what a link points at.
    let metadata = entry.metadata()?;
    let (kind, name) = (metadata.file_type(), entry.file_name());
    let name = name.to_string_lossy();
    // The lock of a socket is `.<socket>.lock`.
    let marks = matches!(&*name, "lock" | "clean" | database::FILE) || name.starts_with('.') && name.ends_with(".lock");
    Ok(match name.as_ref() {
        "lost+found" if kind.is_dir() => Part::Negligible,
        "blobs" | "ingest" | "packs" | "partial" if kind.is_dir() => Part::Directory,
        database::UNFINISHED if kind.is_file() => Part::Negligible,
        _ if kind.is_socket() || kind.is_file() && metadata.len() == 0 && marks => Part::Negligible,
        _ => Part::Foreign,
    })
}

/// Something below a directory that is not a directory itself; `None` where there are at most directories.
fn first_file(directory: &Path) -> Result<Option<PathBuf>> {
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in entries(&directory)? {
            match entry.file_type().map_err(|e| unreadable(&entry.path(), e))?.is_dir() {
                true => left.push(entry.path()),
                false => return Ok(Some(entry.path())),
            }
        }
    }
    Ok(None)
}

fn entries(path: &Path) -> Result<Vec<DirEntry>> {
    fs::read_dir(path).and_then(Iterator::collect).map_err(|e| unreadable(path, e))
}

/// `a, b, c and 2 more`
fn listed(names: &mut [String]) -> String {
    names.sort();
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}

fn refused(path: &Path, why: &str, instead: &str) -> Error {
    let path = path.display();
    Error::invalid(format!("data root {path} is refused: {why}. Nothing was changed; give --data-root {instead}"))
}

/// That something cannot be read. The cause says why.
pub(super) fn unreadable(path: &Path, cause: std::io::Error) -> Error {
    let path = path.display();
    let (kind, text) = match cause.kind() {
        ErrorKind::PermissionDenied => {
            (Kind::PermissionDenied, format!("{path} cannot be read (run loadline as a user that may read it)"))
        }
        _ => (Kind::Internal, format!("{path} cannot be read")),
    };
    Error::new(kind, text).with_cause(cause)
}
