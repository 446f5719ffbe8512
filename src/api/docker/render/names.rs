//! The names of an image, as Docker shows them.

use serde::{Serialize, Serializer};

use crate::domain::{Digest, Reference};

/// Names in the form that people write: with their tags, or the digest that an image was pulled by.
pub struct Tags<'a>(pub &'a [Reference]);

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Reference::familiar))
    }
}

/// The repositories of sorted names, each once and with the image's digest.
pub fn repo_digests(names: &[Reference], digest: &Digest) -> Vec<String> {
    let mut all: Vec<String> = names.iter().map(|name| repo_digest(name, digest)).collect();
    all.dedup();
    all
}

/// The repository of a name with the image's digest.
pub fn repo_digest(name: &Reference, digest: &Digest) -> String {
    name.trimmed().with_digest(digest.clone()).familiar()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_repository_stands_once_with_the_digest() {
        let names = ["app:1", "app:2", "registry.example/app:1"].map(|name| name.parse().unwrap());
        let digest = Digest::of(b"");
        assert_eq!(repo_digests(&names, &digest), [format!("app@{digest}"), format!("registry.example/app@{digest}")]);
        assert_eq!(serde_json::to_string(&Tags(&names)).unwrap(), r#"["app:1","app:2","registry.example/app:1"]"#);
    }
}
