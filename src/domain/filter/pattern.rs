//! Patterns of image references, as Go's `path.Match` reads them.

use crate::domain::error::{Error, Result};
use crate::domain::reference::Reference;

/// A checked pattern.
///
/// `*` is any run of characters and `?` any one, neither a `/`; `[a-z]` is one of a set, `[^a-z]` one outside of it; `\`
/// takes the next character as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferencePattern {
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    AnyChar,
    AnyRun,
    Set { negated: bool, ranges: Vec<(char, char)> },
}

impl ReferencePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `InvalidArgument`, `syntax error in pattern`.
    pub fn parse(text: &str) -> Result<Self> {
        let mut rest = text.chars().peekable();
        let mut tokens = Vec::new();
        while let Some(c) = rest.next() {
            let token = match c {
                // A second star adds nothing, and would only cost time.
                '*' if tokens.last() == Some(&Token::AnyRun) => continue,
                '*' => Token::AnyRun,
                '?' => Token::AnyChar,
                '[' => parse_set(&mut rest)?,
                '\\' => Token::Char(rest.next().ok_or_else(malformed)?),
                c => Token::Char(c),
            };
            tokens.push(token);
        }
        Ok(Self { tokens })
    }

    /// Whether a reference is meant: by its familiar or its full form, with tag and digest or without them.
    pub fn matches(&self, reference: &Reference) -> bool {
        [reference.familiar(), reference.familiar_name(), reference.to_string(), reference.repository()]
            .iter()
            .any(|text| self.matches_text(text))
    }

    /// Whether the whole of a text matches.
    pub fn matches_text(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut token, mut at) = (0, 0);
        // The last star, and where what follows it was last tried. Earlier stars need no second try: a star that takes
        // as little as it can leaves the most to those after it.
        let mut star: Option<(usize, usize)> = None;
        while at < text.len() || token < self.tokens.len() {
            if self.tokens.get(token) == Some(&Token::AnyRun) {
                star = Some((token, at));
                token += 1;
            } else if let (Some(wanted), Some(&c)) = (self.tokens.get(token), text.get(at))
                && wanted.matches(c)
            {
                token += 1;
                at += 1;
            } else if let Some((starred, tried)) = star
                && text.get(tried).is_some_and(|c| *c != '/')
            {
                star = Some((starred, tried + 1));
                (token, at) = (starred + 1, tried + 1);
            } else {
                return false;
            }
        }
        true
    }
}

impl Token {
    fn matches(&self, c: char) -> bool {
        match self {
            Self::Char(wanted) => *wanted == c,
            Self::AnyChar => c != '/',
            Self::AnyRun => false,
            Self::Set { negated, ranges } => ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated,
        }
    }
}

/// The rest of a set, after its opening bracket.
fn parse_set(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token> {
    let negated = rest.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && rest.next_if_eq(&']').is_some() {
            return Ok(Token::Set { negated, ranges });
        }
        let low = parse_set_char(rest)?;
        let high = if rest.next_if_eq(&'-').is_some() { parse_set_char(rest)? } else { low };
        ranges.push((low, high));
    }
}

fn parse_set_char(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<char> {
    match rest.next() {
        None | Some('-' | ']') => Err(malformed()),
        Some('\\') => rest.next().ok_or_else(malformed),
        Some(c) => Ok(c),
    }
}

fn malformed() -> Error {
    Error::invalid("syntax error in pattern")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::error::Kind;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "abc", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            (r"a\*b", "a*b", true),
            (r"a\*b", "ab", false),
            ("a?b", "aéb", true),
            ("a[^a]b", "aéb", true),
            ("a???b", "aéb", false),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("a?b", "a/b", false),
            ("a*b", "a/b", false),
            (r"[\]a]", "]", true),
            (r"[\-]", "-", true),
            (r"[x\-]", "x", true),
            (r"[x\-]", "z", false),
            (r"[\-x]", "-", true),
            ("*x", "xxx", true),
            ("", "", true),
            ("", "a", false),
            ("**", "", true),
            ("[z-a]", "m", false),
        ] {
            let matched = ReferencePattern::parse(pattern).unwrap().matches_text(text);
            assert_eq!(matched, expected, "{pattern} {text}");
        }
    }

    #[test]
    fn malformed_patterns_are_refused_whatever_the_text() {
        for pattern in
            ["[]a]", "[-]", "[x-]", "[-x]", r"\", "[a-b-c]", "[", "[^", "[^bc", "a[", "[]", "x[", r"[\", "[a-"]
        {
            let error = ReferencePattern::parse(pattern).expect_err(pattern);
            assert_eq!((error.kind(), error.public()), (Kind::InvalidArgument, "syntax error in pattern"));
        }
    }

    #[test]
    fn a_reference_is_matched_with_and_without_its_tag() {
        let matches =
            |pattern, reference: &str| ReferencePattern::parse(pattern).unwrap().matches(&reference.parse().unwrap());
        assert!(matches("app", "app:1.0"));
        assert!(matches("*:1.0", "app:1.0"));
        assert!(!matches("*:1.0", "registry.example/team/app:1.0"));
        assert!(matches("registry.example/*/app", "registry.example/team/app:1.0"));
        assert!(matches("registry.example/*/*", "registry.example/team/app:1.0"));
        assert!(matches("legacy/*", "legacy/three-layers:1"));
        for full in ["docker.io/library/app", "docker.io/library/app:1.0", "docker.io/library/a*", "docker.io/*/*:1.0"]
        {
            assert!(matches(full, "app:1.0"), "{full}");
        }
        assert!(!matches("ap", "app:1.0"));
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let pattern = "*a".repeat(2_000) + "b";
        assert!(!ReferencePattern::parse(&pattern).unwrap().matches_text(&"a".repeat(1_000)));
    }
}
