//! Decoders for indexes, manifests and image configurations.
//!
//! A decoded document is a view: the blob's own bytes stay the truth and are never written again from here.

use serde::{Deserialize, Serialize};

use super::descriptor::{Descriptor, MediaType, StringMap, Wire};
use super::{Error, Platform, Result, go_json};

/// The largest index or manifest that is read, in bytes. Registries allow as much.
pub const MAX_MANIFEST: u64 = 4 << 20;

/// The largest image configuration that is read, in bytes.
pub const MAX_CONFIG: u64 = 8 << 20;

/// The longest user that a [`ConfigSummary`] notes, in bytes.
pub const MAX_USER: usize = 256;

/// An OCI index or a Docker manifest list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    pub manifests: Box<[Descriptor]>,
    /// What this index is evidence of; absent for images.
    pub subject: Option<Box<Descriptor>>,
    pub annotations: StringMap,
    pub artifact_type: Option<Box<str>>,
}

/// An OCI or Docker (schema 2) manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub config: Descriptor,
    pub layers: Box<[Descriptor]>,
    /// What this manifest is evidence of; absent for images.
    pub subject: Option<Box<Descriptor>>,
    pub annotations: StringMap,
    pub artifact_type: Option<Box<str>>,
}

impl Manifest {
    /// Whether this is an image: it has no layers at all, or one of a file system.
    ///
    /// Attestations and other artifacts use the manifest's media type for layers of other types.
    pub fn is_image(&self) -> bool {
        self.layers.is_empty() || self.layers.iter().any(|layer| layer.media_type.is_layer())
    }

    /// The type of artifact: the field, or else the configuration's media type, as the OCI distribution specification
    /// tells registries to answer.
    pub fn artifact_kind(&self) -> &str {
        self.artifact_type.as_deref().unwrap_or(self.config.media_type.as_str())
    }
}

/// A parsed document that points at other blobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Document {
    Index(Index),
    Manifest(Manifest),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDocument {
    #[serde(default)]
    schema_version: Option<i64>,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Wire>,
    #[serde(default)]
    layers: Option<Vec<Wire>>,
    #[serde(default)]
    manifests: Option<Vec<Wire>>,
    #[serde(default)]
    fs_layers: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    subject: Option<Wire>,
    #[serde(default)]
    annotations: Option<std::collections::BTreeMap<String, Option<String>>>,
}

/// Reads a JSON object into a type. Where a type is derived, an array of its fields' values would be read as well.
pub fn object<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    match bytes.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(bytes),
        _ => Err(serde::de::Error::custom("not a JSON object")),
    }
}

impl Document {
    /// Reads an index or manifest that a descriptor of media type `expected` points at.
    ///
    /// # Errors
    /// `InvalidArgument` where the bytes are no such document, the document contradicts `expected` or itself (a body
    /// with both `manifests` and `layers` can be read in two ways), or it is of Docker's first schema.
    pub fn decode(bytes: &[u8], expected: &MediaType) -> Result<Self> {
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(Error::invalid(format!("manifest is larger than {MAX_MANIFEST} bytes")));
        }
        let wire: WireDocument = object(bytes).map_err(|e| Error::invalid("invalid manifest").with_cause(e))?;
        if wire.schema_version == Some(1) || wire.fs_layers.is_some() {
            return Err(Error::invalid(
                "manifests of Docker's schema 1 are not supported: push the image again with a newer client",
            ));
        }
        if let Some(own) = wire.media_type.as_deref().filter(|own| !own.is_empty())
            && !MediaType::new(own).is_same_kind(expected)
        {
            return Err(Error::invalid(format!(
                "manifest says it is {:?}, its descriptor says {expected:?}",
                super::descriptor::clip(own)
            )));
        }
        let subject = wire.subject.map(Wire::decode).transpose()?.map(Box::new);
        let annotations = wire
            .annotations
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key, value.unwrap_or_default()))
            .collect();
        let artifact_type = wire.artifact_type.filter(|t| !t.is_empty()).map(String::into_boxed_str);
        let decode_all = |list: Vec<Wire>| list.into_iter().map(Wire::decode).collect::<Result<Box<[_]>>>();
        match (wire.manifests, wire.config, wire.layers) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                Err(Error::invalid("document is a manifest and an index at once"))
            }
            (manifests, None, None) if expected.is_index() => Ok(Self::Index(Index {
                manifests: decode_all(manifests.unwrap_or_default())?,
                subject,
                annotations,
                artifact_type,
            })),
            (None, Some(config), layers) if expected.is_manifest() => Ok(Self::Manifest(Manifest {
                config: config.decode()?,
                layers: decode_all(layers.unwrap_or_default())?,
                subject,
                annotations,
                artifact_type,
            })),
            _ => Err(Error::invalid(format!("document is not of its type {expected:?}"))),
        }
    }

    /// Whether this is an index.
    pub fn is_index(&self) -> bool {
        matches!(self, Self::Index(_))
    }

    /// What this document is evidence of; absent for images.
    pub fn subject(&self) -> Option<&Descriptor> {
        match self {
            Self::Index(index) => index.subject.as_deref(),
            Self::Manifest(manifest) => manifest.subject.as_deref(),
        }
    }

    /// The blobs that this document is made of, in order. Its subject is not among them.
    pub fn children(&self) -> impl Iterator<Item = &Descriptor> {
        let (own, rest) = match self {
            Self::Index(index) => (None, &index.manifests),
            Self::Manifest(manifest) => (Some(&manifest.config), &manifest.layers),
        };
        own.into_iter().chain(rest.iter())
    }

    /// How many children there are.
    pub fn child_count(&self) -> usize {
        match self {
            Self::Index(index) => index.manifests.len(),
            Self::Manifest(manifest) => 1 + manifest.layers.len(),
        }
    }
}

/// Reads the descriptors of an image layout's `index.json`, which may be of any length, as a Go program does.
///
/// # Errors
/// `InvalidArgument` where it is no such document.
pub fn layout_index(bytes: &[u8]) -> Result<Vec<Descriptor>> {
    #[derive(Deserialize)]
    struct WireIndex {
        #[serde(default)]
        manifests: Option<Vec<Wire>>,
    }
    let index: WireIndex =
        go_json::first(bytes).map_err(|e| Error::invalid(format!("invalid index.json: {e}")).with_cause(e))?;
    index.manifests.unwrap_or_default().into_iter().map(Wire::decode).collect()
}

/// The part of an image configuration that lists and filters need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigSummary {
    pub platform: Platform,
    /// Seconds since the Unix epoch; absent where the configuration has no readable time.
    pub created: Option<i64>,
    pub labels: StringMap,
    /// The user that containers run as, in the form `user:group`; empty where the configuration names none, and cut after
    /// [`MAX_USER`] bytes. Absent where an older version of Loadline read the configuration.
    pub user: Option<Box<str>>,
}

impl ConfigSummary {
    /// Reads an image configuration; fields of an unexpected type count as absent, so that one odd image still lists.
    ///
    /// # Errors
    /// `InvalidArgument` where the bytes are no JSON object.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let config = ImageConfig::decode(bytes)?;
        Ok(Self {
            platform: config.platform(),
            created: config.created().map(|created| created.as_second()),
            labels: config.labels(),
            user: Some(excerpt(config.user()).into()),
        })
    }

    /// Whether this says nothing else than a newer reading of the same configuration, of which it may know less.
    pub fn agrees_with(&self, newer: &Self) -> bool {
        let Self { platform, created, labels, user } = self;
        *platform == newer.platform
            && *created == newer.created
            && *labels == newer.labels
            && (user.is_none() || *user == newer.user)
    }
}

/// No system has users with longer names, and a list of images must not grow with what strangers write there.
fn excerpt(user: &str) -> &str {
    let end = (0..=MAX_USER.min(user.len())).rev().find(|end| user.is_char_boundary(*end)).unwrap_or_default();
    &user[..end]
}

/// An image configuration of the OCI image specification, with Docker's additions.
///
/// Fields are read one by one and leniently: what is missing or of another type is absent. The default has none.
#[derive(Default)]
pub struct ImageConfig(serde_json::Map<String, serde_json::Value>);

/// One step of an image's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryStep {
    pub created: Option<jiff::Timestamp>,
    pub created_by: String,
    pub comment: String,
    /// Whether the step made no layer.
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// `InvalidArgument` where the bytes are no JSON object or larger than [`MAX_CONFIG`].
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.len() as u64 > MAX_CONFIG {
            return Err(Error::invalid(format!("image configuration is larger than {MAX_CONFIG} bytes")));
        }
        match serde_json::from_slice(bytes) {
            Ok(serde_json::Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(Error::invalid("image configuration is not a JSON object")),
            Err(e) => Err(Error::invalid("invalid image configuration").with_cause(e)),
        }
    }

    /// A text field; empty where absent.
    pub fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(|value| value.as_str()).unwrap_or_default()
    }

    /// The platform that the configuration names, normalised.
    pub fn platform(&self) -> Platform {
        Platform::from_json_value(&serde_json::Value::Object(
            ["os", "architecture", "variant", "os.version", "os.features"]
                .into_iter()
                .filter_map(|key| Some((key.to_owned(), self.0.get(key)?.clone())))
                .collect(),
        ))
        .unwrap_or_default()
        .normalized()
    }

    /// When the image was made; absent where missing or malformed.
    pub fn created(&self) -> Option<jiff::Timestamp> {
        self.text("created").parse().ok()
    }

    /// The `config` object: what a container of this image runs with. Absent where it is not an object.
    pub fn runtime(&self) -> Option<&serde_json::Map<String, serde_json::Value>> {
        self.0.get("config").and_then(|value| value.as_object())
    }

    /// The user that containers run as, in the form `user:group`; empty where absent.
    pub fn user(&self) -> &str {
        self.runtime().and_then(|runtime| runtime.get("User")).and_then(|user| user.as_str()).unwrap_or_default()
    }

    /// The labels; empty where absent.
    pub fn labels(&self) -> StringMap {
        let labels = self.runtime().and_then(|runtime| runtime.get("Labels")).and_then(|labels| labels.as_object());
        labels.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
    }

    /// The type of the root file system (`layers`) and its diff IDs as they stand there, bottom first.
    pub fn rootfs(&self) -> (&str, Vec<&str>) {
        let rootfs = self.0.get("rootfs").and_then(|value| value.as_object());
        let kind = rootfs.and_then(|r| r.get("type")).and_then(|t| t.as_str()).unwrap_or_default();
        let ids = rootfs.and_then(|r| r.get("diff_ids")).and_then(|ids| ids.as_array());
        (kind, ids.into_iter().flatten().filter_map(|id| id.as_str()).collect())
    }

    /// The steps that made the image, oldest first.
    pub fn history(&self) -> Vec<HistoryStep> {
        let steps = self.0.get("history").and_then(|history| history.as_array());
        let text = |step: &serde_json::Value, key: &str| {
            step.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
        };
        steps
            .into_iter()
            .flatten()
            .map(|step| HistoryStep {
                created: text(step, "created").parse().ok(),
                created_by: text(step, "created_by"),
                comment: text(step, "comment"),
                empty_layer: step.get("empty_layer").and_then(|value| value.as_bool()).unwrap_or_default(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Digest;
    use super::*;
    use serde_json::json;

    fn descriptor(content: &str, media_type: &MediaType) -> serde_json::Value {
        json!({"mediaType": media_type.as_str(), "digest": Digest::of(content.as_bytes()).to_string(), "size": content.len()})
    }

    #[test]
    fn an_index_and_a_manifest_decode() {
        let index = json!({"schemaVersion": 2, "manifests": [descriptor("a", &MediaType::OCI_MANIFEST)]});
        let Document::Index(index) = Document::decode(index.to_string().as_bytes(), &MediaType::OCI_INDEX).unwrap()
        else {
            panic!("not an index");
        };
        assert_eq!(index.manifests[0].digest, Digest::of(b"a"));
        let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.as_str(),
            "config": descriptor("c", &MediaType::OCI_CONFIG), "layers": [descriptor("l", &MediaType::OCI_LAYER_GZIP)]});
        let manifest = Document::decode(manifest.to_string().as_bytes(), &MediaType::OCI_MANIFEST).unwrap();
        assert_eq!(
            manifest.children().map(|d| d.digest.clone()).collect::<Vec<_>>(),
            [Digest::of(b"c"), Digest::of(b"l")]
        );
    }

    #[test]
    fn ambiguous_and_contradicting_documents_are_refused() {
        let (config, layer) = (descriptor("c", &MediaType::OCI_CONFIG), descriptor("l", &MediaType::OCI_LAYER));
        let both = json!({"schemaVersion": 2, "manifests": [], "config": config, "layers": [layer]});
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
        let lying =
            json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX.as_str(), "config": config, "layers": []});
        let old = json!({"schemaVersion": 1, "fsLayers": []});
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for (body, expected) in [
            (both.to_string(), MediaType::OCI_MANIFEST),
            (both.to_string(), MediaType::OCI_INDEX),
            (manifest.to_string(), MediaType::OCI_INDEX),
            (manifest.to_string(), MediaType::OCI_LAYER),
            (lying.to_string(), MediaType::OCI_MANIFEST),
            (old.to_string(), MediaType::DOCKER_MANIFEST),
            (deep, MediaType::OCI_INDEX),
            (r#"{"manifests":[],"manifests":[]}"#.to_owned(), MediaType::OCI_INDEX),
            ("null".to_owned(), MediaType::OCI_INDEX),
            ("[2]".to_owned(), MediaType::OCI_INDEX),
            (String::new(), MediaType::OCI_INDEX),
        ] {
            assert!(Document::decode(body.as_bytes(), &expected).is_err(), "{:.80} as {expected}", body);
        }
    }

    #[test]
    fn an_odd_configuration_still_says_what_it_can() {
        let odd = json!({"os": "linux", "architecture": 7, "created": "yesterday", "config": {"Labels": {"a": "1", "b": 2}},
            "rootfs": [], "history": {"x": 1}});
        let config = ImageConfig::decode(odd.to_string().as_bytes()).unwrap();
        assert_eq!(config.created(), None);
        assert_eq!(config.labels().iter().collect::<Vec<_>>(), [("a", "1")]);
        assert_eq!(config.rootfs(), ("", vec![]));
        assert!(config.history().is_empty());
        assert!(ImageConfig::decode(b"[]").is_err());
    }
}
