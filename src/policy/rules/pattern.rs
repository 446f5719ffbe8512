//! The pattern of a rule: which repositories it is about.

use std::fmt;

use crate::domain::reference::canonical_host;

/// A glob over `host/repository`, in which `*` stands for any run of characters, slashes included. Nothing else is special.
///
/// The host is compared in lower case and with Docker Hub under its one name, as [`Reference::canonical`] writes it.
///
/// [`Reference::canonical`]: crate::domain::Reference::canonical
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// What stands before, between and behind the stars; one more than there are stars.
    literals: Box<[Box<str>]>,
}

impl Pattern {
    /// Reads a pattern. Every text is one.
    pub fn new(text: &str) -> Self {
        let literals = with_canonical_host(text).split('*').map(Into::into).collect();
        Self { text: text.to_owned(), literals }
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is about everything, names that cannot be read included.
    pub fn is_about_all(&self) -> bool {
        self.literals.len() > 1 && self.literals.iter().all(|literal| literal.is_empty())
    }

    /// Whether a repository, written with its host in canonical form, is meant. The time grows with the length of both only:
    /// what stands between two stars is looked for once, since the first place where it is leaves the most to the rest.
    pub fn matches(&self, repository: &str) -> bool {
        let [first, rest @ ..] = &*self.literals else { return false };
        let Some(mut left) = repository.strip_prefix(&**first) else { return false };
        let [between @ .., last] = rest else { return left.is_empty() };
        for literal in between {
            let Some(at) = left.find(&**literal) else { return false };
            left = &left[at + literal.len()..];
        }
        left.ends_with(&**last)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The pattern with its host in canonical form. The host is what stands before the first slash or star.
fn with_canonical_host(text: &str) -> String {
    let end = text.find(['/', '*']).unwrap_or(text.len());
    let (host, rest) = text.split_at(end);
    let mut canonical = canonical_host(host);
    // A host with a star in it: what follows the star is still a host, up to the slash.
    let end = if rest.starts_with('*') { rest.find('/').unwrap_or(0) } else { 0 };
    let (more, repository) = rest.split_at(end);
    canonical.push_str(&more.to_ascii_lowercase());
    canonical.push_str(repository);
    canonical
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Reference;

    #[test]
    fn a_star_is_any_run_of_characters_and_nothing_else_is_special() {
        for (pattern, repository, expected) in [
            ("*", "docker.io/library/app", true),
            ("**", "docker.io/library/app", true),
            ("registry.example/*", "registry.example/team/app", true),
            ("registry.example/*", "registry.example", false),
            ("registry.example/*", "registry.example.evil/app", false),
            ("registry.example/*", "evil/registry.example/app", false),
            ("*/app", "registry.example/team/app", true),
            ("*/app", "registry.example/team/apps", false),
            ("registry.example/team/app", "registry.example/team/app", true),
            ("registry.example/team/app", "registry.example/team/app2", false),
            ("registry.example/*/app", "registry.example/a/b/app", true),
            ("a*b", "a", false),
            ("a*b", "ab", true),
            ("a*ab", "aab", true),
            ("a*ab", "ab", false),
            ("*ab*ab", "xabyab", true),
            ("*ab*ab", "xab", false),
            ("*aab*b", "aaabab", true),
            ("a?c", "abc", false),
            ("[ab]", "a", false),
            ("{a,b}", "a", false),
            ("", "a", false),
            ("", "", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(repository), expected, "{pattern} {repository}");
        }
    }

    #[test]
    fn the_host_is_read_in_every_spelling() {
        let hub =
            ["docker.io/*", "index.docker.io/*", "registry-1.docker.io/*", "index.docker.io*", "Docker.IO/library/*"];
        for pattern in hub {
            for image in ["app", "docker.io/app", "index.docker.io/app", "registry-1.docker.io/library/app"] {
                let repository = Reference::parse(image).unwrap().canonical().unwrap().repository();
                assert!(Pattern::new(pattern).matches(&repository), "{pattern} {image}");
            }
        }
        let repository = Reference::parse("Registry.Example/team/app").unwrap().canonical().unwrap().repository();
        for pattern in ["REGISTRY.example/team/*", "*.EXAMPLE/*", "registry.example/team/app"] {
            assert!(Pattern::new(pattern).matches(&repository), "{pattern}");
        }
        // Only a host is read so.
        assert!(!Pattern::new("registry.example/Team/*").matches(&repository));
        assert!(!Pattern::new("mirror.example/index.docker.io/*").matches("mirror.example/docker.io/app"));
        assert_eq!(Pattern::new("Index.Docker.io/*").text(), "Index.Docker.io/*");
    }

    #[test]
    fn only_stars_are_about_all() {
        for (pattern, expected) in [("*", true), ("***", true), ("*/*", false), ("", false), ("a*", false)] {
            assert_eq!(Pattern::new(pattern).is_about_all(), expected, "{pattern}");
        }
    }

    /// The same question, answered without thinking.
    fn matches_slowly(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => (0..=text.len()).any(|at| matches_slowly(rest, &text[at..])),
            (Some((wanted, rest)), Some((found, left))) => wanted == found && matches_slowly(rest, left),
            _ => false,
        }
    }

    #[test]
    fn every_short_pattern_matches_what_it_should() {
        // All patterns of up to five of these characters, against all texts of up to five.
        let all = |alphabet: &[u8]| {
            let mut all = vec![Vec::new()];
            let mut at = 0;
            while all[at].len() < 5 {
                for c in alphabet {
                    let mut longer: Vec<u8> = all[at].clone();
                    longer.push(*c);
                    all.push(longer);
                }
                at += 1;
            }
            all.into_iter().map(|text| String::from_utf8(text).unwrap()).collect::<Vec<_>>()
        };
        let texts = all(b"ab");
        for text in all(b"ab*") {
            let pattern = Pattern::new(&text);
            for repository in &texts {
                let expected = matches_slowly(text.as_bytes(), repository.as_bytes());
                assert_eq!(pattern.matches(repository), expected, "{text} {repository}");
            }
        }
    }
}
