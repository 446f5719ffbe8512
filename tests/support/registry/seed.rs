//! Images out of archives, put into the registry as clients would push them.

use std::collections::HashMap;
use std::io::{Read, Write};

use loadline::domain::{Digest, MediaType};
use serde_json::{Value, json};

use super::Registry;

impl Registry {
    /// Stores the first image of an OCI layout under tags.
    pub fn put_layout(&self, repository: &str, tags: &[&str], layout: &[u8]) {
        let files = files(layout);
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        for tag in tags {
            self.put_parts(repository, Some(tag), &index["manifests"][0], &files);
        }
    }

    fn put_parts(&self, repository: &str, tag: Option<&str>, descriptor: &Value, files: &HashMap<String, Vec<u8>>) {
        let digest: Digest = descriptor["digest"].as_str().unwrap().parse().unwrap();
        let media_type = MediaType::new(descriptor["mediaType"].as_str().unwrap());
        let Some(bytes) = files.get(&format!("blobs/sha256/{}", digest.hex())) else { return };
        if !(media_type.is_index() || media_type.is_manifest()) {
            self.put_blob(repository, &media_type, bytes.clone());
            return;
        }
        let document: Value = serde_json::from_slice(bytes).unwrap();
        let lists = ["manifests", "layers"].into_iter().filter_map(|key| document[key].as_array());
        for child in lists.flatten().chain(document.get("config")) {
            self.put_parts(repository, None, child, files);
        }
        self.put_raw_manifest(repository, tag, &media_type, bytes.clone());
    }

    /// Stores the first image of a docker-archive under a tag, with Docker's types and compressed layers.
    pub fn put_docker_archive(&self, repository: &str, tag: &str, archive: &[u8]) {
        let files = files(archive);
        let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        let file = |path: &Value| files[path.as_str().unwrap()].clone();
        let config = self.put_blob(repository, &MediaType::DOCKER_CONFIG, file(&manifest[0]["Config"]));
        let layer = |path: &Value| {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            gzip.write_all(&file(path)).unwrap();
            let media_type = MediaType::new("application/vnd.docker.image.rootfs.diff.tar.gzip");
            json!(self.put_blob(repository, &media_type, gzip.finish().unwrap()).json())
        };
        let layers: Vec<Value> = manifest[0]["Layers"].as_array().unwrap().iter().map(layer).collect();
        let body = json!({"schemaVersion": 2, "mediaType": MediaType::DOCKER_MANIFEST.as_str(),
            "config": config.json(), "layers": layers});
        self.put_manifest(repository, Some(tag), &MediaType::DOCKER_MANIFEST, &body);
    }
}

/// The files of a tar, by path.
fn files(tar: &[u8]) -> HashMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (String::from_utf8_lossy(&entry.path_bytes()).into_owned(), bytes)
    });
    entries.collect()
}
