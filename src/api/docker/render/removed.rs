//! What was removed of images.

use serde::Serialize;
use utoipa::ToSchema;

use super::grammar::DigestText;
use crate::engine::{Pruned, Removed};

/// A name or an image that was removed.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImageDeleteResponseItem {
    /// The name that was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "registry.example/team/app:1.0")]
    untagged: Option<String>,
    /// The digest of the image or manifest that was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DigestText>, nullable = false, inline = false)]
    deleted: Option<String>,
}

impl From<Removed> for ImageDeleteResponseItem {
    fn from(removed: Removed) -> Self {
        match removed {
            Removed::Name(name) => Self { untagged: Some(name), deleted: None },
            Removed::Content(digest) => Self { untagged: None, deleted: Some(digest.to_string()) },
        }
    }
}

/// The result of a prune.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImagePruneResponse {
    /// The removed names and images; null if there are none.
    #[schema(required = true)]
    images_deleted: Option<Vec<ImageDeleteResponseItem>>,
    /// The disk space that was freed, in bytes.
    space_reclaimed: u64,
}

impl From<Pruned> for ImagePruneResponse {
    fn from(pruned: Pruned) -> Self {
        let items: Vec<_> = pruned.removed.into_iter().map(ImageDeleteResponseItem::from).collect();
        Self { images_deleted: Some(items).filter(|items| !items.is_empty()), space_reclaimed: pruned.reclaimed }
    }
}
