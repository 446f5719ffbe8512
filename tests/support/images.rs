//! Images as no fixture has them: OCI layouts and docker-archives, made to order.

use loadline::domain::Digest;
use serde_json::{Value, json};

use super::tar::Tar;

pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub const IN_TOTO: &str = "application/vnd.in-toto+json";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
pub const SBOM: &str = "https://spdx.dev/Document";

const NAME: &str = "io.containerd.image.name";

/// An OCI layout in the making. Descriptors are JSON values that a test may change before it uses them.
#[derive(Clone, Default)]
pub struct Layout {
    blobs: Vec<(Digest, Vec<u8>)>,
    index: Vec<Value>,
}

impl Layout {
    /// A layout of one image for one platform.
    pub fn of_one(name: &str) -> Self {
        let mut layout = Self::default();
        let image = layout.image("linux/amd64", name);
        layout.named(&image, name);
        layout
    }

    /// A layout of one image for these platforms; every platform's content is its own.
    pub fn of_platforms(name: &str, platforms: &[&str]) -> Self {
        let mut layout = Self::default();
        let images: Vec<Value> =
            platforms.iter().map(|platform| layout.image(platform, &format!("{name} {platform}"))).collect();
        let index = layout.index(&images);
        layout.named(&index, name);
        layout
    }

    /// Adds a blob and gives its descriptor.
    pub fn blob(&mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Value {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        let descriptor = json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()});
        if !self.blobs.iter().any(|(known, _)| *known == digest) {
            self.blobs.push((digest, bytes));
        }
        descriptor
    }

    /// Adds a manifest of a media type.
    pub fn manifest(&mut self, media_type: &str, config: &Value, layers: &[Value]) -> Value {
        let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers});
        self.blob(media_type, manifest.to_string())
    }

    /// Adds an image with a configuration and one layer that holds a text; its descriptor has no platform.
    pub fn image_of(&mut self, config: &Value, content: &str) -> Value {
        let layer = self.blob(LAYER, Tar::default().file("file", content.as_bytes()).end());
        let config = self.blob(CONFIG, config.to_string());
        self.manifest(MANIFEST, &config, &[layer])
    }

    /// Adds an image for a platform (`linux/arm/v7`) that holds a text.
    pub fn image(&mut self, platform: &str, content: &str) -> Value {
        let image = self.image_of(&config(platform, content), content);
        with(&image, "platform", self::platform(platform))
    }

    /// The same with Docker's media types.
    pub fn docker_image(&mut self, platform: &str, content: &str) -> Value {
        let layer = self.blob(DOCKER_LAYER, Tar::default().file("file", content.as_bytes()).end());
        let config = self.blob(DOCKER_CONFIG, config(platform, content).to_string());
        let image = self.manifest(DOCKER_MANIFEST, &config, &[layer]);
        with(&image, "platform", self::platform(platform))
    }

    /// Adds a statement: its descriptor, as a layer of an attestation manifest.
    pub fn statement(&mut self, predicate: &str, bytes: &[u8]) -> Value {
        annotated(&self.blob(IN_TOTO, bytes), "in-toto.io/predicate-type", predicate)
    }

    /// Adds an attestation manifest about a manifest, as BuildKit writes it, with these layers.
    pub fn attestation(&mut self, subject: &Value, layers: &[Value]) -> Value {
        let platform = json!({"architecture": "unknown", "os": "unknown"});
        // Different for each subject, as BuildKit's are by their diff IDs.
        let config = self
            .blob(CONFIG, json!({"architecture": "unknown", "os": "unknown", "about": digest(subject)}).to_string());
        let manifest = self.manifest(MANIFEST, &config, layers);
        attesting(&with(&manifest, "platform", platform), subject)
    }

    /// Adds an artifact that refers to a subject, with these layers.
    pub fn referrer(&mut self, subject: &Value, artifact_type: &str, layers: &[Value]) -> Value {
        let config = self.blob(EMPTY, "{}");
        let subject = json!({"mediaType": subject["mediaType"], "digest": subject["digest"], "size": subject["size"]});
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": artifact_type,
            "config": config, "layers": layers, "subject": subject});
        self.blob(MANIFEST, manifest.to_string())
    }

    /// Adds an index of manifests.
    pub fn index(&mut self, manifests: &[Value]) -> Value {
        self.index_of(INDEX, manifests)
    }

    /// Adds an index of a media type: OCI's, or Docker's manifest list.
    pub fn index_of(&mut self, media_type: &str, manifests: &[Value]) -> Value {
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
        self.blob(media_type, index.to_string())
    }

    /// Puts an image into `index.json` under a name.
    pub fn named(&mut self, image: &Value, name: &str) {
        self.listed(&annotated(image, NAME, name));
    }

    /// Puts a descriptor into `index.json` as it is.
    pub fn listed(&mut self, descriptor: &Value) {
        self.index.push(descriptor.clone());
    }

    /// Takes a blob away; what names it stays.
    #[track_caller]
    pub fn remove(&mut self, descriptor: &Value) {
        let before = self.blobs.len();
        self.blobs.retain(|(known, _)| known.to_string() != digest(descriptor));
        assert!(self.blobs.len() < before, "no such blob: {descriptor}");
    }

    /// The digests of all blobs.
    pub fn digests(&self) -> Vec<String> {
        let mut digests: Vec<String> = self.blobs.iter().map(|(digest, _)| digest.to_string()).collect();
        digests.sort();
        digests
    }

    /// The bytes of a blob.
    #[track_caller]
    pub fn bytes(&self, descriptor: &Value) -> &[u8] {
        let found = self.blobs.iter().find(|(known, _)| known.to_string() == digest(descriptor));
        &found.unwrap_or_else(|| panic!("no such blob: {descriptor}")).1
    }

    /// The layout's listings without its blobs.
    pub fn listings(&self) -> Tar {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": self.index});
        Tar::default()
            .file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)
            .file("index.json", index.to_string().as_bytes())
    }

    /// The layout as an archive that was not ended yet.
    pub fn open_tar(&self) -> Tar {
        self.blobs.iter().fold(self.listings(), |tar, (digest, bytes)| tar.file(&path(digest), bytes))
    }

    /// The layout as an archive.
    pub fn tar(&self) -> Vec<u8> {
        self.open_tar().end()
    }
}

/// Where a layout keeps a blob.
pub fn path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// The digest in a descriptor.
#[track_caller]
pub fn digest(descriptor: &Value) -> &str {
    descriptor["digest"].as_str().expect("a descriptor has a digest")
}

/// A JSON object with one more member.
pub fn with(object: &Value, key: &str, value: Value) -> Value {
    let mut changed = object.clone();
    changed[key] = value;
    changed
}

/// A descriptor with one more annotation.
pub fn annotated(descriptor: &Value, key: &str, value: &str) -> Value {
    let mut changed = descriptor.clone();
    changed["annotations"][key] = json!(value);
    changed
}

/// A descriptor marked as evidence about a subject, as BuildKit does it.
pub fn attesting(descriptor: &Value, subject: &Value) -> Value {
    let marked = annotated(descriptor, "vnd.docker.reference.type", "attestation-manifest");
    annotated(&marked, "vnd.docker.reference.digest", digest(subject))
}

/// A platform (`os/architecture[/variant]`) as JSON.
pub fn platform(text: &str) -> Value {
    let mut parts = text.split('/');
    let mut platform = json!({"os": parts.next(), "architecture": parts.next()});
    if let Some(variant) = parts.next() {
        platform["variant"] = json!(variant);
    }
    platform
}

/// An image configuration for a platform; the content makes it differ from others.
pub fn config(platform: &str, content: &str) -> Value {
    let mut config = self::platform(platform);
    config["created"] = json!("2026-01-02T03:04:05Z");
    config["config"] = json!({"Cmd": ["/bin/true"], "Labels": {"content": content}});
    let layer = Tar::default().file("file", content.as_bytes()).end();
    config["rootfs"] = json!({"type": "layers", "diff_ids": [Digest::of(&layer).to_string()]});
    config["history"] = json!([{"created": "2026-01-02T03:04:05Z", "created_by": "COPY file /"}]);
    config
}

/// A docker-archive of one image with these names; each layer is a text.
pub fn docker_archive(names: &[&str], layers: &[&str]) -> Vec<u8> {
    let config = config("linux/amd64", &layers.concat());
    let mut tar = Tar::default().file("config.json", config.to_string().as_bytes());
    let paths: Vec<String> = (0..layers.len()).map(|number| format!("layer{number}/layer.tar")).collect();
    for (path, layer) in paths.iter().zip(layers) {
        tar = tar.file(path, &Tar::default().file("file", layer.as_bytes()).end());
    }
    let manifest = json!([{"Config": "config.json", "RepoTags": names, "Layers": paths}]);
    tar.file("manifest.json", manifest.to_string().as_bytes()).end()
}
