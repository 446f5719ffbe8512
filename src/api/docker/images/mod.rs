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

use super::query::Query;
use crate::domain::{Platform, Result};

/// The one platform that a request names in JSON; absent where the parameter is not set.
fn platform(query: &Query) -> Result<Option<Platform>> {
    match query.text("platform") {
        "" => Ok(None),
        platform => Platform::parse_json(platform).map(Some),
    }
}
