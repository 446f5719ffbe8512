//! What a request's path says: the API version before it, and the name inside it.
//!
//! A name may hold slashes, an image's above all, and no router can tell where one ends. The table of routes can: for each method it says
//! which words may follow a name. So a path is brought into the form of its template before it is routed, with the
//! slashes inside the name written as `%2F`.

use std::cmp::Ordering;

use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode_byte, utf8_percent_encode};

use super::versions::{NEWEST, NEWEST_TEXT, OLDEST};
use crate::domain::{Error, Result};

/// What may stand in a path segment as it is.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'@');

const PLACEHOLDER: &str = "{name}";

/// A path that no longer has its version, and the version.
#[derive(Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The version as the client wrote it, without the `v`; absent where the path has none.
    pub version: Option<&'a str>,
    /// The path in the form in which routes match it, still percent-encoded; absent where none can, because a segment
    /// is empty.
    pub path: Option<String>,
}

/// Reads a path. Templates are those of the table, each with its method.
///
/// # Errors
/// `InvalidArgument` where an escape is malformed or the path is not UTF-8 or holds control characters.
pub fn target<'a>(templates: &[(Method, &str)], method: &Method, path: &'a str) -> Result<Target<'a>> {
    let (version, rest) = split_version(path);
    let decoded = decode(rest)?;
    let of_method = || templates.iter().filter(|(of, _)| of == method).map(|(_, template)| *template);
    let path = if of_method().any(|template| template == decoded) {
        Some(decoded)
    } else {
        // A name may be the last word of a literal route of another method (`DELETE /images/json`).
        let elsewhere = templates.iter().any(|(_, template)| *template == decoded);
        let named =
            of_method().filter_map(|template| Some((template.len(), in_template(template, &decoded, elsewhere)?)));
        // Of those that fit, the longest says most.
        let named = named.max_by_key(|(length, _)| *length).map(|(_, path)| path);
        named.or_else(|| (!rest.contains("//")).then(|| rest.to_owned()))
    };
    Ok(Target { version, path })
}

/// The version in front of a path, if there is one: a segment of `v`, digits and dots.
fn split_version(path: &str) -> (Option<&str>, &str) {
    let Some(after) = path.strip_prefix("/v") else { return (None, path) };
    let end = after.find('/').unwrap_or(after.len());
    let (version, rest) = after.split_at(end);
    let versioned = !version.is_empty() && version.bytes().all(|c| c.is_ascii_digit() || c == b'.');
    if versioned && !rest.is_empty() { (Some(version), rest) } else { (None, path) }
}

fn decode(path: &str) -> Result<String> {
    let bytes = path.as_bytes();
    for (at, _) in path.match_indices('%') {
        if !bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err(Error::invalid("malformed escape in the path of the request"));
        }
    }
    let decoded = percent_decode_str(path)
        .decode_utf8()
        .map_err(|e| Error::invalid("the path of the request is not UTF-8").with_cause(e))?;
    if decoded.contains(char::is_control) {
        return Err(Error::invalid("the path of the request holds control characters"));
    }
    Ok(decoded.into_owned())
}

/// The path as the template's router takes it; absent where the template does not fit. `disguised` escapes the whole
/// name, so that it is not taken for a literal route. A template may have one more placeholder, its last segment.
fn in_template(template: &str, path: &str, disguised: bool) -> Option<String> {
    let (before, after) = template.split_once(PLACEHOLDER)?;
    let rest = path.strip_prefix(before)?;
    let (name, after) = match after.split_once('{') {
        None => (rest.strip_suffix(after)?, after.to_owned()),
        Some((between, _)) => {
            let (head, last) = rest.rsplit_once('/').filter(|(_, last)| !last.is_empty())?;
            let name = head.strip_suffix(between.strip_suffix('/')?)?;
            (name, format!("{between}{}", utf8_percent_encode(last, SEGMENT)))
        }
    };
    if name.is_empty() {
        return None;
    }
    if disguised {
        let escaped: String = name.bytes().map(percent_encode_byte).collect();
        return Some(format!("{before}{escaped}{after}"));
    }
    Some(format!("{before}{}{after}", utf8_percent_encode(name, SEGMENT)))
}

/// The minor version that a request asks for.
///
/// # Errors
/// `InvalidArgument` with Docker's text, where it is newer than the newest that is served or older than the oldest.
pub fn negotiate(version: Option<&str>) -> Result<u8> {
    let Some(version) = version else { return Ok(NEWEST) };
    // As Docker compares versions: number by number, what is missing or no number is 0.
    let mut numbers =
        version.split('.').map(|number| number.parse::<u64>().unwrap_or(if number.is_empty() { 0 } else { u64::MAX }));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    match major.cmp(&1) {
        Ordering::Less => return Err(too_old(version)),
        Ordering::Greater => return Err(too_new(version)),
        Ordering::Equal => {}
    }
    match u8::try_from(minor) {
        Ok(minor @ OLDEST..=NEWEST) => Ok(minor),
        // containers/image (skopeo, buildah) pins 1.22 and needs nothing that differs from 1.24.
        Ok(22 | 23) => Ok(OLDEST),
        Ok(..OLDEST) => Err(too_old(version)),
        _ => Err(too_new(version)),
    }
}

fn too_old(version: &str) -> Error {
    Error::invalid(format!(
        "client version {version} is too old. Minimum supported API version is 1.{OLDEST}, please upgrade your client \
         to a newer version"
    ))
}

fn too_new(version: &str) -> Error {
    Error::invalid(format!("client version {version} is too new. Maximum supported API version is {NEWEST_TEXT}"))
}

#[cfg(test)]
mod tests;
