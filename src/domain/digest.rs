//! Content digests as the OCI image specification writes them: `algorithm:hex`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256, Sha512};

/// A registered hash algorithm that blobs may be addressed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    /// Every algorithm, in the order in which their blobs are listed.
    pub const ALL: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

    /// The name before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The algorithm of that name; `None` for any that is not served.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// How many hexadecimal characters a digest of this algorithm has.
    pub fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    /// A hasher that bytes can be fed to.
    pub fn hasher(self) -> Hasher {
        match self {
            Self::Sha256 => Hasher::Sha256(Sha256::new()),
            Self::Sha512 => Hasher::Sha512(Sha512::new()),
        }
    }
}

/// The address of a blob: the hash of its exact bytes.
///
/// Only well-formed digests exist: a known algorithm and lower-case hexadecimal of the right length, so a digest can
/// always be used as a file name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digest {
    Sha256([u8; 32]),
    // Boxed, so that the rare algorithm does not double the memory of the common one.
    Sha512(Box<[u8; 64]>),
}

impl Digest {
    /// The SHA-256 digest of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::Sha256(Sha256::digest(bytes).into())
    }

    /// The digest of bytes by an algorithm.
    pub fn compute(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = algorithm.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The algorithm before the colon.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The raw hash.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) => bytes,
            Self::Sha512(bytes) => bytes.as_slice(),
        }
    }

    /// The digest with this raw hash: 32 bytes are SHA-256, 64 SHA-512; `None` for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes.len() {
            32 => Some(Self::Sha256(bytes.try_into().ok()?)),
            64 => Some(Self::Sha512(Box::new(bytes.try_into().ok()?))),
            _ => None,
        }
    }

    /// Writes the text into a buffer: lists hold a dozen digests an image, so this does without a formatter.
    fn write<'a>(&self, buffer: &'a mut [u8; MAX_TEXT]) -> &'a str {
        buffer[..7].copy_from_slice(match self.algorithm() {
            Algorithm::Sha256 => b"sha256:",
            Algorithm::Sha512 => b"sha512:",
        });
        let mut len = 7;
        for byte in self.bytes() {
            buffer[len..len + 2].copy_from_slice(&hex_digits(*byte));
            len += 2;
        }
        // Always ASCII.
        std::str::from_utf8(&buffer[..len]).unwrap_or_default()
    }

    /// The lower-case hexadecimal after the colon.
    pub fn hex(&self) -> String {
        self.bytes().iter().flat_map(|byte| hex_digits(*byte)).map(char::from).collect()
    }
}

/// The longest text: that of SHA-512.
const MAX_TEXT: usize = 7 + 128;

fn hex_digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.write(&mut [0; MAX_TEXT]))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDigestError {
    #[error("invalid digest format")]
    Format,
    #[error("unsupported digest algorithm")]
    Algorithm,
    #[error("invalid digest length")]
    Length,
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let (name, hex) = text.split_once(':').ok_or(ParseDigestError::Format)?;
        let algorithm = Algorithm::from_name(name).ok_or(ParseDigestError::Algorithm)?;
        if !hex.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ParseDigestError::Format);
        }
        if hex.len() != algorithm.hex_len() {
            return Err(ParseDigestError::Length);
        }
        let value = |c: u8| if c <= b'9' { c - b'0' } else { c - b'a' + 10 };
        let bytes: Vec<u8> = hex.as_bytes().chunks_exact(2).map(|pair| value(pair[0]) << 4 | value(pair[1])).collect();
        Self::from_bytes(&bytes).ok_or(ParseDigestError::Length)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(self.write(&mut [0; MAX_TEXT]))
        } else {
            serializer.serialize_bytes(self.bytes())
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Digest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a digest such as sha256:<64 hexadecimal characters>")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Digest, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Digest, E> {
                Digest::from_bytes(bytes).ok_or_else(|| E::custom(ParseDigestError::Length))
            }
        }
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Visitor)
        } else {
            deserializer.deserialize_bytes(Visitor)
        }
    }
}

/// That bytes are not those which a digest stands for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("content of {expected} does not match its digest: it is {actual}")]
pub struct WrongDigest {
    pub expected: Digest,
    pub actual: Digest,
}

/// A running hash of one algorithm.
#[derive(Clone)]
pub enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// Adds bytes to what is hashed.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of all bytes fed so far.
    pub fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest::Sha256(hasher.finalize().into()),
            Self::Sha512(hasher) => Digest::Sha512(Box::new(hasher.finalize().into())),
        }
    }

    /// The same, if it is the digest that was expected.
    ///
    /// # Errors
    /// [`WrongDigest`] where it is another.
    pub fn finish_as(self, expected: Option<&Digest>) -> Result<Digest, WrongDigest> {
        let actual = self.finish();
        match expected {
            Some(expected) if *expected != actual => Err(WrongDigest { expected: expected.clone(), actual }),
            _ => Ok(actual),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn text_and_bytes_round_trip() {
        let digest: Digest = EMPTY.parse().unwrap();
        assert_eq!(digest, Digest::of(b""));
        assert_eq!(digest.to_string(), EMPTY);
        assert_eq!(Digest::from_bytes(digest.bytes()), Some(digest.clone()));
        assert_eq!(serde_json::to_string(&digest).unwrap(), format!("{EMPTY:?}"));
        let long = Digest::compute(Algorithm::Sha512, b"x");
        assert_eq!(long.to_string().parse::<Digest>().unwrap(), long);
    }

    #[test]
    fn whatever_could_become_another_file_name_is_refused() {
        for text in [
            "",
            ":",
            "sha256",
            "sha256:",
            "sha256:zz",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            "sha256:../../etc/passwd",
            &EMPTY.to_uppercase(),
            &EMPTY[..70],
            &format!("{EMPTY}0"),
            &EMPTY.replace('e', "E"),
            "sha512:e3b0c442",
            &format!(" {EMPTY}"),
            &format!("{EMPTY}\n"),
            "sha256+b64:abc",
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text:?}");
        }
    }
}
