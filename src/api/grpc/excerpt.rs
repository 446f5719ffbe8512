//! What a client sent, in an error message.

/// The most characters that are repeated.
const SHOWN: usize = 128;

/// The start of what a client sent, short enough to be repeated in an error, which travels in a header.
pub fn excerpt(text: &str) -> &str {
    text.char_indices().nth(SHOWN).map_or(text, |(end, _)| &text[..end])
}
