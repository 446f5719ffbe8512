//! What a client calls an image.

use std::fmt;
use std::str::FromStr;

use super::digest::{Algorithm, Digest};
use super::error::{Detail, Error, Result};
use super::reference::{Reference, is_hex_id, is_lower_hex};

/// The shortest hexadecimal text that is also tried as the beginning of an image's ID.
const MIN_ID_PREFIX: usize = 4;

/// What a client calls an image: a name, or an ID or its beginning.
///
/// [`ImageName::parse`] reads it as Docker does, as in `/images/{name}/json`. A facade with other rules decides for itself
/// what a text is, and makes one of a [`Reference`] or a [`Digest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageName {
    text: String,
    meaning: Meaning,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Meaning {
    /// A reference with a tag (the default one, if none was given), a digest or both.
    Name(Reference),
    /// A full digest, with its algorithm or as 64 bare hexadecimal characters (SHA-256).
    Digest(Digest),
    /// A text that may be the beginning of an ID, and is a name as well. The name is tried first.
    IdPrefix {
        /// The algorithm that was written before it; without one, the prefix is of any digest.
        algorithm: Option<Algorithm>,
        /// Lower-case hexadecimal, at least four characters.
        hex: String,
        /// The text read as a name, with a tag.
        reference: Reference,
    },
}

impl ImageName {
    /// Reads what a client wrote, by Docker's rules.
    ///
    /// # Errors
    /// `InvalidArgument` for a blank text, and as [`Reference::parse`].
    pub fn parse(text: &str) -> Result<Self> {
        if text.trim().is_empty() {
            return Err(Error::invalid("image name cannot be blank"));
        }
        Ok(Self { text: text.to_owned(), meaning: Meaning::read(text)? })
    }

    /// What the client wrote; for a name that was not parsed, its familiar form or the digest.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The reference to look up by name; `None` for a full digest.
    pub fn reference(&self) -> Option<&Reference> {
        match &self.meaning {
            Meaning::Name(reference) | Meaning::IdPrefix { reference, .. } => Some(reference),
            Meaning::Digest(_) => None,
        }
    }

    /// The full digest; `None` for everything else, a reference with a digest included.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.meaning {
            Meaning::Digest(digest) => Some(digest),
            Meaning::Name(_) | Meaning::IdPrefix { .. } => None,
        }
    }

    /// Whether this may be an ID or its beginning.
    pub fn may_be_id(&self) -> bool {
        !matches!(self.meaning, Meaning::Name(_))
    }

    /// Whether this may be an ID and a digest begins with it. A full digest is a prefix of itself only; a name is one
    /// of nothing.
    pub fn is_prefix_of(&self, digest: &Digest) -> bool {
        match &self.meaning {
            Meaning::Name(_) => false,
            Meaning::Digest(full) => full == digest,
            Meaning::IdPrefix { algorithm, hex, .. } => {
                algorithm.is_none_or(|algorithm| algorithm == digest.algorithm())
                    && hex.len() <= 2 * digest.bytes().len()
                    && hex.bytes().zip(nibbles(digest.bytes())).all(|(c, nibble)| c == nibble)
            }
        }
    }

    /// The failure that says that there is no such image.
    pub fn not_found(&self) -> Error {
        Error::not_found(Detail::NoSuchImage { image: self.to_string() })
    }
}

impl Meaning {
    fn read(text: &str) -> Result<Self> {
        if is_hex_id(text)
            && let Ok(digest) = format!("sha256:{text}").parse()
        {
            return Ok(Self::Digest(digest));
        }
        if let Ok(digest) = text.parse() {
            return Ok(Self::Digest(digest));
        }
        let reference = Reference::parse(text)?.with_default_tag();
        let (algorithm, hex) = match text.split_once(':') {
            Some((name, hex)) => match Algorithm::from_name(name) {
                Some(algorithm) => (Some(algorithm), hex),
                None => return Ok(Self::Name(reference)),
            },
            None => (None, text),
        };
        let longest = algorithm.unwrap_or(Algorithm::Sha256).hex_len();
        if (MIN_ID_PREFIX..=longest).contains(&hex.len()) && hex.bytes().all(is_lower_hex) {
            return Ok(Self::IdPrefix { algorithm, hex: hex.to_owned(), reference });
        }
        Ok(Self::Name(reference))
    }
}

impl From<Reference> for ImageName {
    /// The image of that name and no other. Without tag and digest, it is the name with the tag `latest`.
    fn from(reference: Reference) -> Self {
        let reference = reference.with_default_tag();
        Self { text: reference.familiar(), meaning: Meaning::Name(reference) }
    }
}

impl From<Digest> for ImageName {
    /// The image with that ID.
    fn from(digest: Digest) -> Self {
        Self { text: digest.to_string(), meaning: Meaning::Digest(digest) }
    }
}

/// The familiar form with its tag, or the digest.
impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.meaning {
            Meaning::Name(reference) | Meaning::IdPrefix { reference, .. } => f.write_str(&reference.familiar()),
            Meaning::Digest(digest) => fmt::Display::fmt(digest, f),
        }
    }
}

impl FromStr for ImageName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

fn nibbles(bytes: &[u8]) -> impl Iterator<Item = u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
}

#[cfg(test)]
mod tests;
