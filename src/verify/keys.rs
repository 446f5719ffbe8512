//! Signatures by keys that a rule or a user names.

use aws_lc_rs::digest::{self, Digest as AwsDigest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA256_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};

use super::Checked;
use crate::domain::public_key::KeyAlgorithm;
use crate::domain::{Digest, PublicKey};

/// The longest signature: one by the largest RSA key.
const MAX_SIGNATURE: usize = 1024;

/// What is signed.
#[derive(Clone, Copy)]
pub(super) enum Message<'a> {
    Bytes(&'a [u8]),
    /// Only its digest is known.
    Digest(&'a Digest),
}

/// How Ed25519 is used: each form of signature has its own way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ed25519Form {
    /// As it is: signatures of cosign 2 and older.
    Pure,
    /// Over the SHA-512 of the message, or as it is: bundles, in which cosign 3 does the former and others the latter.
    PrehashedOrPure,
}

/// The ways in which a key signs, with the hash of each: first that which follows the key, then SHA-256, as older signers
/// used it with every key.
fn schemes(algorithm: KeyAlgorithm) -> &'static [(&'static dyn VerificationAlgorithm, &'static digest::Algorithm)] {
    match algorithm {
        KeyAlgorithm::EcdsaP256 => &[(&ECDSA_P256_SHA256_ASN1, &digest::SHA256)],
        KeyAlgorithm::EcdsaP384 => {
            &[(&ECDSA_P384_SHA384_ASN1, &digest::SHA384), (&ECDSA_P384_SHA256_ASN1, &digest::SHA256)]
        }
        KeyAlgorithm::EcdsaP521 => {
            &[(&ECDSA_P521_SHA512_ASN1, &digest::SHA512), (&ECDSA_P521_SHA256_ASN1, &digest::SHA256)]
        }
        KeyAlgorithm::Ed25519 => &[],
        KeyAlgorithm::Rsa => &[
            (&RSA_PKCS1_2048_8192_SHA256, &digest::SHA256),
            (&RSA_PSS_2048_8192_SHA256, &digest::SHA256),
            (&RSA_PKCS1_2048_8192_SHA384, &digest::SHA384),
            (&RSA_PSS_2048_8192_SHA384, &digest::SHA384),
            (&RSA_PKCS1_2048_8192_SHA512, &digest::SHA512),
            (&RSA_PSS_2048_8192_SHA512, &digest::SHA512),
        ],
    }
}

/// Checks that the holder of a key signed a message.
///
/// # Errors
/// The reason, where they did not, or where it cannot be told from a digest alone.
pub(super) fn check(key: &PublicKey, message: Message<'_>, signature: &[u8], ed25519: Ed25519Form) -> Checked<()> {
    if signature.is_empty() || signature.len() > MAX_SIGNATURE {
        return Err(format!("a signature of {} bytes is none", signature.len()));
    }
    let is_right = if key.algorithm() == KeyAlgorithm::Ed25519 {
        let Message::Bytes(bytes) = message else {
            return Err("a signature by an Ed25519 key can be verified with the signed bytes only".to_owned());
        };
        is_by_ed25519(key, bytes, signature, ed25519)
    } else {
        let mut ways = schemes(key.algorithm()).iter();
        ways.any(|(scheme, hash)| {
            let public = UnparsedPublicKey::new(*scheme, key.spki());
            match message {
                Message::Bytes(bytes) => public.verify(bytes, signature).is_ok(),
                Message::Digest(digest) => {
                    imported(digest, hash).is_some_and(|digest| public.verify_digest(&digest, signature).is_ok())
                }
            }
        })
    };
    if is_right { Ok(()) } else { Err(format!("the signature is not by the key {}", key.fingerprint())) }
}

/// A digest for a scheme; `None` where the scheme hashes otherwise.
fn imported(digest: &Digest, hash: &'static digest::Algorithm) -> Option<AwsDigest> {
    let own = match digest {
        Digest::Sha256(_) => &digest::SHA256,
        Digest::Sha512(_) => &digest::SHA512,
    };
    if own != hash {
        return None;
    }
    AwsDigest::import_less_safe(digest.bytes(), hash).ok()
}

fn is_by_ed25519(key: &PublicKey, message: &[u8], signature: &[u8], form: Ed25519Form) -> bool {
    let is_pure = UnparsedPublicKey::new(&ED25519, key.spki()).verify(message, signature).is_ok();
    is_pure || (form == Ed25519Form::PrehashedOrPure && is_prehashed(key, message, signature))
}

/// Whether it is a signature as Ed25519ph (RFC 8032), without context.
fn is_prehashed(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    use ed25519_dalek::{Digest as _, Sha512, Signature, VerifyingKey};
    // The key itself are the last 32 bytes of its description, which was checked when it was read.
    let Some(Ok(point)) = key.spki().last_chunk::<32>().map(VerifyingKey::from_bytes) else { return false };
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    point.verify_prehashed_strict(Sha512::new().chain_update(message), None, &signature).is_ok()
}
