//! Content descriptors of the OCI image specification, and the media types that decide what a blob is.

use std::borrow::Cow;
use std::fmt;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::platform::{Platform, PlatformJson};
use super::{Digest, Error, Result};

/// A media type. Those that an image is made of take no memory of their own.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaType(Cow<'static, str>);

macro_rules! media_types {
    ($($name:ident = $text:literal;)*) => {
        impl MediaType {
            $(pub const $name: MediaType = MediaType(Cow::Borrowed($text));)*

            const KNOWN: &[MediaType] = &[$(MediaType::$name),*];
        }
    };
}

media_types! {
    OCI_INDEX = "application/vnd.oci.image.index.v1+json";
    OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
    OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
    OCI_LAYER = "application/vnd.oci.image.layer.v1.tar";
    OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip";
    OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd";
    OCI_EMPTY = "application/vnd.oci.empty.v1+json";
    DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
    DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
    DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json";
    DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar";
    DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    DOCKER_LAYER_ZSTD = "application/vnd.docker.image.rootfs.diff.tar.zstd";
    IN_TOTO = "application/vnd.in-toto+json";
}

impl MediaType {
    /// The media type of that text.
    pub fn new(text: &str) -> Self {
        match Self::KNOWN.iter().find(|known| known.0 == text) {
            Some(known) => known.clone(),
            None => Self(Cow::Owned(text.to_owned())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether blobs of this type are OCI indexes or Docker manifest lists.
    pub fn is_index(&self) -> bool {
        *self == Self::OCI_INDEX || *self == Self::DOCKER_LIST
    }

    /// Whether blobs of this type are manifests of one platform.
    pub fn is_manifest(&self) -> bool {
        *self == Self::OCI_MANIFEST || *self == Self::DOCKER_MANIFEST
    }

    /// Whether blobs of this type are indexes or manifests.
    pub fn is_document(&self) -> bool {
        self.is_index() || self.is_manifest()
    }

    /// Whether documents of one type can be read as the other: Docker's types and those of OCI are told apart by nothing
    /// else than themselves.
    pub fn is_same_kind(&self, other: &Self) -> bool {
        self == other || (self.is_index() && other.is_index()) || (self.is_manifest() && other.is_manifest())
    }

    /// Whether blobs of this type may be image configurations: they are of the type of one, or of one that says nothing.
    pub fn may_be_config(&self) -> bool {
        self.is_config()
            || matches!(
                self.as_str(),
                "" | "application/octet-stream" | "application/json" | "text/plain" | "text/json"
            )
    }

    /// Whether blobs of this type are image configurations.
    pub fn is_config(&self) -> bool {
        *self == Self::OCI_CONFIG || *self == Self::DOCKER_CONFIG
    }

    /// Whether blobs of this type are file-system layers, in any compression, foreign layers included.
    pub fn is_layer(&self) -> bool {
        self.0.starts_with("application/vnd.oci.image.layer.")
            || self.0.starts_with("application/vnd.docker.image.rootfs.diff.tar")
            || self.0.starts_with("application/vnd.docker.image.rootfs.foreign.diff.tar")
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for MediaType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str(&self.0);
        }
        // In the database a known type is its position in the list, kept short because there are ten to an image.
        match Self::KNOWN.iter().position(|known| known == self) {
            Some(position) => (position as u32 + 1, "").serialize(serializer),
            None => (0u32, self.as_str()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Ok(Self::new(&String::deserialize(deserializer)?));
        }
        let (position, text) = <(u32, String)>::deserialize(deserializer)?;
        match position {
            0 => Ok(Self::new(&text)),
            known => Self::KNOWN
                .get(known as usize - 1)
                .cloned()
                .ok_or_else(|| serde::de::Error::custom("a media type that this version does not know")),
        }
    }
}

/// A map from text to text, such as annotations and labels: sorted by key, and small in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StringMap(Box<[(Box<str>, Box<str>)]>);

impl StringMap {
    /// The value of a key, if the map has it.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.binary_search_by(|(k, _)| k.as_ref().cmp(key)).ok()?;
        Some(&self.0[found].1)
    }

    /// Whether the map has no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// This map as a JSON object.
    pub fn json(&self) -> impl Serialize + '_ {
        struct Json<'a>(&'a StringMap);
        impl Serialize for Json<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter())
            }
        }
        Json(self)
    }
}

impl From<Box<[(Box<str>, Box<str>)]>> for StringMap {
    /// Of two entries with one key the last counts.
    fn from(entries: Box<[(Box<str>, Box<str>)]>) -> Self {
        match entries.is_sorted_by(|(a, _), (b, _)| a < b) {
            true => Self(entries),
            false => entries.into_iter().collect(),
        }
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for StringMap {
    /// Of two entries with one key the last counts.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let map: std::collections::BTreeMap<String, String> =
            entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self(map.into_iter().map(|(key, value)| (key.into_boxed_str(), value.into_boxed_str())).collect())
    }
}

/// The fields of a descriptor that few descriptors have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rare {
    pub urls: Box<[Box<str>]>,
    /// The blob itself in base64, as it stands in the document; never decoded here.
    pub data: Option<Box<str>>,
    pub artifact_type: Option<Box<str>>,
}

/// What an OCI document says of a blob: its type, digest and size in bytes, and what is noted beside it.
///
/// Deriving `Serialize` here is for the database; [`Descriptor::json`] is the form that clients see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    pub media_type: MediaType,
    pub digest: Digest,
    pub size: u64,
    pub annotations: StringMap,
    pub platform: Option<Box<Platform>>,
    pub rare: Option<Box<Rare>>,
}

impl Descriptor {
    /// A descriptor with nothing noted beside it.
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self { media_type, digest, size, annotations: StringMap::default(), platform: None, rare: None }
    }

    /// What the blob is an artifact of; absent for most.
    pub fn artifact_type(&self) -> Option<&str> {
        self.rare.as_deref().and_then(|rare| rare.artifact_type.as_deref())
    }

    /// The OCI JSON form, without the fields that are absent.
    pub fn json(&self) -> DescriptorJson<'_> {
        DescriptorJson(self)
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// `InvalidArgument` where a required field is missing or malformed, a size is negative, or the digest is of an
    /// algorithm that is not served.
    pub fn from_json(value: &serde_json::Value) -> Result<Self> {
        let wire = Wire::deserialize(value).map_err(|e| Error::invalid("invalid descriptor").with_cause(e))?;
        wire.decode()
    }
}

/// The JSON form of a descriptor, in the field order of the OCI specification.
pub struct DescriptorJson<'a>(&'a Descriptor);

impl Serialize for DescriptorJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let d = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("mediaType", d.media_type.as_str())?;
        map.serialize_entry("digest", &d.digest)?;
        map.serialize_entry("size", &d.size)?;
        let rare = d.rare.as_deref();
        if let Some(rare) = rare.filter(|rare| !rare.urls.is_empty()) {
            map.serialize_entry("urls", &rare.urls)?;
        }
        if !d.annotations.is_empty() {
            map.serialize_entry("annotations", &d.annotations.json())?;
        }
        if let Some(data) = rare.and_then(|rare| rare.data.as_deref()) {
            map.serialize_entry("data", data)?;
        }
        if let Some(platform) = d.platform.as_deref() {
            map.serialize_entry("platform", &PlatformJson(platform))?;
        }
        if let Some(artifact_type) = d.artifact_type() {
            map.serialize_entry("artifactType", artifact_type)?;
        }
        map.end()
    }
}

/// A descriptor as it stands in a document. Texts and lists may be `null`, as Go writes empty ones.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wire {
    #[serde(default)]
    media_type: Option<String>,
    digest: String,
    size: i64,
    #[serde(default)]
    urls: Option<Vec<String>>,
    #[serde(default)]
    annotations: Option<std::collections::BTreeMap<String, Option<String>>>,
    #[serde(default)]
    data: Option<String>,
    #[serde(default)]
    platform: Option<serde_json::Value>,
    #[serde(default)]
    artifact_type: Option<String>,
}

impl Wire {
    pub(super) fn decode(self) -> Result<Descriptor> {
        let digest: Digest = self
            .digest
            .parse()
            .map_err(|e| Error::invalid(format!("invalid descriptor: {e}: {:?}", clip(&self.digest))))?;
        let size = u64::try_from(self.size)
            .map_err(|_| Error::invalid(format!("invalid descriptor: {digest} has a negative size")))?;
        let platform = match self.platform {
            None | Some(serde_json::Value::Null) => None,
            Some(value) => Some(Box::new(Platform::from_json_value(&value)?)),
        };
        let boxed = |text: Option<String>| text.filter(|t| !t.is_empty()).map(String::into_boxed_str);
        let rare = Rare {
            urls: self.urls.unwrap_or_default().into_iter().map(String::into_boxed_str).collect(),
            data: boxed(self.data),
            artifact_type: boxed(self.artifact_type),
        };
        Ok(Descriptor {
            media_type: MediaType::new(self.media_type.as_deref().unwrap_or_default()),
            digest,
            size,
            annotations: self
                .annotations
                .unwrap_or_default()
                .into_iter()
                .map(|(key, value)| (key, value.unwrap_or_default()))
                .collect(),
            platform,
            rare: (rare != Rare::default()).then(|| Box::new(rare)),
        })
    }
}

/// The start of a hostile text, short enough for a message.
pub(crate) fn clip(text: &str) -> String {
    const MAX: usize = 128;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_json_form_round_trips_with_every_field() {
        let value = json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": Digest::of(b"x").to_string(),
            "size": 856,
            "urls": ["https://elsewhere.example/x"],
            "annotations": {"b": "2", "a": "1"},
            "data": "e30=",
            "platform": {"architecture": "arm", "os": "linux", "variant": "v7"},
            "artifactType": "application/vnd.example+json",
        });
        let descriptor = Descriptor::from_json(&value).unwrap();
        assert_eq!(serde_json::to_value(descriptor.json()).unwrap(), value);
        let stored = postcard::to_stdvec(&descriptor).unwrap();
        assert_eq!(postcard::from_bytes::<Descriptor>(&stored).unwrap(), descriptor);
    }

    #[test]
    fn go_writes_null_for_empty() {
        let value = json!({"mediaType": null, "digest": Digest::of(b"x").to_string(), "size": 1,
            "urls": null, "annotations": null, "platform": null});
        let descriptor = Descriptor::from_json(&value).unwrap();
        assert_eq!(descriptor, Descriptor::new(MediaType::new(""), Digest::of(b"x"), 1));
    }

    #[test]
    fn hostile_descriptors_are_refused() {
        for value in [
            json!({}),
            json!({"digest": "sha256:../../x", "size": 1}),
            json!({"digest": Digest::of(b"x").to_string(), "size": -1}),
            json!({"digest": Digest::of(b"x").to_string(), "size": 1e300}),
            json!({"digest": Digest::of(b"x").to_string(), "size": 1, "annotations": [1]}),
            json!([]),
        ] {
            assert!(Descriptor::from_json(&value).is_err(), "{value}");
        }
    }
}
