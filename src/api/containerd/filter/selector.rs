//! One condition on an object.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

/// Bytes of one compiled pattern, and of the matcher's cache for it.
const MAX_PATTERN_SIZE: usize = 256 << 10;

/// What a filter can ask of an object.
pub trait Fields {
    /// The value at a path, which is never empty; `None` where the object does not have it.
    fn field(&self, path: &[String]) -> Option<Cow<'_, str>>;
}

#[derive(Debug)]
pub(super) struct Selector {
    pub(super) path: Vec<String>,
    pub(super) test: Test,
}

#[derive(Debug)]
pub(super) enum Test {
    Present,
    Equal(String),
    NotEqual(String),
    Matches(Regex),
}

impl Selector {
    pub(super) fn holds(&self, object: &impl Fields) -> bool {
        let value = object.field(&self.path);
        match &self.test {
            Test::Present => value.is_some(),
            Test::Equal(wanted) => value.is_some_and(|value| value == *wanted),
            // An absent field differs from every value, and a pattern sees it as empty text.
            Test::NotEqual(unwanted) => value.unwrap_or_default() != *unwanted,
            Test::Matches(pattern) => pattern.is_match(&value.unwrap_or_default()),
        }
    }
}

/// A pattern, or what is wrong with it.
pub(super) fn compile(pattern: &str) -> std::result::Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_PATTERN_SIZE)
        .dfa_size_limit(MAX_PATTERN_SIZE)
        .nest_limit(32)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
            // The crate's text draws the pattern over several lines; the last one says what is wrong.
            other => {
                let text = other.to_string();
                let reason = text.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
                format!("the regular expression does not parse: {reason}")
            }
        })
}
