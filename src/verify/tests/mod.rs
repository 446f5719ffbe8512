//! Signatures by real signers and by the conformance suite, whole and spoilt.

mod conformance;
mod cosign;
mod keyless;
mod mutation;
mod spoilt;

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::Value;

use crate::domain::verification::{Finding, Material, MaterialContent, SignatureAnnotations};
use crate::domain::{Digest, PublicKey};
use crate::verify::{Trust, TrustRoot, TrustRoots, verify};

/// The clock as it is: `sigstore-verify` reads it too.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// What cosign stored in a registry.
#[derive(Deserialize)]
struct CosignFixture {
    keys: BTreeMap<String, String>,
    signed: Vec<CosignLayer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CosignLayer {
    signer: String,
    key: String,
    subject: Digest,
    source: Digest,
    media_type: String,
    annotations: BTreeMap<String, String>,
    content: String,
}

impl CosignFixture {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../../tests/fixtures/verify/cosign.json")).unwrap()
    }

    fn key(&self, name: &str) -> PublicKey {
        PublicKey::from_pem(&self.keys[name]).unwrap()
    }
}

impl CosignLayer {
    fn material(&self) -> Material {
        let (bytes, annotations) = (self.content.as_bytes().into(), annotations(&self.annotations));
        let content = match self.media_type.as_str() {
            "application/vnd.dev.cosign.simplesigning.v1+json" => {
                MaterialContent::SimpleSigning { payload: bytes, annotations }
            }
            "application/vnd.dsse.envelope.v1+json" => MaterialContent::Envelope { envelope: bytes, annotations },
            _ => MaterialContent::Bundle(bytes),
        };
        Material { subject: self.subject.clone(), source: self.source.clone(), content }
    }
}

/// What `@sigstore/sign` made with `@sigstore/mock`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeylessFixture {
    root: Value,
    other_root: Value,
    manifest: String,
    digest: Digest,
    bundles: BTreeMap<String, Value>,
    legacy: BTreeMap<String, LegacyLayer>,
}

#[derive(Clone, Deserialize)]
struct LegacyLayer {
    payload: String,
    annotations: BTreeMap<String, String>,
}

impl KeylessFixture {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../../tests/fixtures/verify/keyless.json")).unwrap()
    }

    fn bundle(&self, name: &str) -> Material {
        self.material(MaterialContent::Bundle(self.bundles[name].to_string().as_bytes().into()))
    }

    fn legacy(&self, name: &str) -> Material {
        let layer = &self.legacy[name];
        let (bytes, annotations) = (layer.payload.as_bytes().into(), annotations(&layer.annotations));
        self.material(match name {
            "signature" => MaterialContent::SimpleSigning { payload: bytes, annotations },
            _ => MaterialContent::Envelope { envelope: bytes, annotations },
        })
    }

    fn material(&self, content: MaterialContent) -> Material {
        Material { subject: self.digest.clone(), source: Digest::of(b"source"), content }
    }
}

fn annotations(all: &BTreeMap<String, String>) -> SignatureAnnotations {
    let mut layer = crate::domain::Descriptor::new(crate::domain::MediaType::OCI_LAYER, Digest::of(b""), 0);
    layer.annotations = all.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    SignatureAnnotations::of(&layer)
}

fn roots(documents: &[&Value]) -> TrustRoots {
    documents.iter().map(|root| TrustRoot::from_json("test", &root.to_string()).unwrap()).collect()
}

/// The findings about one piece of evidence.
fn verify_one(material: &Material, roots: &TrustRoots, keys: &[PublicKey]) -> Vec<Finding> {
    verify(std::slice::from_ref(material), &Trust { roots, keys, now: now() })
}
