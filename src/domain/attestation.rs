//! How attestation manifests and their in-toto statements are recognised.
//!
//! BuildKit marks an attestation manifest by annotations on its descriptor in the index; each layer that carries a
//! predicate type is one in-toto statement. OCI referrers say the same by their `subject`.

use super::descriptor::{Descriptor, MediaType};
use super::manifest::{Document, Manifest};
use super::{Digest, Platform};

const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";
const ATTESTATION_MANIFEST: &str = "attestation-manifest";
const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";

/// An in-toto statement, as the manifest that holds it describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    pub descriptor: &'a Descriptor,
    /// The URI that says what kind of claim the statement makes.
    pub predicate_type: &'a str,
}

/// Whether a descriptor in an index stands for something other than an image, by BuildKit's mark.
pub fn is_marked(descriptor: &Descriptor) -> bool {
    descriptor.annotations.get(REFERENCE_TYPE).is_some()
}

/// The manifest that an attestation manifest speaks of; absent where the descriptor is not marked as one or names no
/// digest.
pub fn subject(descriptor: &Descriptor) -> Option<Digest> {
    if descriptor.annotations.get(REFERENCE_TYPE)? != ATTESTATION_MANIFEST {
        return None;
    }
    descriptor.annotations.get(REFERENCE_DIGEST)?.parse().ok()
}

/// Whether the platform of a descriptor is the placeholder that marks what is no image.
pub fn is_placeholder(platform: &Platform) -> bool {
    platform.os == "unknown" && platform.architecture == "unknown"
}

/// What a descriptor says of the in-toto statement that it points at; `None` where it has no predicate type, and so points
/// at something else.
pub fn statement(descriptor: &Descriptor) -> Option<Statement<'_>> {
    Some(Statement { descriptor, predicate_type: descriptor.annotations.get(PREDICATE_TYPE)? })
}

/// The statements of an attestation manifest, in its order: layers without a predicate type are none.
pub fn statements(manifest: &Manifest) -> impl Iterator<Item = Statement<'_>> {
    manifest.layers.iter().filter_map(statement)
}

/// The tags under which cosign 2 and older keep the signatures and the attestations about a digest.
pub fn cosign_tags(subject: &Digest) -> [String; 2] {
    let tag = |suffix| format!("{}-{}.{suffix}", subject.algorithm().name(), subject.hex());
    [tag("sig"), tag("att")]
}

/// Whether a manifest holds signatures or attestations as cosign 2 and older keep them. It names no subject: what it is
/// about is said by its tag only.
pub fn is_of_cosign(manifest: &Manifest) -> bool {
    let kinds = ["application/vnd.dev.cosign.simplesigning.v1+json", "application/vnd.dsse.envelope.v1+json"];
    manifest.layers.iter().any(|layer| kinds.contains(&layer.media_type.as_str()))
}

/// A manifest of cosign's with the subject that its tag says; `None` where it is no such manifest, or names one itself.
/// Of the subject only the digest is known.
pub fn with_subject(document: &Document, subject: &Digest) -> Option<Document> {
    match document {
        Document::Manifest(manifest) if manifest.subject.is_none() && is_of_cosign(manifest) => {
            let subject = Descriptor::new(MediaType::OCI_MANIFEST, subject.clone(), 0);
            Some(Document::Manifest(Manifest { subject: Some(Box::new(subject)), ..manifest.clone() }))
        }
        _ => None,
    }
}

/// What archives say of evidence that names no subject itself.
const KIND: &str = "kind";
const SUBJECT: &str = "dev.loadline.evidence.subject";
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const COSIGN: &str = "dev.cosignproject.cosign/";

/// The annotations of such evidence in an archive's index.
pub fn archive_annotations(subject: &Digest) -> [(&'static str, String); 2] {
    [(KIND, format!("{COSIGN}sigs")), (SUBJECT, subject.to_string())]
}

/// What such an entry of an archive's index is about; `None` for every other. `cosign save` gives image and signatures
/// one name, and kinds by which they are told apart.
pub fn archived_subject(entry: &Descriptor, all: &[Descriptor]) -> Option<Digest> {
    let is_evidence = |kind: &str| matches!(kind.strip_prefix(COSIGN), Some("sigs" | "atts"));
    entry.annotations.get(KIND).filter(|kind| is_evidence(kind))?;
    if let Some(subject) = entry.annotations.get(SUBJECT) {
        return subject.parse().ok();
    }
    let name = entry.annotations.get(REF_NAME)?;
    let is_image = |other: &&Descriptor| {
        let kind = other.annotations.get(KIND).and_then(|kind| kind.strip_prefix(COSIGN));
        matches!(kind, Some("image" | "imageIndex")) && other.annotations.get(REF_NAME) == Some(name)
    };
    all.iter().find(is_image).map(|image| image.digest.clone())
}

/// Whether a referrer holds in-toto statements that may be listed beside those of an attestation manifest.
pub fn holds_statements(manifest: &Manifest) -> bool {
    manifest
        .layers
        .iter()
        .any(|layer| layer.media_type == MediaType::IN_TOTO && layer.annotations.get(PREDICATE_TYPE).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(kind: &str, digest: &str) -> Descriptor {
        let mut descriptor = Descriptor::new(MediaType::OCI_MANIFEST, Digest::of(b"a"), 1);
        descriptor.annotations = [(REFERENCE_TYPE, kind), (REFERENCE_DIGEST, digest)].into_iter().collect();
        descriptor
    }

    #[test]
    fn only_a_marked_descriptor_with_a_digest_has_a_subject() {
        let digest = Digest::of(b"image").to_string();
        assert_eq!(subject(&marked(ATTESTATION_MANIFEST, &digest)), Some(Digest::of(b"image")));
        assert_eq!(subject(&marked("other", &digest)), None);
        assert_eq!(subject(&marked(ATTESTATION_MANIFEST, "sha256:../x")), None);
        assert!(is_marked(&marked("other", &digest)));
    }

    #[test]
    fn layers_without_a_predicate_type_are_no_statements() {
        let mut statement = Descriptor::new(MediaType::IN_TOTO, Digest::of(b"s"), 1);
        statement.annotations = [(PREDICATE_TYPE, "https://slsa.dev/provenance/v1")].into_iter().collect();
        let manifest = Manifest {
            config: Descriptor::new(MediaType::OCI_CONFIG, Digest::of(b"{}"), 2),
            layers: [Descriptor::new(MediaType::IN_TOTO, Digest::of(b"n"), 1), statement.clone()].into(),
            subject: None,
            annotations: Default::default(),
            artifact_type: None,
        };
        let found: Vec<_> = statements(&manifest).collect();
        assert_eq!(found, [Statement { descriptor: &statement, predicate_type: "https://slsa.dev/provenance/v1" }]);
    }
}
