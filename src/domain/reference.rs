//! Image references with Docker's grammar and normalisation.
//!
//! The grammar is that of the distribution project; the *familiar* form is the short one that people type (`app`), the
//! *normalised* form the one that is stored (`docker.io/library/app`).

mod canonical;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::digest::{Algorithm, Digest, ParseDigestError};
use super::error::{Error, Result};

pub use canonical::canonical_host;

const DEFAULT_DOMAIN: &str = "docker.io";
const LEGACY_DEFAULT_DOMAIN: &str = "index.docker.io";
const OFFICIAL_PREFIX: &str = "library/";
const DEFAULT_TAG: &str = "latest";
const MAX_PATH: usize = 255;
const MAX_TAG: usize = 128;

/// A normalised image reference: a repository, and a tag, a digest, both or neither.
///
/// `Display` writes the full normalised form. The order is the byte order of that form, which is the order in which
/// names are listed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Reads a familiar or a normalised reference. A tag that is absent stays absent.
    ///
    /// # Errors
    /// `InvalidArgument` with Docker's text, for whatever the grammar does not have. Stricter than Docker in one point:
    /// a first component that must be a host and cannot be one (`my_host.example/app`) is refused, where Docker makes a
    /// name without a host of it that no registry can serve.
    pub fn parse(text: &str) -> Result<Self> {
        if is_hex_id(text) {
            let text = format!("invalid repository name ({text}), cannot specify 64-byte hexadecimal strings");
            return Err(Error::invalid(text));
        }
        let (domain, rest) = split_domain(text);
        let name = rest.split(':').next().unwrap_or_default();
        if name.chars().any(|c| !c.to_lowercase().eq([c])) {
            return Err(Error::invalid(format!(
                "invalid reference format: repository name ({name}) must be lowercase"
            )));
        }
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest.to_owned(), Some(digest)),
            None => (rest, None),
        };
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest.as_str(), None),
        };
        let well_formed = is_domain(domain)
            && path.split('/').all(is_path_component)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(looks_like_digest);
        if !well_formed {
            return Err(Error::invalid("invalid reference format"));
        }
        if path.len() > MAX_PATH {
            return Err(Error::invalid(format!("repository name must not be more than {MAX_PATH} characters")));
        }
        Ok(Self {
            domain: domain.to_owned(),
            path: path.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(parse_digest).transpose()?,
        })
    }

    /// The registry's host, with its port if one is given: `docker.io`, `[::1]:5000`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository within its registry: `library/app`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag; `None` where the reference has none.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest; `None` where the reference has none.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The repository with its registry, without tag and digest: `docker.io/library/app`.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// Whether both name the same repository of the same registry.
    pub fn same_repository(&self, other: &Self) -> bool {
        self.domain == other.domain && self.path == other.path
    }

    /// The repository as people write it, without tag and digest: `app`, `team/app`, `registry.example/team/app`.
    pub fn familiar_name(&self) -> String {
        let (domain, path) = self.familiar_parts();
        format!("{domain}{}{path}", if domain.is_empty() { "" } else { "/" })
    }

    /// The reference as people write it, with its tag and its digest.
    pub fn familiar(&self) -> String {
        let mut text = self.familiar_name();
        self.write_suffix(&mut text).ok();
        text
    }

    /// The same reference with the tag `latest`, where it has neither tag nor digest.
    #[must_use]
    pub fn with_default_tag(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some(DEFAULT_TAG.to_owned());
        }
        self
    }

    /// The same repository (and digest) with a tag.
    ///
    /// # Errors
    /// `InvalidArgument`, `invalid tag format`.
    pub fn with_tag(&self, tag: &str) -> Result<Self> {
        if !is_tag(tag) {
            return Err(Error::invalid("invalid tag format"));
        }
        Ok(Self { tag: Some(tag.to_owned()), ..self.clone() })
    }

    /// The same repository (and tag) with a digest.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// The same reference without its digest.
    #[must_use]
    pub fn without_digest(&self) -> Self {
        Self { digest: None, ..self.clone() }
    }

    /// The repository alone: neither tag nor digest.
    #[must_use]
    pub fn trimmed(&self) -> Self {
        Self { domain: self.domain.clone(), path: self.path.clone(), tag: None, digest: None }
    }

    fn familiar_parts(&self) -> (&str, &str) {
        if self.domain != DEFAULT_DOMAIN {
            return (&self.domain, &self.path);
        }
        match self.path.strip_prefix(OFFICIAL_PREFIX) {
            Some(official) if !official.contains('/') => ("", official),
            _ => ("", &self.path),
        }
    }

    fn write_suffix(&self, out: &mut impl fmt::Write) -> fmt::Result {
        if let Some(tag) = &self.tag {
            write!(out, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(out, "@{digest}")?;
        }
        Ok(())
    }

    /// The bytes of the normalised form without its digest, in pieces.
    fn pieces(&self) -> [&[u8]; 5] {
        let (colon, tag) = self.tag.as_deref().map_or(("", ""), |tag| (":", tag));
        [self.domain.as_bytes(), b"/", self.path.as_bytes(), colon.as_bytes(), tag.as_bytes()]
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.path)?;
        self.write_suffix(f)
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Ord for Reference {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.digest, &other.digest) {
            (None, None) => self.pieces().into_iter().flatten().cmp(other.pieces().into_iter().flatten()),
            _ => self.to_string().cmp(&other.to_string()),
        }
    }
}

impl PartialOrd for Reference {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The registry's host and the rest (path, tag, digest), with the expansion of what people leave out.
fn split_domain(text: &str) -> (&str, String) {
    let (domain, rest) = match text.split_once('/') {
        Some((LEGACY_DEFAULT_DOMAIN, rest)) => (DEFAULT_DOMAIN, rest),
        Some((first, rest))
            if first == "localhost" || first.contains(['.', ':']) || first.chars().any(char::is_uppercase) =>
        {
            (first, rest)
        }
        // Without a slash, a colon is before a tag, not before a port.
        _ => (DEFAULT_DOMAIN, text),
    };
    if domain == DEFAULT_DOMAIN && !rest.contains('/') {
        return (domain, format!("{OFFICIAL_PREFIX}{rest}"));
    }
    (domain, rest.to_owned())
}

fn is_domain(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            if address.is_empty() || !address.bytes().all(|c| c.is_ascii_hexdigit() || c == b':') {
                return false;
            }
            match port.strip_prefix(':') {
                Some(port) => (None, Some(port)),
                None if port.is_empty() => (None, None),
                None => return false,
            }
        }
        None => match text.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(text), None),
        },
    };
    host.is_none_or(|host| host.split('.').all(is_domain_component))
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()))
}

fn is_domain_component(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
}

/// Runs of `a-z0-9` with one separator between each two: `.`, `_`, `__`, or any number of `-`.
fn is_path_component(text: &str) -> bool {
    let is_atom = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_separator = |run: &str| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|c| c == b'-');
    text.starts_with(is_atom) && text.ends_with(is_atom) && text.split(is_atom).all(is_separator)
}

fn is_tag(text: &str) -> bool {
    let is_word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    text.len() <= MAX_TAG
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|c| is_word(c) || c == b'.' || c == b'-')
}

/// The reference grammar's idea of a digest, which is wider than what is a digest.
fn looks_like_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    let is_component = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.bytes().all(|c| c.is_ascii_alphanumeric())
    };
    algorithm.split(['-', '_', '+', '.']).all(is_component)
        && hex.len() >= 32
        && hex.bytes().all(|c| c.is_ascii_hexdigit())
}

fn parse_digest(text: &str) -> Result<Digest> {
    text.parse().map_err(|error| {
        Error::invalid(match error {
            ParseDigestError::Format => "invalid checksum digest format",
            ParseDigestError::Algorithm => "unsupported digest algorithm",
            ParseDigestError::Length => "invalid checksum digest length",
        })
    })
}

pub(super) fn is_lower_hex(c: u8) -> bool {
    matches!(c, b'0'..=b'9' | b'a'..=b'f')
}

/// Whether a text is a SHA-256 digest without its algorithm, which Docker takes for an ID.
pub(super) fn is_hex_id(text: &str) -> bool {
    text.len() == Algorithm::Sha256.hex_len() && text.bytes().all(is_lower_hex)
}

#[cfg(test)]
mod tests;
