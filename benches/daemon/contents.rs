//! What a generated archive holds, and where: so that a registry can serve it from the page cache as it lies there.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Outcome;
use crate::layout::MANIFEST;

/// One image of one platform in an archive.
#[derive(Clone)]
pub struct Contents {
    archive: PathBuf,
    places: HashMap<String, (u64, u64)>,
    pub manifest: Vec<u8>,
    pub manifest_digest: String,
    /// The configuration and the layers, in the manifest's order.
    pub blobs: Vec<Blob>,
}

#[derive(Clone)]
pub struct Blob {
    pub digest: String,
    pub size: u64,
}

impl Contents {
    /// Looks through an archive of one image.
    pub fn of(archive: &Path) -> Outcome<Contents> {
        let (mut places, mut index) = (HashMap::new(), Vec::new());
        for entry in tar::Archive::new(File::open(archive)?).entries_with_seek()? {
            let mut entry = entry?;
            let path = entry.path()?.to_string_lossy().into_owned();
            match path.strip_prefix("blobs/sha256/") {
                Some(hex) => drop(places.insert(format!("sha256:{hex}"), (entry.raw_file_position(), entry.size()))),
                None if path == "index.json" => drop(entry.read_to_end(&mut index)?),
                None => {}
            }
        }
        let index: Value = serde_json::from_slice(&index)?;
        let image = &index["manifests"][0];
        if image["mediaType"] != MANIFEST {
            return Err("the archive's first image is not for one platform".into());
        }
        let mut contents = Contents {
            archive: archive.to_owned(),
            places,
            manifest: Vec::new(),
            manifest_digest: image["digest"].as_str().unwrap_or_default().to_owned(),
            blobs: Vec::new(),
        };
        let (mut reader, _) = contents.open(&contents.manifest_digest)?.ok_or("an archive without its manifest")?;
        reader.read_to_end(&mut contents.manifest)?;
        let manifest: Value = serde_json::from_slice(&contents.manifest)?;
        let layers = manifest["layers"].as_array().into_iter().flatten();
        for descriptor in [&manifest["config"]].into_iter().chain(layers) {
            let (Some(digest), Some(size)) = (descriptor["digest"].as_str(), descriptor["size"].as_u64()) else {
                return Err("a descriptor without digest or size".into());
            };
            contents.blobs.push(Blob { digest: digest.to_owned(), size });
        }
        Ok(contents)
    }

    /// A blob's bytes and size; `None` where the archive has no such blob.
    pub fn open(&self, digest: &str) -> Outcome<Option<(std::io::Take<File>, u64)>> {
        let Some((at, size)) = self.places.get(digest) else { return Ok(None) };
        let mut file = File::open(&self.archive)?;
        file.seek(SeekFrom::Start(*at))?;
        Ok(Some((file.take(*size), *size)))
    }

    /// Bytes of the configuration and the layers.
    pub fn size(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size).sum()
    }
}
