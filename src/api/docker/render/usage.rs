//! What things take of the disk.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::summary::ImageSummary;

/// Disk usage by kind of object. Only images use any.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SystemDataUsageResponse<'a> {
    /// The size of the content of all images in bytes; shared content is counted once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub layers_size: Option<u64>,
    /// The images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ImageSummary<'static>>>, nullable = false)]
    pub images: Option<&'a RawValue>,
    /// Containers: always empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>, nullable = false)]
    pub containers: Option<[(); 0]>,
    /// Volumes: always empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>, nullable = false)]
    pub volumes: Option<[(); 0]>,
    /// Build cache records: always empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>, nullable = false)]
    pub build_cache: Option<[(); 0]>,
    /// The disk usage of images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image_usage: Option<ImagesDiskUsage<'a>>,
    /// The disk usage of containers: always none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub container_usage: Option<Nothing>,
    /// The disk usage of volumes: always none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub volume_usage: Option<Nothing>,
    /// The disk usage of the build cache: always none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub build_cache_usage: Option<Nothing>,
}

/// A kind of object that uses disk space.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "documents the values of the parameter `type`")]
pub enum UsageType {
    Container,
    Image,
    Volume,
    BuildCache,
}

/// The disk usage of images. Numbers that are 0 are left out.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImagesDiskUsage<'a> {
    /// The images; present only if requested and if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ImageSummary<'static>>>, nullable = false)]
    pub items: Option<&'a RawValue>,
    /// The disk space that removing all images would free, in bytes.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub reclaimable: u64,
    /// The number of images.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub total_count: u64,
    /// The size of the content of all images in bytes; shared content is counted once.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub total_size: u64,
}

/// The usage of what there is none of: every number is 0, and left out.
#[derive(Default, Serialize)]
pub struct Nothing {}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
