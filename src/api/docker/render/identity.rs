//! Where an image comes from.

use serde::Serialize;
use utoipa::ToSchema;

/// Where an image was pulled from.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Identity<'a> {
    /// The repositories that the image was pulled from.
    #[schema(inline = false)]
    pull: Vec<PullIdentity<'a>>,
}

/// A repository that an image was pulled from.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PullIdentity<'a> {
    /// The repository with its registry, and the port of the registry if it has one.
    #[schema(example = "registry.example:5000/team/app")]
    repository: &'a str,
}

/// The identity of an image that was pulled from these repositories; absent where there are none.
pub fn identity(sources: &[String]) -> Option<Identity<'_>> {
    let pull: Vec<_> = sources.iter().map(|repository| PullIdentity { repository }).collect();
    (!pull.is_empty()).then_some(Identity { pull })
}
