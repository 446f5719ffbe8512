//! Evidence as it was stored.

use std::sync::Arc;

use crate::domain::{Descriptor, Digest};

/// The largest manifest that is read as evidence, in bytes.
pub const MAX_MANIFEST: u64 = 128 << 10;

/// The largest Sigstore bundle, in bytes.
pub const MAX_BUNDLE: u64 = 1 << 20;

/// The largest payload of a signature, in bytes.
pub const MAX_PAYLOAD: u64 = 1 << 20;

/// The most layers of one manifest that are looked at.
pub const MAX_LAYERS: usize = 100;

/// One signature or attestation, as it was stored. Nothing about it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Material {
    /// The manifest or index that it was found beside. Whether it really is about that is for verification to say.
    pub subject: Digest,
    /// The manifest that holds it.
    pub source: Digest,
    pub content: MaterialContent,
}

/// The bytes of a signature or an attestation, in the form in which its signer stored it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaterialContent {
    /// A Sigstore bundle in JSON: a layer of type `application/vnd.dev.sigstore.bundle…`.
    Bundle(Arc<[u8]>),
    /// A signature by cosign 2 or older: a layer of type `application/vnd.dev.cosign.simplesigning.v1+json` and its
    /// descriptor's annotations. Several layers may have one digest and differ in their annotations only.
    SimpleSigning { payload: Arc<[u8]>, annotations: SignatureAnnotations },
    /// An attestation by cosign 2 or older: a layer of type `application/vnd.dsse.envelope.v1+json`.
    Envelope { envelope: Arc<[u8]>, annotations: SignatureAnnotations },
    /// A signature by notation, which is recognised and not verified.
    Notation,
    /// It is there and could not be read, with the reason: too large, or content is missing.
    Unreadable(String),
}

/// What cosign 2 or older keeps in the annotations of a layer. Absent where an annotation is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureAnnotations {
    /// The signature in base64. Empty for an envelope, which holds its own.
    pub signature: Option<String>,
    /// The signer's certificate in PEM.
    pub certificate: Option<String>,
    /// The certificates between the signer's and the root, in PEM.
    pub chain: Option<String>,
    /// The entry of the transparency log and the log's promise to include it, in JSON.
    pub bundle: Option<String>,
    /// A timestamp by an authority, in JSON.
    pub timestamp: Option<String>,
}

impl SignatureAnnotations {
    /// The annotations of a layer.
    pub fn of(layer: &Descriptor) -> Self {
        let get = |key: &str| layer.annotations.get(key).map(ToOwned::to_owned);
        Self {
            signature: get("dev.cosignproject.cosign/signature"),
            certificate: get("dev.sigstore.cosign/certificate"),
            chain: get("dev.sigstore.cosign/chain"),
            bundle: get("dev.sigstore.cosign/bundle"),
            timestamp: get("dev.sigstore.cosign/rfc3161timestamp"),
        }
    }
}
