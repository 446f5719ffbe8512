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
mod tests {
    use super::*;

    const TEMPLATES: [(Method, &str); 12] = [
        (Method::GET, "/images/json"),
        (Method::GET, "/images/{name}/json"),
        (Method::GET, "/images/{name}/history"),
        (Method::GET, "/images/get"),
        (Method::POST, "/images/{name}/push"),
        (Method::POST, "/images/load"),
        (Method::DELETE, "/images/{name}"),
        (Method::GET, "/content/{digest}"),
        (Method::GET, "/containers/{name}/json"),
        (Method::DELETE, "/containers/{name}"),
        (Method::DELETE, "/containers/{name}/checkpoints/{checkpoint}"),
        (Method::GET, "/nodes/{id}"),
    ];

    fn path(method: Method, path: &str) -> String {
        target(&TEMPLATES, &method, path).unwrap().path.unwrap_or_default()
    }

    #[test]
    fn slashes_inside_a_name_are_written_as_escapes() {
        for (method, given, expected) in [
            (Method::GET, "/images/json", "/images/json"),
            (Method::GET, "/images/app/json", "/images/app/json"),
            (
                Method::GET,
                "/images/registry.example:5000/team/app:1.0/json",
                "/images/registry.example:5000%2Fteam%2Fapp:1.0/json",
            ),
            (Method::GET, "/images/a/b@sha256:00/history", "/images/a%2Fb@sha256:00/history"),
            (Method::GET, "/images/a%2Fb/json", "/images/a%2Fb/json"),
            (Method::GET, "/images/a/json/json", "/images/a%2Fjson/json"),
            (Method::GET, "/images/json/json", "/images/json/json"),
            (Method::GET, "/images/a/push", "/images/a/push"),
            (Method::POST, "/images/a/b/push", "/images/a%2Fb/push"),
            (Method::POST, "/images/load", "/images/load"),
            (Method::DELETE, "/images/a/json", "/images/a%2Fjson"),
            (Method::DELETE, "/images/json", "/images/%6A%73%6F%6E"),
            (Method::GET, "/content/sha256:00", "/content/sha256:00"),
            (Method::GET, "/nope/a/b", "/nope/a/b"),
            (Method::GET, "/images/../../etc/passwd/json", "/images/..%2F..%2Fetc%2Fpasswd/json"),
            (Method::GET, "/images/%2e%2e/json", "/images/../json"),
            (Method::GET, "/images//json", ""),
            (Method::GET, "/images//a//json", "/images/%2Fa%2F/json"),
            (Method::GET, "/images/%20/json", "/images/%20/json"),
            (Method::GET, "/images/a%3Fb%23c/json", "/images/a%3Fb%23c/json"),
            (Method::GET, "/images/%C3%A9/json", "/images/%C3%A9/json"),
            (Method::GET, "/", "/"),
            (Method::GET, "/containers/a/b/json", "/containers/a%2Fb/json"),
            (Method::GET, "/containers/a%2Fb/json", "/containers/a%2Fb/json"),
            (Method::DELETE, "/containers/a/b", "/containers/a%2Fb"),
            (Method::DELETE, "/containers/a/b/checkpoints/c", "/containers/a%2Fb/checkpoints/c"),
            (Method::DELETE, "/containers/a/checkpoints/", "/containers/a%2Fcheckpoints%2F"),
            (Method::GET, "/nodes/a/b", "/nodes/a/b"),
        ] {
            assert_eq!(path(method.clone(), given), expected, "{method} {given}");
        }
    }

    #[test]
    fn hostile_paths_are_refused() {
        for given in
            ["/images/%/json", "/images/%zz/json", "/images/%0/json", "/images/%FF/json", "/images/a%00b/json", "/%0A"]
        {
            assert!(target(&TEMPLATES, &Method::GET, given).is_err(), "{given}");
        }
    }

    #[test]
    fn the_version_is_taken_off() {
        let split = |path| {
            let target = target(&TEMPLATES, &Method::GET, path).unwrap();
            (target.version, target.path.unwrap())
        };
        assert_eq!(split("/v1.55/images/a/b/json"), (Some("1.55"), "/images/a%2Fb/json".to_owned()));
        assert_eq!(split("/v1.55.1/images/json"), (Some("1.55.1"), "/images/json".to_owned()));
        assert_eq!(split("/vabc/images/json"), (None, "/vabc/images/json".to_owned()));
        assert_eq!(split("/v/images/json"), (None, "/v/images/json".to_owned()));
        assert_eq!(split("/v1.55"), (None, "/v1.55".to_owned()));
        assert_eq!(split("/version"), (None, "/version".to_owned()));
    }

    #[test]
    fn only_served_versions_are_negotiated() {
        for (given, expected) in
            [("1.24", 24), (NEWEST_TEXT, NEWEST), ("1.55.1", 55), ("1.22", 24), ("1.23", 24), ("1.040", 40)]
        {
            assert_eq!(negotiate(Some(given)).unwrap(), expected, "{given}");
        }
        assert_eq!(negotiate(None).unwrap(), NEWEST);
        let refused = |version| negotiate(Some(version)).unwrap_err().to_string();
        let next = format!("1.{}", NEWEST + 1);
        for version in ["1.999", &next, "2", "1.99999999999999999999999", "99999999999999999999"] {
            assert_eq!(
                refused(version),
                format!("client version {version} is too new. Maximum supported API version is {NEWEST_TEXT}")
            );
        }
        for version in ["1.10", "1.21", "1", "0.9", ".", "1.", "..55"] {
            assert_eq!(
                refused(version),
                format!(
                    "client version {version} is too old. Minimum supported API version is 1.24, \
                     please upgrade your client to a newer version"
                )
            );
        }
    }
}
