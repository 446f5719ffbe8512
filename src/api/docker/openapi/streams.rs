//! Streams of JSON objects.
//!
//! OpenAPI 3.1 cannot say that a body is a sequence of objects; 3.2 can, with `itemSchema`. Clients generated from an
//! object's schema, or from a list's, would wait for the end of the body and fail to parse it. So a stream is bytes, which
//! every generator hands out as they are, and the schema of one object stands beside it under a name that 3.1 allows.

use serde_json::{Value, json};

/// OpenAPI 3.2's `itemSchema`.
const ITEM_SCHEMA: &str = "x-itemSchema";

/// A response that can be sent as this is a stream under all its media types.
const LINES: &str = "application/x-ndjson";

/// The record separator of RFC 7464, which is sent before each object under this media type.
const SEQUENCE: (&str, char) = ("application/json-seq", '\u{1e}');

/// Turns the responses that handlers describe as lists of messages into streams of them.
pub(super) fn describe(document: &mut Value) {
    let operations = document["paths"].as_object_mut().into_iter().flatten();
    let operations = operations.filter_map(|(_, path)| path.as_object_mut()).flatten();
    let responses = operations.filter_map(|(_, operation)| operation["responses"].as_object_mut()).flatten();
    let contents = responses.filter_map(|(_, response)| response.get_mut("content")?.as_object_mut());
    for content in contents.filter(|content| content.contains_key(LINES)) {
        for (media_type, media) in content.iter_mut() {
            let separator = if media_type == SEQUENCE.0 { SEQUENCE.1.to_string() } else { String::new() };
            let objects = media["example"].as_array().into_iter().flatten();
            let text: String = objects.map(|object| format!("{separator}{object}\n")).collect();
            *media = json!({
                "schema": {"type": "string", "format": "binary"},
                ITEM_SCHEMA: media["schema"]["items"].take(),
                "example": text,
            });
        }
    }
}
