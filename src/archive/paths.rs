//! Paths in an archive, and what stands under them: files, links to files, links to directories.

use std::collections::{HashMap, HashSet};

use super::compression::Compression;
use super::listing::ArchiveFile;
use super::role::{Role, role};
use crate::domain::descriptor::clip;
use crate::domain::{Digest, Error, Result};

/// How many bytes of names are kept of files that are not named by digests. A docker-archive has three to a layer.
const MAX_NAMES: usize = 16 << 20;

/// How many links are followed to a file, as Linux does.
const MAX_LINKS: usize = 40;

/// A path inside the archive without `.`, `..` and doubled slashes; `None` where it leads out of the archive.
pub(super) fn clean(path: &str) -> Option<String> {
    join("", path)
}

/// A path that counts from a directory.
pub(super) fn join(directory: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The directory that a path stands in.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// What stands under a path.
#[derive(Debug)]
pub(super) enum Place {
    File(ArchiveFile),
    /// Where the link leads; absent where that is out of the archive.
    Link(Option<String>),
    /// What says what the archive holds.
    Listing(Vec<u8>),
}

/// What stands in an archive, as it comes. Of two under one path the later counts, as where `tar -r` has appended one.
#[derive(Default)]
pub(super) struct Paths {
    /// By digest, because an archive of many images has many and their paths say nothing more.
    blobs: HashMap<Digest, (u64, Compression)>,
    named: HashMap<String, Place>,
    has_links: bool,
    name_bytes: usize,
    /// Whether names were left out, because there were too many.
    is_cut: bool,
    /// Directories of a root file system that were seen at the top.
    roots: HashSet<&'static str>,
}

impl Paths {
    /// Notes a file that is named by its digest.
    pub(super) fn blob(&mut self, file: ArchiveFile) {
        self.blobs.insert(file.digest, (file.size, file.compression));
    }

    /// Notes what stands under a path.
    pub(super) fn put(&mut self, path: String, place: Place) {
        if !self.named.contains_key(&path) {
            let target = if let Place::Link(Some(target)) = &place { target.len() } else { 0 };
            self.name_bytes += path.len() + target;
            if self.name_bytes > MAX_NAMES && !matches!(place, Place::Listing(_)) {
                self.is_cut = true;
                return;
            }
        }
        self.has_links |= matches!(place, Place::Link(_));
        self.named.insert(path, place);
    }

    /// Looks at a path for what it tells of the archive.
    pub(super) fn see(&mut self, path: &str) {
        const ROOTS: [&str; 10] = ["bin", "dev", "etc", "lib", "proc", "root", "sbin", "sys", "usr", "var"];
        let top = path.split('/').next().unwrap_or_default();
        if let Some(root) = ROOTS.into_iter().find(|root| *root == top) {
            self.roots.insert(root);
        }
    }

    /// That all names were kept.
    ///
    /// # Errors
    /// `InvalidArgument` where they were too many.
    pub(super) fn complete(&self) -> Result<()> {
        match self.is_cut {
            true => Err(Error::invalid(format!("archive has more than {MAX_NAMES} bytes of names"))),
            false => Ok(()),
        }
    }

    /// Whether this looks like a root file system.
    pub(super) fn has_root(&self) -> bool {
        !self.roots.is_empty()
    }

    /// What stands under a path once all links are followed; `None` where there is nothing.
    ///
    /// # Errors
    /// `InvalidArgument` where a link leads out of the archive or in a circle.
    fn find(&self, path: &str) -> Result<Option<Found<'_>>> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            match self.named.get(&path) {
                Some(Place::File(file)) => return Ok(Some(Found::File(file.clone()))),
                Some(Place::Listing(bytes)) => return Ok(Some(Found::Listing(bytes))),
                Some(Place::Link(_)) => {}
                None => {
                    if let Role::Blob(digest) = role(&path)
                        && let Some((size, compression)) = self.blobs.get(&digest)
                    {
                        let file = ArchiveFile { digest, size: *size, compression: *compression };
                        return Ok(Some(Found::File(file)));
                    }
                }
            }
            let Some((link, rest)) = self.link_in(&path) else { return Ok(None) };
            let target = match self.named.get(link) {
                Some(Place::Link(Some(target))) => join(target, rest),
                _ => None,
            };
            path = target.ok_or_else(|| Error::invalid(format!("{:?} is a link that leads out of it", clip(link))))?;
        }
        Err(Error::invalid(format!("{:?} is reached through more than {MAX_LINKS} links", clip(&path))))
    }

    /// The first link in a path, and what follows it.
    fn link_in<'p>(&self, path: &'p str) -> Option<(&'p str, &'p str)> {
        if !self.has_links {
            return None;
        }
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let mut links = ends.map(|end| path.split_at(end));
        links
            .find(|(link, _)| matches!(self.named.get(*link), Some(Place::Link(_))))
            .map(|(link, rest)| (link, rest.strip_prefix('/').unwrap_or(rest)))
    }

    /// What says what the archive holds; `None` where it is not in the archive.
    ///
    /// # Errors
    /// `InvalidArgument` where it is behind a link that leads out of the archive.
    pub(super) fn listing(&self, path: &str) -> Result<Option<Found<'_>>> {
        self.find(path).map_err(|error| error.context("archive"))
    }

    /// The file that a path in a docker-archive's `manifest.json` means.
    ///
    /// # Errors
    /// `InvalidArgument` where there is none.
    pub(super) fn file(&self, path: &str) -> Result<ArchiveFile> {
        let shown = clip(path);
        if path.starts_with('/') {
            return Err(Error::invalid(format!("archive's manifest.json names an absolute path: {shown:?}")));
        }
        let inner = clean(path).ok_or_else(|| {
            Error::invalid(format!("archive's manifest.json names a path that leads out of it: {shown:?}"))
        })?;
        match self.find(&inner).map_err(|error| error.context(format!("archive's manifest.json names {shown:?}")))? {
            Some(Found::File(file)) => Ok(file),
            _ => self
                .complete()
                .and(Err(Error::invalid(format!("archive lacks a file that its manifest.json names: {shown:?}")))),
        }
    }
}

/// What was found under a path.
#[derive(Debug)]
pub(super) enum Found<'a> {
    File(ArchiveFile),
    Listing(&'a [u8]),
}
