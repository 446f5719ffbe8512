//! The build steps of an image.

use serde::Serialize;
use utoipa::ToSchema;

use super::grammar::ReferenceText;
use super::names::Tags;
use crate::domain::image::HistoryItem;

/// A build step of an image.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImageHistoryResponseItem<'a> {
    /// The comment of the step.
    #[schema(example = "buildkit.dockerfile.v0")]
    comment: &'a str,
    /// When the step ran, in seconds since the Unix epoch; 0 if unknown.
    created: i64,
    /// The instruction of the step.
    #[schema(example = "COPY index.html /www/index.html # buildkit")]
    created_by: &'a str,
    /// The digest of the image for the newest step; `<missing>` for the others.
    #[schema(example = "<missing>")]
    id: String,
    /// The compressed size of the step's layer in bytes; 0 if the step created none.
    size: u64,
    /// The names of the image for the newest step; null for the others.
    #[schema(value_type = Option<Vec<ReferenceText>>, required = true, example = json!(["registry.example/team/app:1.0"]))]
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
