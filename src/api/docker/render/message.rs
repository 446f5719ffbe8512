//! The lines of a stream of messages.

use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::descriptor::OciDescriptor;
use crate::domain::descriptor::DescriptorJson;

/// A message as a line of a stream, ended as Docker Engine ends them.
pub fn line(message: &impl Serialize) -> Bytes {
    // Texts and numbers always serialise.
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.extend_from_slice(b"\r\n");
    line.into()
}

/// A failure that ends a stream.
#[derive(Serialize, ToSchema)]
pub struct ErrorDetail<'a> {
    /// A description of the failure.
    #[schema(example = "writing a blob: no space left on device")]
    pub message: &'a str,
}

/// A line of the response to a load.
#[derive(Serialize, ToSchema)]
pub struct LoadMessage<'a> {
    /// The loaded image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Loaded image: app:1.0\n", nullable = false)]
    pub stream: Option<&'a str>,
    /// The failure; this line is the last.
    #[serde(rename = "errorDetail", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, inline = false)]
    pub error_detail: Option<ErrorDetail<'a>>,
    /// The same as `errorDetail.message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "writing a blob: no space left on device")]
    pub error: Option<&'a str>,
}

/// A line of the response to a pull, import or push.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferMessage<'a> {
    /// What is happening, as a message to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Downloading", nullable = false)]
    pub status: Option<&'a str>,
    /// The progress of a blob; present on all lines about a blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, inline = false)]
    pub progress_detail: Option<ProgressDetail>,
    /// The tag, or the first 12 hexadecimal digits of a blob's digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "f2f97cca978b", nullable = false)]
    pub id: Option<&'a str>,
    /// Machine-readable detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, inline = false)]
    pub aux: Option<Aux<'a>>,
    /// The failure; this line is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, inline = false)]
    pub error_detail: Option<ErrorDetail<'a>>,
    /// The same as `errorDetail.message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "writing a blob: no space left on device")]
    pub error: Option<&'a str>,
}

/// Machine-readable detail of a push, about content that is not present locally.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Aux<'a> {
    /// Whether a single manifest was pushed instead of its index.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub manifest_pushed_instead_of_index: Option<bool>,
    /// The index that was not pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<OciDescriptor>, nullable = false, inline = false)]
    pub original_index: Option<DescriptorJson<'a>>,
    /// The manifest that was pushed instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<OciDescriptor>, nullable = false, inline = false)]
    pub selected_manifest: Option<DescriptorJson<'a>>,
    /// Whether nothing was pushed because content is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub content_missing: Option<bool>,
    /// The image that could not be pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<OciDescriptor>, nullable = false, inline = false)]
    pub desc: Option<DescriptorJson<'a>>,
}

impl<'a> Aux<'a> {
    /// That a manifest was pushed in place of an index.
    pub fn instead(index: DescriptorJson<'a>, manifest: DescriptorJson<'a>) -> Self {
        Self {
            manifest_pushed_instead_of_index: Some(true),
            original_index: Some(index),
            selected_manifest: Some(manifest),
            ..Self::default()
        }
    }

    /// That content of an image is not here.
    pub fn missing(image: DescriptorJson<'a>) -> Self {
        Self { content_missing: Some(true), desc: Some(image), ..Self::default() }
    }
}

/// The progress of a blob.
#[derive(Default, Serialize, ToSchema)]
pub struct ProgressDetail {
    /// The number of bytes transferred so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub current: Option<u64>,
    /// The size of the blob in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total: Option<u64>,
    /// Whether clients should hide the numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hidecounts: Option<bool>,
}

impl<'a> TransferMessage<'a> {
    /// A line about the whole.
    pub fn status(text: &'a str, id: Option<&'a str>) -> Self {
        Self { status: Some(text), progress_detail: None, id, aux: None, error_detail: None, error: None }
    }

    /// A line about a blob.
    pub fn blob(text: &'a str, id: &'a str, progress: ProgressDetail) -> Self {
        Self { progress_detail: Some(progress), ..Self::status(text, Some(id)) }
    }

    /// A note for programs.
    pub fn aux(note: Aux<'a>) -> Self {
        Self {
            status: None,
            progress_detail: Some(ProgressDetail::default()),
            aux: Some(note),
            ..Self::status("", None)
        }
    }

    /// The line that ends a failed stream.
    pub fn failed(text: &'a str) -> Self {
        Self {
            status: None,
            progress_detail: None,
            id: None,
            aux: None,
            error_detail: Some(ErrorDetail { message: text }),
            error: Some(text),
        }
    }
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
