//! What things take of the disk.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::summary::ImageSummary;

/// What images take of the disk, and everything else that there is none of.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SystemDataUsageResponse<'a> {
    /// Bytes of the images' content, each blob once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub layers_size: Option<u64>,
    /// The images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ImageSummary<'static>>>, nullable = false)]
    pub images: Option<&'a RawValue>,
    /// The containers: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>, nullable = false)]
    pub containers: Option<[(); 0]>,
    /// The volumes: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>, nullable = false)]
    pub volumes: Option<[(); 0]>,
    /// The records of the build cache: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>, nullable = false)]
    pub build_cache: Option<[(); 0]>,
    /// What images take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image_usage: Option<ImagesDiskUsage<'a>>,
    /// What containers take: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub container_usage: Option<Nothing>,
    /// What volumes take: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub volume_usage: Option<Nothing>,
    /// What the build cache takes: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub build_cache_usage: Option<Nothing>,
}

/// A kind of thing that takes disk space.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "documents the values of the parameter `type`")]
pub enum UsageType {
    Container,
    Image,
    Volume,
    BuildCache,
}

/// What images take of the disk. Numbers that are 0 are left out.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ImagesDiskUsage<'a> {
    /// The images, if they are wanted and there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ImageSummary<'static>>>, nullable = false)]
    pub items: Option<&'a RawValue>,
    /// Bytes that would become free if all images were removed.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub reclaimable: u64,
    /// How many images there are.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub total_count: u64,
    /// Bytes of the images' content, each blob once.
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
