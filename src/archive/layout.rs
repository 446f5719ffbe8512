//! What the paths and listings in an archive mean: an OCI image layout, or Docker's own form, old and new.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::compression::Compression;
use super::listing::{ArchiveFile, DockerImage, Listing};
use super::paths::{Found, Paths};
use super::role::{DOCKER_MANIFEST, INDEX, LAYOUT};
use super::sink::{MAX_LISTING, Sink};
use crate::domain::manifest::layout_index;
use crate::domain::{Error, MediaType, Result, go_json};

/// What an archive holds, as its listings say.
///
/// # Errors
/// `InvalidArgument` where it is no image archive, a listing is malformed or names what is not there, or nothing is named.
pub(super) fn listing(paths: &Paths, sink: &mut impl Sink) -> Result<Listing> {
    let mut read = |path: &str| -> Result<Option<Cow<'_, [u8]>>> {
        Ok(match paths.listing(path)? {
            None => None,
            Some(Found::Listing(bytes)) => Some(Cow::Borrowed(bytes)),
            Some(Found::File(file)) => Some(Cow::Owned(sink.read(&file.digest, MAX_LISTING)?)),
        })
    };
    let (layout, index, manifest) = (read(LAYOUT)?, read(INDEX)?, read(DOCKER_MANIFEST)?);
    if let Some(index) = index.filter(|_| layout.is_some() || manifest.is_none()) {
        let descriptors = layout_index(&index)?;
        if !descriptors.is_empty() {
            return Ok(Listing::Layout(descriptors));
        }
        // Docker 25.0 saved images without a name so that only the other listing has them.
        if manifest.is_none() {
            return Err(Error::invalid("archive holds no image: its index.json names none"));
        }
    }
    if manifest.is_none() && !paths.has_root() {
        paths.complete()?;
    }
    match manifest {
        Some(manifest) => match docker_images(&manifest, paths)? {
            images if images.is_empty() => Err(Error::invalid("archive holds no image: its manifest.json names none")),
            images => Ok(Listing::Docker(images)),
        },
        None if paths.has_root() => Err(Error::invalid(
            "unrecognized image format: this looks like a root file system, of which import makes an image",
        )),
        None => {
            Err(Error::invalid("unrecognized image format: the archive has neither an index.json nor a manifest.json"))
        }
    }
}

fn docker_images(manifest: &[u8], paths: &Paths) -> Result<Vec<DockerImage>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Wire {
        config: String,
        #[serde(default)]
        repo_tags: Vec<String>,
        #[serde(default)]
        layers: Vec<String>,
    }
    let images: Option<Vec<Wire>> =
        go_json::first(manifest).map_err(|e| Error::invalid(format!("invalid manifest.json: {e}")).with_cause(e))?;
    let image = |image: Wire| {
        let config = paths.file(&image.config)?;
        let layers = image.layers.iter().map(|path| paths.file(path)).collect::<Result<Vec<_>>>()?;
        Ok(DockerImage { manifest: docker_manifest(&config, &layers), names: image.repo_tags })
    };
    images.unwrap_or_default().into_iter().map(image).collect()
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
