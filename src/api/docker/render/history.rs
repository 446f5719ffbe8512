//! The steps that made an image.

use serde::Serialize;
use utoipa::ToSchema;

use super::names::Tags;
use crate::domain::image::HistoryItem;

/// One step of an image's history.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImageHistoryResponseItem<'a> {
    /// What was noted at the step.
    #[schema(example = "buildkit.dockerfile.v0")]
    comment: &'a str,
    /// When the step was done, in seconds since the Unix epoch; 0 where that is not known.
    created: i64,
    /// The instruction.
    #[schema(example = "COPY index.html /www/index.html # buildkit")]
    created_by: &'a str,
    /// The image, at the newest step; `<missing>` at the others.
    id: String,
    /// The packed size of the step's layer in bytes; 0 where it made none.
    size: u64,
    /// The image's names, at the newest step; null at the others.
    #[schema(value_type = Option<Vec<String>>, required = true)]
    tags: Option<Tags<'a>>,
}

impl<'a> From<&'a HistoryItem> for ImageHistoryResponseItem<'a> {
    fn from(item: &'a HistoryItem) -> Self {
        Self {
            comment: &item.step.comment,
            created: item.step.created.map_or(0, |created| created.as_second()),
            created_by: &item.step.created_by,
            id: item.id.as_ref().map_or_else(|| "<missing>".to_owned(), ToString::to_string),
            size: item.size,
            tags: (!item.names.is_empty()).then_some(Tags(&item.names)),
        }
    }
}
