//! Public keys that rules and users name.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_cert::Certificate;
use x509_cert::der::asn1::{AnyRef, BitString, ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, Encode, Reader, SliceReader};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use crate::domain::{Digest, Error, Result};

/// The largest key or certificate in PEM, in bytes.
const MAX_PEM: usize = 64 << 10;

/// The smallest RSA key that counts, in bits.
const MIN_RSA_BITS: usize = 2048;
/// The largest RSA key: a larger one costs more time than it is worth.
const MAX_RSA_BITS: usize = 8192;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// A public key of a kind that signatures are verified with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey {
    spki: Arc<[u8]>,
    algorithm: KeyAlgorithm,
}

/// What a key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    EcdsaP256,
    EcdsaP384,
    EcdsaP521,
    Ed25519,
    Rsa,
}

impl PublicKey {
    /// Reads a key from PEM: `PUBLIC KEY`, `RSA PUBLIC KEY`, or `CERTIFICATE`, of which only the key counts. What follows
    /// the first block is an error.
    ///
    /// # Errors
    /// `InvalidArgument` where it is not PEM, or the key is malformed, of another kind, or too small.
    pub fn from_pem(text: &str) -> Result<Self> {
        let (label, der) = read_pem(text)?;
        match label {
            "PUBLIC KEY" => Self::from_spki(&der),
            "RSA PUBLIC KEY" => Self::from_spki(&wrap_rsa(&der)?),
            "CERTIFICATE" => {
                let certificate = Certificate::from_der(&der).map_err(|error| malformed("certificate", error))?;
                let key = certificate.tbs_certificate.subject_public_key_info;
                Self::from_spki(&key.to_der().map_err(|error| malformed("certificate", error))?)
            }
            other => Err(Error::invalid(format!(
                "a public key or a certificate in PEM is expected, and this is {:?}",
                other.chars().take(40).collect::<String>()
            ))),
        }
    }

    /// Reads a key from DER, as X.509's SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// `InvalidArgument` where it is malformed, of another kind, or too small.
    pub fn from_spki(der: &[u8]) -> Result<Self> {
        let info = SubjectPublicKeyInfoOwned::from_der(der).map_err(|error| malformed("public key", error))?;
        let curve = info.algorithm.parameters.as_ref().and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
        let algorithm = match (info.algorithm.oid, curve) {
            (ED25519, _) => KeyAlgorithm::Ed25519,
            (EC, Some(P256)) => KeyAlgorithm::EcdsaP256,
            (EC, Some(P384)) => KeyAlgorithm::EcdsaP384,
            (EC, Some(P521)) => KeyAlgorithm::EcdsaP521,
            (RSA, _) => {
                check_rsa(info.subject_public_key.raw_bytes())?;
                KeyAlgorithm::Rsa
            }
            (oid, _) => return Err(Error::invalid(format!("public keys of this kind are not supported: {oid}"))),
        };
        Ok(Self { spki: der.into(), algorithm })
    }

    /// The key in DER, as X.509's SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// What it signs with.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The SHA-256 digest of the key in DER.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.spki)
    }
}

fn malformed(what: &str, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::invalid(format!("the {what} is malformed")).with_cause(cause)
}

/// The label and the bytes of the only block of a PEM text.
fn read_pem(text: &str) -> Result<(&str, Vec<u8>)> {
    let not_pem = || Error::invalid("a public key or a certificate in PEM is expected");
    if text.len() > MAX_PEM {
        return Err(Error::invalid(format!("a key in PEM has at most {MAX_PEM} bytes, this one {}", text.len())));
    }
    let (label, rest) =
        text.trim().strip_prefix("-----BEGIN ").and_then(|rest| rest.split_once("-----")).ok_or_else(not_pem)?;
    let (body, after) = rest.split_once(&format!("-----END {label}-----")).ok_or_else(not_pem)?;
    if !after.trim().is_empty() {
        return Err(Error::invalid("one key or certificate is expected, and more follows it"));
    }
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(body).map_err(|error| not_pem().with_cause(error))?;
    Ok((label, der))
}

/// A key in PKCS#1 as SubjectPublicKeyInfo.
fn wrap_rsa(pkcs1: &[u8]) -> Result<Vec<u8>> {
    let build = || {
        let algorithm = AlgorithmIdentifierOwned { oid: RSA, parameters: Some(AnyRef::NULL.into()) };
        SubjectPublicKeyInfoOwned { algorithm, subject_public_key: BitString::from_bytes(pkcs1)? }.to_der()
    };
    build().map_err(|error| malformed("public key", error))
}

/// Checks the size of a key in PKCS#1.
fn check_rsa(pkcs1: &[u8]) -> Result<()> {
    let read = || {
        let mut reader = SliceReader::new(pkcs1)?;
        let bits = reader.sequence(|numbers| {
            let modulus = UintRef::decode(numbers)?;
            UintRef::decode(numbers)?;
            let leading = modulus.as_bytes().first().map_or(0, |byte| byte.leading_zeros() as usize);
            Ok(modulus.as_bytes().len() * 8 - leading)
        })?;
        reader.finish(bits)
    };
    let bits = read().map_err(|error| malformed("RSA key", error))?;
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        let rule = format!("an RSA key has {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, this one {bits}");
        return Err(Error::invalid(rule));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
