//! What the paths and listings in an archive mean: an OCI image layout, or Docker's own form, old and new.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::compression::Compression;
use super::listing::{ArchiveFile, DockerImage, Listing};
use crate::domain::descriptor::clip;
use crate::domain::manifest::layout_index;
use crate::domain::{Digest, Error, MediaType, Result};

/// How many bytes of names are kept of files that are not named by digests. A docker-archive has three to a layer.
const MAX_NAMES: usize = 16 << 20;

pub(super) const INDEX: &str = "index.json";
pub(super) const DOCKER_MANIFEST: &str = "manifest.json";
pub(super) const LAYOUT: &str = "oci-layout";

/// What a file is there for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It says what the archive holds.
    Listing,
    /// It is named by its digest.
    Blob(Digest),
    /// It may be a layer or a configuration, named by its path.
    Other,
}

/// A path inside the archive without `.` and doubled slashes.
pub(super) fn clean(path: &str) -> Result<String> {
    if path.starts_with('/') {
        return Err(Error::invalid(format!("archive has an absolute path: {:?}", clip(path))));
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(Error::invalid(format!("archive has a path that leads out of it: {:?}", clip(path)))),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// What the file at a path is.
pub(super) fn role(path: &str) -> Result<Role> {
    if matches!(path, INDEX | DOCKER_MANIFEST | LAYOUT) {
        return Ok(Role::Listing);
    }
    match path.strip_prefix("blobs/").and_then(|rest| rest.split_once('/')) {
        Some((algorithm, hex)) => {
            match format!("{algorithm}:{hex}").parse() {
                Ok(digest) => Ok(Role::Blob(digest)),
                Err(e) => Err(Error::invalid(format!("archive has a blob whose path is no digest: {:?}", clip(path)))
                    .with_cause(e)),
            }
        }
        None => Ok(Role::Other),
    }
}

/// The files of an archive that a `manifest.json` may name.
#[derive(Default)]
pub(super) struct Files {
    /// By digest, because an archive of many images has many and their paths say nothing more.
    blobs: HashMap<Digest, (u64, Compression)>,
    named: HashMap<String, ArchiveFile>,
    name_bytes: usize,
}

impl Files {
    /// Notes a file that is named by its digest. Of two, the later counts: their bytes are the same.
    pub(super) fn blob(&mut self, file: ArchiveFile) {
        self.blobs.insert(file.digest, (file.size, file.compression));
    }

    /// Makes sure that a file of a name may come.
    pub(super) fn reserve(&mut self, path: &str) -> Result<()> {
        if self.named.contains_key(path) {
            return Err(Error::invalid(format!("archive has two files named {:?}", clip(path))));
        }
        self.name_bytes += path.len();
        match self.name_bytes > MAX_NAMES {
            true => Err(Error::invalid(format!("archive has more than {MAX_NAMES} bytes of names"))),
            false => Ok(()),
        }
    }

    /// Notes a file that is named by its path.
    pub(super) fn named(&mut self, path: String, file: ArchiveFile) {
        self.named.insert(path, file);
    }

    fn get(&self, path: &str) -> Option<ArchiveFile> {
        match role(path) {
            Ok(Role::Blob(digest)) => {
                let (size, compression) = *self.blobs.get(&digest)?;
                Some(ArchiveFile { digest, size, compression })
            }
            _ => self.named.get(path).cloned(),
        }
    }
}

/// The listings and links of an archive, as they come.
#[derive(Default)]
pub(super) struct Collected {
    listings: HashMap<String, Vec<u8>>,
    links: HashMap<String, String>,
    name_bytes: usize,
}

impl Collected {
    pub(super) fn listing(&mut self, path: String, bytes: Vec<u8>) -> Result<()> {
        if self.listings.contains_key(&path) {
            return Err(Error::invalid(format!("archive has two files named {path:?}")));
        }
        self.listings.insert(path, bytes);
        Ok(())
    }

    /// Notes a link. Docker saved layers that occur twice as links to one another.
    pub(super) fn link(&mut self, path: String, target: &str) -> Result<()> {
        let out = || Error::invalid(format!("archive has a link that leads out of it: {:?}", clip(&path)));
        if target.starts_with('/') {
            return Err(out());
        }
        // Symbolic links count from their own directory, hard links from the top; Docker wrote only the former, and
        // `..` is what tells them apart.
        let mut parts: Vec<&str> = match target.contains("..") {
            true => path.rsplit_once('/').map_or(vec![], |(dir, _)| dir.split('/').collect()),
            false => vec![],
        };
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop().ok_or_else(out)?),
                part => parts.push(part),
            }
        }
        let resolved = parts.join("/");
        self.name_bytes += path.len() + resolved.len();
        if self.name_bytes > MAX_NAMES {
            return Err(Error::invalid(format!("archive has more than {MAX_NAMES} bytes of links")));
        }
        if self.links.insert(path.clone(), resolved).is_some() || self.listings.contains_key(&path) {
            return Err(Error::invalid(format!("archive has two files named {:?}", clip(&path))));
        }
        Ok(())
    }

    /// What the archive holds.
    pub(super) fn into_listing(self, files: &Files) -> Result<Listing> {
        match (self.listings.get(LAYOUT), self.listings.get(INDEX), self.listings.get(DOCKER_MANIFEST)) {
            (Some(_), Some(index), _) => layout_index(index).map(Listing::Layout),
            (None, Some(index), None) => layout_index(index).map(Listing::Layout),
            (_, _, Some(manifest)) => self.docker_images(manifest, files).map(Listing::Docker),
            _ => Err(Error::invalid("unrecognized image format")),
        }
    }

    fn docker_images(&self, manifest: &[u8], files: &Files) -> Result<Vec<DockerImage>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Wire {
            config: String,
            #[serde(default)]
            repo_tags: Option<Vec<String>>,
            #[serde(default)]
            layers: Option<Vec<String>>,
        }
        let images: Vec<Wire> =
            serde_json::from_slice(manifest).map_err(|e| Error::invalid("invalid manifest.json").with_cause(e))?;
        images
            .into_iter()
            .map(|image| {
                let config = self.file(&image.config, files)?;
                let layers = image.layers.unwrap_or_default();
                let layers = layers.iter().map(|path| self.file(path, files)).collect::<Result<Vec<_>>>()?;
                Ok(DockerImage {
                    manifest: docker_manifest(&config, &layers),
                    names: image.repo_tags.unwrap_or_default(),
                })
            })
            .collect()
    }

    /// The file that a path in `manifest.json` means, through at most one link: Docker never linked to links.
    fn file(&self, path: &str, files: &Files) -> Result<ArchiveFile> {
        let path = clean(path)?;
        let path = self.links.get(&path).unwrap_or(&path);
        files.get(path).ok_or_else(|| {
            Error::invalid(format!("archive lacks a file that its manifest.json names: {:?}", clip(path)))
        })
    }
}

/// A manifest for an image that came without one. Its bytes decide the image's ID, so they are what Docker Engine makes.
fn docker_manifest(config: &ArchiveFile, layers: &[ArchiveFile]) -> Vec<u8> {
    let entry = |media_type: &MediaType, file: &ArchiveFile| {
        format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#, file.digest, file.size)
    };
    let layers: Vec<String> = layers
        .iter()
        .map(|layer| {
            let media_type = match layer.compression {
                Compression::Gzip => MediaType::DOCKER_LAYER_GZIP,
                Compression::Zstd => MediaType::DOCKER_LAYER_ZSTD,
                Compression::None => MediaType::DOCKER_LAYER,
            };
            entry(&media_type, layer)
        })
        .collect();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        MediaType::DOCKER_MANIFEST,
        entry(&MediaType::DOCKER_CONFIG, config),
        layers.join(",")
    )
    .into_bytes()
}

/// The annotations under which Docker Engine keeps a name of a docker-archive.
pub fn name_annotations(full: &str, tag: &str) -> BTreeMap<String, String> {
    [("io.containerd.image.name", full), ("org.opencontainers.image.ref.name", tag)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
