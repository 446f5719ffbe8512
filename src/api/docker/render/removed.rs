//! What was removed of images.

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::{Pruned, Removed};

/// One thing that was removed: a name, or content.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImageDeleteResponseItem {
    /// A name that was taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    untagged: Option<String>,
    /// The digest of an image or of a manifest that was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
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

/// What a prune removed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImagePruneResponse {
    /// The names and contents; `null` for none.
    #[schema(required = true)]
    images_deleted: Option<Vec<ImageDeleteResponseItem>>,
    /// Bytes of disk that became free.
    space_reclaimed: u64,
}

impl From<Pruned> for ImagePruneResponse {
    fn from(pruned: Pruned) -> Self {
        let items: Vec<_> = pruned.removed.into_iter().map(ImageDeleteResponseItem::from).collect();
        Self { images_deleted: Some(items).filter(|items| !items.is_empty()), space_reclaimed: pruned.reclaimed }
    }
}
