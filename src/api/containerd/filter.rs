//! containerd's filter language.
//!
//! A filter is selectors joined by commas, all of which must hold: `labels.app==web,size!=0`. A selector is a field
//! path, alone (the field is present) or with an operator and a value: `==`, `!=`, or `~=` with a regular expression.
//! Path elements may be quoted (`labels."a.b/c"`); values too, and a pattern also between slashes or bars
//! (`digest~=/^sha256:ab/`). Quoted text knows Go's escapes. Of several filters, one that holds is enough.
//!
//! Two things differ from containerd: a pattern that does not compile is an error here, where containerd logs it and
//! matches nothing; and `\d`, `\w`, `\s` include non-ASCII characters.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use crate::domain::{Error, Result};

mod parse;
#[cfg(test)]
mod tests;

/// More alternatives than any client sends; each costs a comparison per object.
const MAX_FILTERS: usize = 1024;
/// Bytes in all filters of a request together.
const MAX_TEXT: usize = 128 << 10;
/// Patterns are the one part whose cost the length of the text does not bound.
const MAX_PATTERNS: usize = 16;
/// Bytes of one compiled pattern, and of the matcher's cache for it.
const MAX_PATTERN_SIZE: usize = 256 << 10;

/// What a filter can ask of an object.
pub trait Fields {
    /// The value at a path, which is never empty; `None` where the object does not have it.
    fn field(&self, path: &[String]) -> Option<Cow<'_, str>>;
}

/// A condition on objects; by default one that everything meets.
#[derive(Debug, Default)]
pub struct Filter {
    /// One of these must hold, unless there are none.
    alternatives: Vec<Vec<Selector>>,
}

#[derive(Debug)]
struct Selector {
    path: Vec<String>,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Present,
    Equal(String),
    NotEqual(String),
    Matches(Regex),
}

impl Filter {
    /// The condition that one of the texts holds; without texts, or with an empty one among them, everything does.
    ///
    /// Errors: [`Kind::InvalidArgument`](crate::domain::Kind::InvalidArgument) that shows where a text stops making
    /// sense, or says which limit the filters exceed.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self> {
        if texts.len() > MAX_FILTERS {
            return Err(Error::invalid(format!("filters: more than {MAX_FILTERS} of them")));
        }
        if texts.iter().map(|text| text.as_ref().len()).sum::<usize>() > MAX_TEXT {
            return Err(Error::invalid(format!("filters: longer than {MAX_TEXT} bytes together")));
        }
        let mut patterns = 0;
        let mut alternatives = Vec::new();
        for text in texts.iter().map(AsRef::as_ref) {
            if text.is_empty() {
                // Still parse what follows: an error must not depend on the order.
                alternatives.push(Vec::new());
                continue;
            }
            let selectors = parse::selectors(text)?;
            patterns += selectors.iter().filter(|selector| matches!(selector.test, Test::Matches(_))).count();
            if patterns > MAX_PATTERNS {
                return Err(Error::invalid(format!("filters: more than {MAX_PATTERNS} regular expressions")));
            }
            alternatives.push(selectors);
        }
        Ok(Self { alternatives })
    }

    /// Whether an object meets the condition.
    pub fn matches(&self, object: &impl Fields) -> bool {
        self.alternatives.is_empty()
            || self.alternatives.iter().any(|selectors| selectors.iter().all(|selector| selector.holds(object)))
    }
}

impl Selector {
    fn holds(&self, object: &impl Fields) -> bool {
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

fn compile(pattern: &str) -> std::result::Result<Regex, String> {
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

/// The error that `input` makes no sense from a character on, showing the surroundings only, however long the input.
fn error_at(input: &str, at: usize, problem: impl std::fmt::Display) -> Error {
    const SHOWN: usize = 64;
    let (before, after) = input.split_at(at);
    let shown_from = before.char_indices().rev().nth(SHOWN - 1).map_or(0, |(index, _)| index);
    let mut place = before[shown_from..].to_owned();
    let mut rest = after.chars();
    if let Some(c) = rest.next() {
        place.push_str(&format!(" >|{c}|< "));
        place.extend(rest.take(SHOWN));
    }
    Error::invalid(format!("filters: parse error: [{place}]: {problem}"))
}
