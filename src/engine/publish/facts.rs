//! What admissions are shown of an image beside its name: the signatures about it, and what it is made of.

use std::sync::Arc;

use crate::domain::manifest::{Document, Manifest};
use crate::domain::verification::{
    MAX_BUNDLE, MAX_LAYERS, MAX_PAYLOAD, Material, MaterialContent, SignatureAnnotations,
};
use crate::domain::{Descriptor, Digest, Error, Result};

/// The most bytes of signatures about one image that are held in memory.
const MAX_BYTES: usize = 64 << 20;

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
const NOTATION: &str = "application/vnd.cncf.notary.signature";

/// What is shown of one image. The default shows nothing, and has what is kept here looked at where an admission needs it.
#[derive(Clone, Debug, Default)]
pub struct Facts(Option<Arc<Gathered>>);

#[derive(Debug)]
struct Gathered {
    materials: Vec<Material>,
    platforms: Result<Vec<Digest>, String>,
}

impl Facts {
    /// The signatures and attestations about the image and its manifests; empty where nothing was looked at.
    pub fn materials(&self) -> &[Material] {
        self.0.as_ref().map(|gathered| gathered.materials.as_slice()).unwrap_or_default()
    }

    /// The manifests of the image's platforms, here or not: of an image without an index, its one manifest.
    ///
    /// # Errors
    /// Why they are not known.
    pub fn platforms(&self) -> Result<&[Digest], String> {
        match self.0.as_deref() {
            Some(Gathered { platforms, .. }) => platforms.as_ref().map(Vec::as_slice).map_err(Clone::clone),
            None => Err("the image was not looked at".to_owned()),
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    /// Reads the signatures. `read` gives a small blob, and may block.
    pub(super) fn read(
        holders: &[Holder],
        platforms: Result<Vec<Digest>, String>,
        read: impl Fn(&Digest, u64) -> Result<Vec<u8>>,
    ) -> Self {
        Self(Some(Arc::new(Gathered { materials: materials(holders, read), platforms })))
    }
}

/// A document that holds evidence.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    /// What it was found beside.
    pub(super) subject: Digest,
    pub(super) source: Digest,
    pub(super) document: Arc<Document>,
}

fn materials(holders: &[Holder], read: impl Fn(&Digest, u64) -> Result<Vec<u8>>) -> Vec<Material> {
    let mut left = MAX_BYTES;
    let mut materials = Vec::new();
    for Holder { subject, source, document } in holders {
        let Document::Manifest(manifest) = document.as_ref() else { continue };
        for content in contents(manifest, &mut left, &read) {
            materials.push(Material { subject: subject.clone(), source: source.clone(), content });
        }
    }
    materials
}

/// What one manifest holds. Layers of other types, plain statements among them, are no signatures.
fn contents(
    manifest: &Manifest,
    left: &mut usize,
    read: &impl Fn(&Digest, u64) -> Result<Vec<u8>>,
) -> Vec<MaterialContent> {
    if manifest.artifact_kind() == NOTATION {
        return vec![MaterialContent::Notation];
    }
    let is_signature = |layer: &&Descriptor| {
        let kind = layer.media_type.as_str();
        kind.starts_with(BUNDLE) || matches!(kind, SIMPLE_SIGNING | ENVELOPE)
    };
    let layers: Vec<&Descriptor> = manifest.layers.iter().filter(is_signature).collect();
    if layers.len() > MAX_LAYERS {
        return vec![MaterialContent::Unreadable(format!("more than {MAX_LAYERS} signatures in one manifest"))];
    }
    let mut whole = |layer: &Descriptor, limit: u64| -> Result<Arc<[u8]>> {
        if layer.size > limit {
            return Err(Error::invalid(format!("content {} is larger than {limit} bytes", layer.digest)));
        }
        let bytes = read(&layer.digest, limit)?;
        *left = left.checked_sub(bytes.len()).ok_or_else(|| Error::invalid("more signatures than are looked at"))?;
        Ok(bytes.into())
    };
    let mut content = |layer: &Descriptor| {
        let annotations = SignatureAnnotations::of(layer);
        Ok(match layer.media_type.as_str() {
            SIMPLE_SIGNING => MaterialContent::SimpleSigning { payload: whole(layer, MAX_PAYLOAD)?, annotations },
            ENVELOPE => MaterialContent::Envelope { envelope: whole(layer, MAX_PAYLOAD)?, annotations },
            _ => MaterialContent::Bundle(whole(layer, MAX_BUNDLE)?),
        })
    };
    layers
        .into_iter()
        .map(|layer| {
            content(layer).unwrap_or_else(|error: Error| MaterialContent::Unreadable(error.public().to_owned()))
        })
        .collect()
}
