//! Which images are kept from collections of unused images.

use crate::domain::filter::ReferencePattern;
use crate::domain::{Digest, NameKey, Reference};
use crate::engine::catalog::State;

/// The label of a name by which containerd's clients pin an image, and its value.
const LABEL: (&str, &str) = ("io.cri-containerd.pinned", "pinned");

/// What pins images: patterns of names, and always the label `io.cri-containerd.pinned=pinned` of a name. What an image
/// says of itself pins nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pinned {
    /// Each is compared with the familiar and the full form of a name, with its tag and without.
    pub patterns: Vec<ReferencePattern>,
}

impl Pinned {
    /// Whether one of the names that point at a digest pins it.
    pub(in crate::engine) fn holds(&self, state: &State, target: &Digest) -> bool {
        state.names_of(target).into_iter().any(|name| self.pins(state, name))
    }

    fn pins(&self, state: &State, name: &NameKey) -> bool {
        let (key, value) = LABEL;
        let labelled = || state.name(name.as_str()).is_some_and(|record| record.labels.get(key) == Some(value));
        name.reference().is_some_and(|name| self.matches(name)) || labelled()
    }

    fn matches(&self, name: &Reference) -> bool {
        if self.patterns.is_empty() {
            return false;
        }
        let (full, repository) = (name.to_string(), name.repository());
        self.patterns
            .iter()
            .any(|pattern| pattern.matches(name) || pattern.matches_text(&full) || pattern.matches_text(&repository))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_compared_with_every_form_of_a_name() {
        for (pattern, name, expected) in [
            ("registry.k8s.io/pause:*", "registry.k8s.io/pause:3.10", true),
            ("registry.k8s.io/pause", "registry.k8s.io/pause:3.10", true),
            ("registry.k8s.io/*", "registry.k8s.io/pause:3.10", true),
            ("registry.k8s.io/*", "registry.k8s.io/a/b:1", false),
            ("docker.io/library/app:1", "app:1", true),
            ("docker.io/library/app", "app:1", true),
            ("app:1", "app:1", true),
            ("app:1", "app:2", false),
        ] {
            let pinned = Pinned { patterns: vec![ReferencePattern::parse(pattern).unwrap()] };
            assert_eq!(pinned.matches(&name.parse().unwrap()), expected, "{pattern} {name}");
        }
        assert!(!Pinned::default().matches(&"app:1".parse().unwrap()));
    }
}
