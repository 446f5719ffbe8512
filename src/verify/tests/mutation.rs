//! No changed byte makes a signature say something else.

use super::{CosignFixture, KeylessFixture, roots, verify_one};
use crate::domain::PublicKey;
use crate::domain::verification::{Material, MaterialContent, SignatureKind, VerifiedSignature};
use crate::verify::TrustRoots;

/// Changes bytes one at a time, every `step`th. Whatever still verifies says the same by the same signer: the change was
/// in a part that nobody signs, such as a hint. Returns how many do.
fn survivors(material: &Material, roots: &TrustRoots, keys: &[PublicKey], step: usize) -> usize {
    let verified =
        |material: &Material| -> Option<VerifiedSignature> { verify_one(material, roots, keys).remove(0).result.ok() };
    let original = verified(material).unwrap();
    let bytes = bytes_of(material).to_vec();
    let mut count = 0;
    for at in (0..bytes.len()).step_by(step) {
        for change in [1, 0x20] {
            let mut changed = bytes.clone();
            changed[at] ^= change;
            let mut spoilt = material.clone();
            *bytes_of_mut(&mut spoilt) = changed.into();
            if let Some(signature) = verified(&spoilt) {
                assert_eq!((&signature.signer, &signature.claim), (&original.signer, &original.claim), "byte {at}");
                count += 1;
            }
        }
    }
    count
}

fn bytes_of(material: &Material) -> &[u8] {
    match &material.content {
        MaterialContent::Bundle(bytes)
        | MaterialContent::SimpleSigning { payload: bytes, .. }
        | MaterialContent::Envelope { envelope: bytes, .. } => bytes,
        MaterialContent::Notation | MaterialContent::Unreadable(_) => &[],
    }
}

fn bytes_of_mut(material: &mut Material) -> &mut std::sync::Arc<[u8]> {
    match &mut material.content {
        MaterialContent::Bundle(bytes)
        | MaterialContent::SimpleSigning { payload: bytes, .. }
        | MaterialContent::Envelope { envelope: bytes, .. } => bytes,
        MaterialContent::Notation | MaterialContent::Unreadable(_) => unreachable!("nothing to change"),
    }
}

#[test]
fn no_changed_byte_of_a_signature_by_a_key_says_something_else() {
    let fixture = CosignFixture::read();
    for layer in &fixture.signed {
        let key = fixture.key(&layer.key);
        let material = layer.material();
        let left = survivors(&material, &TrustRoots::default(), &[key], 5);
        let kind = verify_one(&material, &TrustRoots::default(), &[])[0].kind;
        if kind == SignatureKind::SimpleSigning {
            assert_eq!(left, 0, "every byte of the payload is signed");
        }
    }
}

#[test]
fn no_changed_byte_of_a_keyless_signature_says_something_else() {
    let fixture = KeylessFixture::read();
    let roots = roots(&[&fixture.root]);
    for material in
        [fixture.bundle("signature-and-timestamp"), fixture.bundle("message"), fixture.legacy("attestation")]
    {
        survivors(&material, &roots, &[], 61);
    }
    assert_eq!(survivors(&fixture.legacy("signature"), &roots, &[], 11), 0);
}
