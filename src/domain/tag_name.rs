//! Names that people give to images.

use super::error::{Detail, Error, Result};
use super::reference::Reference;

/// A name that an image can be given: a repository with a tag and without a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagName(Reference);

impl TagName {
    /// Takes a reference for a name.
    ///
    /// # Errors
    /// `InvalidArgument` where it has no tag or has a digest; likewise, with [`Detail::NameLooksLikeDigest`], where its
    /// repository is called like a digest algorithm.
    pub fn new(reference: Reference) -> Result<Self> {
        if reference.digest().is_some() || reference.tag().is_none() {
            return Err(Error::invalid("a name to tag an image with has a tag and no digest"));
        }
        // No registry could tell such a name from a digest.
        if reference.familiar_name() == "sha256" {
            return Err(Error::invalid(Detail::NameLooksLikeDigest));
        }
        Ok(Self(reference))
    }

    /// The name as a reference.
    pub fn reference(&self) -> &Reference {
        &self.0
    }

    /// The name as a reference.
    pub fn into_reference(self) -> Reference {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Digest;

    #[test]
    fn a_name_has_a_tag_and_cannot_be_taken_for_a_digest() {
        let name = |text: &str| TagName::new(Reference::parse(text).unwrap());
        assert_eq!(name("team/app:1").unwrap().reference().familiar(), "team/app:1");
        assert!(name("team/sha256:1").is_ok(), "a repository of that name is none of Docker Hub's own");
        assert_eq!(name("sha256:1").unwrap_err().detail(), &Detail::NameLooksLikeDigest);
        for text in ["team/app", &format!("team/app:1@{}", Digest::of(b""))] {
            assert!(matches!(name(text).unwrap_err().detail(), Detail::Text(_)), "{text}");
        }
    }
}
