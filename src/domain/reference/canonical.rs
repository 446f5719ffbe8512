//! The one spelling of a reference that rules judge and that is pulled.

use super::{DEFAULT_DOMAIN, LEGACY_DEFAULT_DOMAIN, OFFICIAL_PREFIX, Reference};
use crate::domain::error::{Error, Result};

/// The host of Docker Hub's registry, which some write instead of Docker Hub's name.
const HUB_REGISTRY: &str = "registry-1.docker.io";

impl Reference {
    /// The same reference with its host in lower case, Docker Hub under its one name, and without the tag where a digest
    /// says what is meant. Spellings that lead to the same image become one. Rules judge this spelling, and it is pulled,
    /// so that nothing is judged as one image and pulled as another. Names are kept as they were given.
    ///
    /// # Errors
    /// `InvalidArgument` where the host is one only because of capitals (`Team/app`): in lower case it would be part of
    /// another name.
    pub fn canonical(&self) -> Result<Self> {
        let domain = canonical_host(&self.domain);
        if domain != self.domain && !domain.contains(['.', ':']) && domain != "localhost" {
            let name = self.familiar_name();
            let text = format!("invalid reference format: repository name ({name}) must be lowercase");
            return Err(Error::invalid(text));
        }
        let path = match domain == DEFAULT_DOMAIN && !self.path.contains('/') {
            true => format!("{OFFICIAL_PREFIX}{}", self.path),
            false => self.path.clone(),
        };
        let tag = self.tag.clone().filter(|_| self.digest.is_none());
        Ok(Self { domain, path, tag, digest: self.digest.clone() })
    }
}

/// A registry's host in lower case, with Docker Hub under its one name.
pub fn canonical_host(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    match host.as_str() {
        LEGACY_DEFAULT_DOMAIN | HUB_REGISTRY => DEFAULT_DOMAIN.to_owned(),
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::error::Kind;

    fn canonical(text: &str) -> Result<String> {
        Reference::parse(text)?.with_default_tag().canonical().map(|reference| reference.to_string())
    }

    #[test]
    fn spellings_of_one_image_become_one() {
        let digest = "sha256:1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a";
        for (text, expected) in [
            ("app", "docker.io/library/app:latest".to_owned()),
            ("docker.io/app", "docker.io/library/app:latest".to_owned()),
            ("index.docker.io/app:1", "docker.io/library/app:1".to_owned()),
            ("registry-1.docker.io/app:1", "docker.io/library/app:1".to_owned()),
            ("registry-1.docker.io/team/app:1", "docker.io/team/app:1".to_owned()),
            ("Registry-1.Docker.IO/team/app:1", "docker.io/team/app:1".to_owned()),
            ("INDEX.docker.io/app:1", "docker.io/library/app:1".to_owned()),
            ("DOCKER.IO/app:1", "docker.io/library/app:1".to_owned()),
            ("Registry.Example/team/app:1", "registry.example/team/app:1".to_owned()),
            ("Registry:5000/app:1", "registry:5000/app:1".to_owned()),
            ("LOCALHOST/app:1", "localhost/app:1".to_owned()),
            ("[::AB]:5000/app:1", "[::ab]:5000/app:1".to_owned()),
            (&format!("registry.example/app:1@{digest}"), format!("registry.example/app@{digest}")),
            (&format!("app:1@{digest}"), format!("docker.io/library/app@{digest}")),
        ] {
            assert_eq!(canonical(text).unwrap(), expected, "{text}");
            assert_eq!(canonical(&expected).unwrap(), expected, "it stays as it is");
        }
    }

    #[test]
    fn a_host_that_only_capitals_make_one_is_refused() {
        for text in ["Team/app:1", "TEAM/app", "Localhosts/app"] {
            let error = canonical(text).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidArgument);
            assert!(error.public().ends_with("must be lowercase"), "{text}: {error}");
        }
    }
}
