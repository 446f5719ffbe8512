//! Names as records have them: what an image is kept under.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::digest::Digest;
use super::error::{Error, Result};
use super::reference::Reference;

/// The longest name, in bytes: the longest that containerd's database takes.
const MAX_NAME: usize = 32_768;

/// How many characters of an opaque name are shown.
const SHOWN: usize = 256;

/// The name of an image record.
///
/// Records are Docker's and containerd's at once. Docker's names are references, written in full. Containerd takes any
/// text for a name, and keeps it byte for byte. An image without a name has a record under its digest.
///
/// `Display` and [`NameKey::as_str`] give the text under which a store keeps the record. That text alone decides what a key
/// is ([`NameKey::kind`]), and the order of keys is the byte order of their texts. Clones share what they hold.
#[derive(Clone)]
pub struct NameKey(Arc<Parts>);

struct Parts {
    text: Box<str>,
    kind: NameKind,
}

/// What kind of name a record has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A Docker reference with a tag or a digest, written in full, such as `docker.io/library/app:1.0`.
    Docker(Reference),
    /// Any other text, such as `app:1.0` or `import-2026-11-27`. It names an image, but not for Docker's clients, who would
    /// take it for another name.
    Opaque,
    /// The digest of the image itself, which has no other name.
    Unnamed(Digest),
}

impl NameKey {
    /// Takes a name that a client gave.
    ///
    /// # Errors
    /// `InvalidArgument` where it is empty, or longer than 32,768 bytes.
    pub fn new(text: &str) -> Result<Self> {
        match text.len() {
            0 => Err(Error::invalid("image name must not be empty")),
            1..=MAX_NAME => Ok(Self::from_record(text)),
            length => Err(Error::invalid(format!("image name has {length} bytes, and may have {MAX_NAME}"))),
        }
    }

    /// Reads the name of a stored record.
    pub fn from_record(text: &str) -> Self {
        let kind = match text.parse() {
            Ok(digest) => NameKind::Unnamed(digest),
            Err(_) => match Reference::parse(text) {
                Ok(reference) if is_name(&reference) && reference.to_string() == text => NameKind::Docker(reference),
                _ => NameKind::Opaque,
            },
        };
        Self::of(text, kind)
    }

    fn of(text: impl Into<Box<str>>, kind: NameKind) -> Self {
        Self(Arc::new(Parts { text: text.into(), kind }))
    }

    /// The text under which a store keeps the record.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// What kind of name it is.
    pub fn kind(&self) -> &NameKind {
        &self.0.kind
    }

    /// The name as Docker's clients know it; `None` where it is none of theirs.
    pub fn reference(&self) -> Option<&Reference> {
        match self.kind() {
            NameKind::Docker(reference) => Some(reference),
            NameKind::Opaque | NameKind::Unnamed(_) => None,
        }
    }

    /// Whether the record only keeps an image that has no name.
    pub fn is_unnamed(&self) -> bool {
        matches!(self.kind(), NameKind::Unnamed(_))
    }

    /// Whether it is a name that Docker's clients do not know.
    pub fn is_opaque(&self) -> bool {
        matches!(self.kind(), NameKind::Opaque)
    }

    /// The reference that rules are to judge the name by: the name itself, or what Docker would read an opaque one as
    /// (`app` as `docker.io/library/app:latest`). `None` where it cannot be read as a reference, and for an image without a
    /// name.
    pub fn judged(&self) -> Option<Cow<'_, Reference>> {
        match self.kind() {
            NameKind::Docker(reference) => Some(Cow::Borrowed(reference)),
            NameKind::Opaque => Reference::parse(self.as_str()).ok().map(|read| Cow::Owned(read.with_default_tag())),
            NameKind::Unnamed(_) => None,
        }
    }

    /// The name as people read it: a familiar name, a digest, or an opaque name on one line, with control characters
    /// escaped and no longer than 256 characters.
    pub fn shown(&self) -> String {
        match self.kind() {
            NameKind::Docker(reference) => reference.familiar(),
            NameKind::Unnamed(_) => self.as_str().to_owned(),
            NameKind::Opaque => {
                let escaped = |c: char| match c.is_control() {
                    true => c.escape_default().collect::<String>(),
                    false => c.to_string(),
                };
                let mut shown: String = self.as_str().chars().take(SHOWN).map(escaped).collect();
                if self.as_str().chars().nth(SHOWN).is_some() {
                    shown.push('…');
                }
                shown
            }
        }
    }
}

/// Whether a reference is one that an image can have for a name, not only a repository.
fn is_name(reference: &Reference) -> bool {
    reference.tag().is_some() || reference.digest().is_some()
}

impl From<&Reference> for NameKey {
    fn from(reference: &Reference) -> Self {
        reference.clone().into()
    }
}

impl From<Reference> for NameKey {
    fn from(reference: Reference) -> Self {
        let text = reference.to_string();
        match is_name(&reference) {
            true => Self::of(text, NameKind::Docker(reference)),
            false => Self::of(text, NameKind::Opaque),
        }
    }
}

impl From<Digest> for NameKey {
    fn from(digest: Digest) -> Self {
        Self::of(digest.to_string(), NameKind::Unnamed(digest))
    }
}

impl fmt::Display for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for NameKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for NameKey {}

impl PartialOrd for NameKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NameKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for NameKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// Keys are compared and hashed by their text.
impl Borrow<str> for NameKey {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests;
