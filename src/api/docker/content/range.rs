//! The part of a blob that a request asks for, by RFC 9110, section 14. One range is all that is served, so this needs no
//! crate that reads lists of them.

use http::HeaderValue;

/// What a `Range` header means for a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it: the header is absent, malformed, of another unit, or asks for several ranges, which a server need not
    /// serve.
    Whole,
    /// From `start`, `length` bytes; both lie within the blob, and `length` is not 0.
    Range { start: u64, length: u64 },
    /// Nothing that the blob has.
    Unsatisfiable,
}

impl Part {
    /// Reads the header for a blob of a size.
    pub fn of(header: Option<&HeaderValue>, size: u64) -> Self {
        let text = header.and_then(|header| header.to_str().ok());
        text.and_then(range).map_or(Self::Whole, |range| range.within(size))
    }
}

enum Range {
    From(u64),
    Between(u64, u64),
    Last(u64),
}

fn range(text: &str) -> Option<Range> {
    let (unit, ranges) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || ranges.contains(',') {
        return None;
    }
    let (first, last) = ranges.trim().split_once('-')?;
    match (first, last) {
        ("", last) => number(last).map(Range::Last),
        (first, "") => number(first).map(Range::From),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Range::Between(first, last))
        }
    }
}

/// Digits alone, where `parse` would take a sign too. What does not fit is past the end of any blob.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

impl Range {
    fn within(self, size: u64) -> Part {
        let (start, end) = match self {
            Self::From(start) => (start, size),
            Self::Between(start, last) => (start, size.min(last.saturating_add(1))),
            Self::Last(0) => return Part::Unsatisfiable,
            Self::Last(length) => (size.saturating_sub(length), size),
        };
        if start >= end { Part::Unsatisfiable } else { Part::Range { start, length: end - start } }
    }
}

#[cfg(test)]
mod tests;
