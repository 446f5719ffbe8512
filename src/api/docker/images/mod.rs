//! Operations on images: decode, call the engine, encode.

pub mod attestations;
pub mod create;
pub mod history;
mod import;
pub mod inspect;
pub mod list;
pub mod load;
pub mod prune;
pub mod push;
pub mod remove;
pub mod save;
pub mod search;
pub mod tag;
pub mod verify;

use super::query::Query;
use crate::domain::{Digest, Error, Platform, Reference, Result};

/// A name with what the parameter `tag` says, a tag or a digest. The tag goes before that of the name; a digest that the
/// name has stays.
///
/// # Errors
/// `InvalidArgument` where the parameter is neither, or another digest than the name has.
fn with_tag_parameter(name: Reference, tag: &str) -> Result<Reference> {
    if tag.is_empty() {
        return Ok(name);
    }
    let Ok(digest) = tag.parse::<Digest>() else { return name.with_tag(tag) };
    match name.digest() {
        Some(pinned) if *pinned != digest => {
            Err(Error::invalid(format!("the name is of {pinned}, and the parameter tag is {digest}")))
        }
        _ => Ok(name.trimmed().with_digest(digest)),
    }
}

/// The one platform that a request names in JSON; absent where the parameter is not set.
fn platform(query: &Query) -> Result<Option<Platform>> {
    match query.text("platform") {
        "" => Ok(None),
        platform => Platform::parse_json(platform).map(Some),
    }
}
