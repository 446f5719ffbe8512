//! Messages: what went wrong, and the lines of a stream.

use serde::Serialize;
use utoipa::ToSchema;

/// What every failed request answers.
#[derive(Serialize, ToSchema)]
pub struct ErrorResponse<'a> {
    /// What went wrong, for people.
    #[schema(example = "No such image: app:latest")]
    pub message: &'a str,
}

/// What went wrong in the middle of a stream.
#[derive(Serialize, ToSchema)]
pub struct ErrorDetail<'a> {
    /// What went wrong, for people.
    pub message: &'a str,
}

/// One line of the answer to a load.
#[derive(Serialize, ToSchema)]
pub struct LoadMessage<'a> {
    /// What was loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Loaded image: app:1.0\n", nullable = false)]
    pub stream: Option<&'a str>,
    /// What went wrong; this line is the last.
    #[serde(rename = "errorDetail", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, inline = false)]
    pub error_detail: Option<ErrorDetail<'a>>,
    /// The text of `errorDetail` again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<&'a str>,
}

impl<'a> LoadMessage<'a> {
    /// A line that tells of progress.
    pub fn stream(text: &'a str) -> Self {
        Self { stream: Some(text), error_detail: None, error: None }
    }

    /// The line that ends a failed stream.
    pub fn failed(text: &'a str) -> Self {
        Self { stream: None, error_detail: Some(ErrorDetail { message: text }), error: Some(text) }
    }
}
