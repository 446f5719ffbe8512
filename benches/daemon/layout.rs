//! Writes an OCI image layout as a tar file, blob by blob.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Outcome;

pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// A layout that is being written; [`Layout::finish`] completes it.
pub struct Layout {
    tar: tar::Builder<BufWriter<File>>,
    written: HashSet<[u8; 32]>,
}

impl Layout {
    pub fn create(path: &Path) -> Outcome<Layout> {
        let file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        Ok(Layout { tar: tar::Builder::new(file), written: HashSet::new() })
    }

    /// Adds a blob, unless it is there already, and returns its descriptor.
    pub fn blob(&mut self, media_type: &str, data: &[u8]) -> Outcome<Value> {
        let digest: [u8; 32] = Sha256::digest(data).into();
        if self.written.insert(digest) {
            self.member(&format!("blobs/sha256/{}", hex(&digest)), data.len() as u64, data)?;
        }
        Ok(descriptor(media_type, &digest, data.len() as u64))
    }

    pub fn json(&mut self, media_type: &str, value: &Value) -> Outcome<Value> {
        self.blob(media_type, &serde_json::to_vec(value)?)
    }

    /// Adds a blob too large for memory, whose digest and size the caller knows, and returns its descriptor.
    pub fn stream(&mut self, media_type: &str, digest: &[u8; 32], size: u64, data: impl Read) -> Outcome<Value> {
        self.written.insert(*digest);
        self.member(&format!("blobs/sha256/{}", hex(digest)), size, data)?;
        Ok(descriptor(media_type, digest, size))
    }

    /// Writes `index.json` with these images and the layout's marker, in the order BuildKit has; returns the number of blobs.
    pub fn finish(mut self, images: Vec<Value>) -> Outcome<usize> {
        let index = serde_json::to_vec(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}))?;
        self.member("index.json", index.len() as u64, &index[..])?;
        let marker = br#"{"imageLayoutVersion":"1.0.0"}"#;
        self.member("oci-layout", marker.len() as u64, &marker[..])?;
        self.tar.into_inner()?.flush()?;
        Ok(self.written.len())
    }

    fn member(&mut self, name: &str, size: u64, data: impl Read) -> Outcome<()> {
        let mut header = tar::Header::new_ustar();
        header.set_size(size);
        header.set_mode(0o444);
        Ok(self.tar.append_data(&mut header, name, data)?)
    }
}

pub fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sets a member of a descriptor that [`Layout`] returned.
pub fn with(mut descriptor: Value, member: &str, value: Value) -> Value {
    descriptor[member] = value;
    descriptor
}

fn descriptor(media_type: &str, digest: &[u8; 32], size: u64) -> Value {
    json!({"mediaType": media_type, "digest": format!("sha256:{}", hex(digest)), "size": size})
}
