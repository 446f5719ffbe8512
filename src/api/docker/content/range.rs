//! The part of a blob that a request asks for, by RFC 9110, section 14.

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
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_specification_says() {
        let part = |text: &str| Part::of(Some(&HeaderValue::from_str(text).unwrap()), 10);
        for (text, start, length) in [
            ("bytes=0-0", 0, 1),
            ("bytes=2-5", 2, 4),
            ("bytes=2-", 2, 8),
            ("bytes=9-", 9, 1),
            ("bytes=-3", 7, 3),
            ("bytes=-30", 0, 10),
            ("bytes=5-99999999999999999999999999", 5, 5),
            ("Bytes = 0-3", 0, 4),
        ] {
            assert_eq!(part(text), Part::Range { start, length }, "{text}");
        }
        for text in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999999-"] {
            assert_eq!(part(text), Part::Unsatisfiable, "{text}");
        }
        for text in
            ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=+1-2", "bytes=0-1,3-4", "lines=0-1"]
        {
            assert_eq!(part(text), Part::Whole, "{text}");
        }
        assert_eq!(Part::of(None, 10), Part::Whole);
    }

    #[test]
    fn an_empty_blob_has_no_ranges() {
        for text in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(Part::of(Some(&HeaderValue::from_static(text)), 0), Part::Unsatisfiable, "{text}");
        }
    }
}
