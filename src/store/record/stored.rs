//! The stored form of each record, by version.
//!
//! Fields stand in the order in which they are stored, in postcard's encoding. Nothing here may change once it was
//! released; `tests/fixtures` has a data root of each released form.

use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{BlobRecord, EvidenceState, NameRecord, Record, Sources, Verdict};
use crate::domain::descriptor::Rare;
use crate::domain::manifest::{ConfigSummary, Document, Index, Manifest};
use crate::domain::{Descriptor, Digest, Error, Kind, MediaType, Platform, Result, StringMap};

/// A record of the first version, after the byte that says so.
const V1: u8 = 1;

/// A name with labels and a verdict; a configuration with its user.
const V2: u8 = 2;

/// A name that says how much of the evidence is here.
const V3: u8 = 3;

impl Record for BlobRecord {
    const VERSION: u8 = V1;

    fn encode(&self) -> Result<Vec<u8>> {
        encode(Self::VERSION, &AsStored(self))
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        match split(bytes)? {
            (V1, rest) => stored(rest),
            (version, _) => Err(unknown(version)),
        }
    }
}

impl Record for NameRecord {
    const VERSION: u8 = V3;

    fn encode(&self) -> Result<Vec<u8>> {
        encode(Self::VERSION, &AsStored(self))
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        match split(bytes)? {
            (V1, rest) => read::<NameV1>(rest).map(NameV1::into_record),
            (V2, rest) => read::<NameV2>(rest).map(NameV2::into_record),
            (V3, rest) => stored(rest),
            (version, _) => Err(unknown(version)),
        }
    }
}

impl Record for Document {
    const VERSION: u8 = V1;

    fn encode(&self) -> Result<Vec<u8>> {
        encode(Self::VERSION, &AsStored(self))
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        match split(bytes)? {
            (V1, rest) => stored(rest),
            (version, _) => Err(unknown(version)),
        }
    }
}

impl Record for ConfigSummary {
    const VERSION: u8 = V2;

    fn encode(&self) -> Result<Vec<u8>> {
        encode(Self::VERSION, &AsStored(self))
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        match split(bytes)? {
            (V1, rest) => read::<ConfigV1>(rest).map(ConfigV1::into_record),
            (V2, rest) => stored(rest),
            (version, _) => Err(unknown(version)),
        }
    }
}

impl Record for Sources {
    const VERSION: u8 = V1;

    fn encode(&self) -> Result<Vec<u8>> {
        encode(Self::VERSION, self)
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        match split(bytes)? {
            (V1, rest) => read(rest),
            (version, _) => Err(unknown(version)),
        }
    }
}

impl<R: Record> Record for Arc<R> {
    const VERSION: u8 = R::VERSION;

    fn encode(&self) -> Result<Vec<u8>> {
        R::encode(self)
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        R::decode(bytes).map(Self::new)
    }
}

fn encode(version: u8, value: &impl Serialize) -> Result<Vec<u8>> {
    postcard::to_extend(value, vec![version]).map_err(|e| Error::internal("a record could not be encoded", e))
}

fn split(bytes: &[u8]) -> Result<(u8, &[u8])> {
    bytes.split_first().map(|(version, rest)| (*version, rest)).ok_or_else(|| damaged("it is empty"))
}

fn stored<T: Stored>(bytes: &[u8]) -> Result<T> {
    Ok(read::<AsStored<T>>(bytes)?.0)
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(damaged("it goes on after its end")),
        Err(error) => Err(damaged(error)),
    }
}

fn unknown(version: u8) -> Error {
    damaged(format!("it is of version {version}, which this version of Loadline does not know"))
}

fn damaged(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::DataLoss, "the metadata database holds a record that cannot be read: see loadline check")
        .with_cause(cause)
}

/// A type that says of another how it is stored.
trait Stored: Sized {
    fn store<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// A value in its stored form.
struct AsStored<T>(T);

impl<T: Stored> Serialize for AsStored<&T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.store(serializer)
    }
}

impl<'de, T: Stored> Deserialize<'de> for AsStored<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::load(deserializer).map(Self)
    }
}

/// One value, as serde's derived code asks for it.
mod one {
    use super::*;

    pub(super) fn serialize<T: Stored, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        value.store(serializer)
    }

    pub(super) fn deserialize<'de, T: Stored, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        T::load(deserializer)
    }
}

/// A list of values.
mod each {
    use super::*;

    pub(super) fn serialize<T: Stored, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(AsStored))
    }

    pub(super) fn deserialize<'de, T: Stored, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[T]>, D::Error> {
        let values = Vec::<AsStored<T>>::deserialize(deserializer)?;
        Ok(values.into_iter().map(|value| value.0).collect())
    }
}

/// A value that may be absent.
mod optional {
    use super::*;

    pub(super) fn serialize<T: Stored, S: Serializer>(
        value: &Option<Box<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_deref().map(AsStored).serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Stored, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Box<T>>, D::Error> {
        Ok(Option::<AsStored<T>>::deserialize(deserializer)?.map(|value| Box::new(value.0)))
    }
}

/// Lets types be stored by the derived code of others that have the same fields.
macro_rules! stored_as {
    ($($value:ty: $form:ident),+ $(,)?) => {$(
        impl Stored for $value {
            fn store<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $form::serialize(self, serializer)
            }

            fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $form::deserialize(deserializer)
            }
        }
    )+};
}

stored_as! {
    BlobRecord: BlobV1,
    NameRecord: NameV3,
    EvidenceState: EvidenceV1,
    Verdict: VerdictV1,
    Document: DocumentV1,
    Index: IndexV1,
    Manifest: ManifestV1,
    ConfigSummary: ConfigV2,
    Descriptor: DescriptorV1,
    Rare: RareV1,
    Platform: PlatformV1,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "BlobRecord")]
struct BlobV1 {
    size: u64,
    created_at: i64,
}

#[derive(Deserialize)]
struct NameV1 {
    #[serde(with = "one")]
    target: Descriptor,
    created_at: i64,
    updated_at: i64,
}

impl NameV1 {
    fn into_record(self) -> NameRecord {
        let Self { target, created_at, updated_at } = self;
        NameRecord {
            target,
            created_at,
            updated_at,
            labels: StringMap::default(),
            verdict: None,
            evidence: EvidenceState::Unrecorded,
        }
    }
}

#[derive(Deserialize)]
struct NameV2 {
    #[serde(with = "one")]
    target: Descriptor,
    created_at: i64,
    updated_at: i64,
    #[serde(with = "one")]
    labels: StringMap,
    #[serde(with = "optional")]
    verdict: Option<Box<Verdict>>,
}

impl NameV2 {
    fn into_record(self) -> NameRecord {
        let Self { target, created_at, updated_at, labels, verdict } = self;
        NameRecord { target, created_at, updated_at, labels, verdict, evidence: EvidenceState::Unrecorded }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "NameRecord")]
struct NameV3 {
    #[serde(with = "one")]
    target: Descriptor,
    created_at: i64,
    updated_at: i64,
    #[serde(with = "one")]
    labels: StringMap,
    #[serde(with = "optional")]
    verdict: Option<Box<Verdict>>,
    #[serde(with = "one")]
    evidence: EvidenceState,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "EvidenceState")]
enum EvidenceV1 {
    Unrecorded,
    Complete,
    Missing(Box<str>),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Verdict")]
struct VerdictV1 {
    rule: String,
    reason: String,
    decided_at: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Document")]
enum DocumentV1 {
    Index(#[serde(with = "one")] Index),
    Manifest(#[serde(with = "one")] Manifest),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Index")]
struct IndexV1 {
    #[serde(with = "each")]
    manifests: Box<[Descriptor]>,
    #[serde(with = "optional")]
    subject: Option<Box<Descriptor>>,
    #[serde(with = "one")]
    annotations: StringMap,
    artifact_type: Option<Box<str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Manifest")]
struct ManifestV1 {
    #[serde(with = "one")]
    config: Descriptor,
    #[serde(with = "each")]
    layers: Box<[Descriptor]>,
    #[serde(with = "optional")]
    subject: Option<Box<Descriptor>>,
    #[serde(with = "one")]
    annotations: StringMap,
    artifact_type: Option<Box<str>>,
}

#[derive(Deserialize)]
struct ConfigV1 {
    #[serde(with = "one")]
    platform: Platform,
    created: Option<i64>,
    #[serde(with = "one")]
    labels: StringMap,
}

impl ConfigV1 {
    fn into_record(self) -> ConfigSummary {
        let Self { platform, created, labels } = self;
        ConfigSummary { platform, created, labels, user: None }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ConfigSummary")]
struct ConfigV2 {
    #[serde(with = "one")]
    platform: Platform,
    created: Option<i64>,
    #[serde(with = "one")]
    labels: StringMap,
    user: Option<Box<str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Descriptor")]
struct DescriptorV1 {
    #[serde(with = "one")]
    media_type: MediaType,
    #[serde(with = "one")]
    digest: Digest,
    size: u64,
    #[serde(with = "one")]
    annotations: StringMap,
    #[serde(with = "optional")]
    platform: Option<Box<Platform>>,
    #[serde(with = "optional")]
    rare: Option<Box<Rare>>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Rare")]
struct RareV1 {
    urls: Box<[Box<str>]>,
    data: Option<Box<str>>,
    artifact_type: Option<Box<str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Platform")]
struct PlatformV1 {
    os: String,
    architecture: String,
    variant: Option<String>,
    os_version: Option<String>,
    os_features: Vec<String>,
}

/// A digest is stored as its bytes; their number tells the algorithm.
impl Stored for Digest {
    fn store<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.bytes())
    }

    fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        Self::from_bytes(bytes).ok_or_else(|| D::Error::custom("a digest of no known algorithm"))
    }
}

impl Stored for StringMap {
    fn store<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }

    fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<[(Box<str>, Box<str>)]>::deserialize(deserializer).map(Self::from)
    }
}

/// What a media type is stored as, in place of its text: there are ten of them to an image. Numbers are never used again.
const MEDIA_TYPES: [(u32, MediaType); 14] = [
    (1, MediaType::OCI_INDEX),
    (2, MediaType::OCI_MANIFEST),
    (3, MediaType::OCI_CONFIG),
    (4, MediaType::OCI_LAYER),
    (5, MediaType::OCI_LAYER_GZIP),
    (6, MediaType::OCI_LAYER_ZSTD),
    (7, MediaType::OCI_EMPTY),
    (8, MediaType::DOCKER_LIST),
    (9, MediaType::DOCKER_MANIFEST),
    (10, MediaType::DOCKER_CONFIG),
    (11, MediaType::DOCKER_LAYER),
    (12, MediaType::DOCKER_LAYER_GZIP),
    (13, MediaType::DOCKER_LAYER_ZSTD),
    (14, MediaType::IN_TOTO),
];

/// A type without a number is stored as 0 and its text.
impl Stored for MediaType {
    fn store<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match MEDIA_TYPES.iter().find(|(_, known)| known == self) {
            Some((number, _)) => (number, "").serialize(serializer),
            None => (0u32, self.as_str()).serialize(serializer),
        }
    }

    fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match <(u32, &str)>::deserialize(deserializer)? {
            (0, text) => Ok(Self::new(text)),
            (number, _) => {
                let known = MEDIA_TYPES.iter().find(|(known, _)| *known == number).map(|(_, kind)| kind.clone());
                known.ok_or_else(|| D::Error::custom("a media type that this version does not know"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
