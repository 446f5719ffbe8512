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

use crate::domain::{Error, Result};

mod parse;
mod selector;
#[cfg(test)]
mod tests;

pub use selector::Fields;
use selector::{Selector, Test};

/// More alternatives than any client sends; each costs a comparison per object.
const MAX_FILTERS: usize = 1024;
/// Bytes in all filters of a request together.
const MAX_TEXT: usize = 128 << 10;
/// Patterns are the one part whose cost the length of the text does not bound.
const MAX_PATTERNS: usize = 16;

/// A condition on objects; by default one that everything meets.
#[derive(Debug, Default)]
pub struct Filter {
    /// One of these must hold, unless there are none.
    alternatives: Vec<Vec<Selector>>,
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

/// The label that the elements after `labels` name: dots in an unquoted label separate elements.
pub fn label_of(path: &[String]) -> Cow<'_, str> {
    match path {
        [label] => Cow::Borrowed(label),
        elements => Cow::Owned(elements.join(".")),
    }
}
