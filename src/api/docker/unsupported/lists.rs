//! Lists and prunes: empty, as on an empty engine, with their filters checked as if there were something.

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::thing::Thing;
use crate::api::docker::answer::{self, Answer, ErrorResponse};
use crate::api::docker::filters::Filters;
use crate::api::docker::query::Query;
use crate::domain::{Error, Result};

/// Refuses filters that Docker does not have for a list or a prune.
fn check(query: &Query, allowed: &[&str]) -> Result<Filters> {
    let filters = Filters::parse(query.text("filters"))?;
    filters.only(allowed)?;
    filters.boolean("dangling")?;
    filters.until(jiff::Timestamp::now())?;
    Ok(filters)
}

/// A container. Loadline does not run containers.
#[derive(Serialize, ToSchema)]
pub struct ContainerSummary {}

/// A volume. Loadline does not manage volumes.
#[derive(Serialize, ToSchema)]
pub struct Volume {}

/// A network. Loadline does not manage networks.
#[derive(Serialize, ToSchema)]
pub struct Network {}

/// A plugin. Loadline does not run plugins.
#[derive(Serialize, ToSchema)]
pub struct Plugin {}

/// The list of volumes: always empty.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct VolumeListResponse {
    /// The volumes: always empty.
    volumes: Vec<Volume>,
    /// Warnings: always null.
    #[schema(required = true, example = json!(null))]
    warnings: Option<Vec<String>>,
}

/// The removed containers: always none.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerPruneResponse {
    /// The IDs of the containers: always null.
    #[schema(required = true, example = json!(null))]
    containers_deleted: Option<Vec<String>>,
    /// The disk space that was freed, in bytes: always 0.
    space_reclaimed: u64,
}

/// The removed volumes: always none.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct VolumePruneResponse {
    /// The names of the volumes: always empty.
    #[schema(example = json!([]))]
    volumes_deleted: Vec<String>,
    /// The disk space that was freed, in bytes: always 0.
    space_reclaimed: u64,
}

/// The removed networks: always none.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct NetworkPruneResponse {
    /// The IDs of the networks: always null.
    #[schema(required = true, example = json!(null))]
    networks_deleted: Option<Vec<String>>,
}

/// The removed build cache records: always none.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct BuildPruneResponse {
    /// The IDs of the records: always null.
    #[schema(required = true, example = json!(null))]
    caches_deleted: Option<Vec<String>>,
    /// The disk space that was freed, in bytes: always 0.
    space_reclaimed: u64,
}

/// List containers
///
/// Always empty: Loadline does not run containers. Filters are validated.
#[utoipa::path(
    get,
    path = "/containers/json",
    operation_id = "ContainerList",
    tag = "Container",
    params(
        ("all" = Option<bool>, Query, description = "Include stopped containers"),
        ("limit" = Option<i64>, Query, description = "The maximum number of containers to list; by default all", example = 10),
        ("size" = Option<bool>, Query, description = "Include sizes"),
        ("filters" = Option<String>, Query,
            description = "Filters, as a JSON object that maps names to lists of values; they include `annotation` (`key` or `key=value`)",
            example = json!("{\"status\":[\"running\"]}")),
    ),
    responses(
        (status = 200, description = "An empty list", body = [ContainerSummary], example = json!([])),
        (status = 400, description = "A filter is unknown or malformed, or `limit` is not a number", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
        (status = 404, description = "`before` or `since` names a container, which does not exist", body = ErrorResponse<'static>,
            example = json!({"message": "No such container: web"})),
    )
)]
pub async fn container_list(query: Query) -> Answer {
    let filters = check(
        &query,
        &[
            "ancestor",
            "annotation",
            "before",
            "exited",
            "expose",
            "health",
            "id",
            "is-task",
            "isolation",
            "label",
            "name",
            "network",
            "publish",
            "since",
            "status",
            "volume",
        ],
    )?;
    let limit = query.text("limit");
    if !limit.is_empty() && limit.parse::<i64>().is_err() {
        return Err(Error::invalid(format!("invalid value for limit: {limit}")).into());
    }
    if let Some(name) = filters.values("before").chain(filters.values("since")).next() {
        return Err(Thing::Container.missing(name).into());
    }
    answer::json(StatusCode::OK, &[(); 0])
}

/// Remove stopped containers
///
/// Removes nothing: Loadline does not run containers.
#[utoipa::path(
    post,
    path = "/containers/prune",
    operation_id = "ContainerPrune",
    tag = "Container",
    params(
        ("filters" = Option<String>, Query, description = "Filters, as a JSON object that maps names to lists of values",
            example = json!("{\"until\":[\"24h\"]}")),
    ),
    responses(
        (status = 200, description = "What was removed: always nothing", body = ContainerPruneResponse,
            example = json!({"ContainersDeleted": null, "SpaceReclaimed": 0})),
        (status = 400, description = "A filter is unknown or malformed", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    )
)]
pub async fn container_prune(query: Query) -> Answer {
    check(&query, &["label", "label!", "until"])?;
    answer::json(StatusCode::OK, &ContainerPruneResponse::default())
}

/// List volumes
///
/// Always empty: Loadline does not manage volumes.
#[utoipa::path(
    get,
    path = "/volumes",
    operation_id = "VolumeList",
    tag = "Volume",
    params(
        ("filters" = Option<String>, Query, description = "Filters, as a JSON object that maps names to lists of values",
            example = json!("{\"dangling\":[\"true\"]}")),
    ),
    responses(
        (status = 200, description = "An empty list", body = VolumeListResponse,
            example = json!({"Volumes": [], "Warnings": null})),
        (status = 400, description = "A filter is unknown or malformed", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    )
)]
pub async fn volume_list(query: Query) -> Answer {
    check(&query, &["dangling", "driver", "label", "name"])?;
    answer::json(StatusCode::OK, &VolumeListResponse { volumes: vec![], warnings: None })
}

/// Remove unused volumes
///
/// Removes nothing: Loadline does not manage volumes.
#[utoipa::path(
    post,
    path = "/volumes/prune",
    operation_id = "VolumePrune",
    tag = "Volume",
    params(
        ("filters" = Option<String>, Query, description = "Filters, as a JSON object that maps names to lists of values",
            example = json!("{\"label\":[\"keep!=yes\"]}")),
    ),
    responses(
        (status = 200, description = "What was removed: always nothing", body = VolumePruneResponse,
            example = json!({"VolumesDeleted": [], "SpaceReclaimed": 0})),
        (status = 400, description = "A filter is unknown or malformed", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    )
)]
pub async fn volume_prune(query: Query) -> Answer {
    check(&query, &["all", "label", "label!"])?;
    answer::json(StatusCode::OK, &VolumePruneResponse::default())
}

/// List networks
///
/// Always empty: Loadline does not manage networks, and has none of the default networks of Docker Engine.
#[utoipa::path(
    get,
    path = "/networks",
    operation_id = "NetworkList",
    tag = "Network",
    params(
        ("filters" = Option<String>, Query, description = "Filters, as a JSON object that maps names to lists of values",
            example = json!("{\"driver\":[\"bridge\"]}")),
    ),
    responses(
        (status = 200, description = "An empty list", body = [Network], example = json!([])),
        (status = 400, description = "A filter is unknown or malformed", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    )
)]
pub async fn network_list(query: Query) -> Answer {
    check(&query, &["dangling", "driver", "id", "label", "name", "scope", "type"])?;
    answer::json(StatusCode::OK, &[(); 0])
}

/// Remove unused networks
///
/// Removes nothing: Loadline does not manage networks.
#[utoipa::path(
    post,
    path = "/networks/prune",
    operation_id = "NetworkPrune",
    tag = "Network",
    params(
        ("filters" = Option<String>, Query, description = "Filters, as a JSON object that maps names to lists of values",
            example = json!("{\"until\":[\"24h\"]}")),
    ),
    responses(
        (status = 200, description = "What was removed: always nothing", body = NetworkPruneResponse,
            example = json!({"NetworksDeleted": null})),
        (status = 400, description = "A filter is unknown or malformed", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    )
)]
pub async fn network_prune(query: Query) -> Answer {
    check(&query, &["label", "label!", "until"])?;
    answer::json(StatusCode::OK, &NetworkPruneResponse::default())
}

/// Remove build cache
///
/// Removes nothing: Loadline does not build images.
#[utoipa::path(
    post,
    path = "/build/prune",
    operation_id = "BuildPrune",
    tag = "Image",
    params(
        ("all" = Option<bool>, Query, description = "Remove all unused records, not only dangling ones"),
        ("filters" = Option<String>, Query, description = "Filters, as a JSON object that maps names to lists of values",
            example = json!("{\"until\":[\"24h\"]}")),
    ),
    responses(
        (status = 200, description = "What was removed: always nothing", body = BuildPruneResponse,
            example = json!({"CachesDeleted": null, "SpaceReclaimed": 0})),
        (status = 400, description = "A filter is unknown or malformed", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    )
)]
pub async fn build_prune(query: Query) -> Answer {
    check(&query, &["description", "id", "inuse", "parent", "private", "shared", "type", "until"])?;
    answer::json(StatusCode::OK, &BuildPruneResponse::default())
}

/// List plugins
///
/// Always empty: Loadline does not run plugins.
#[utoipa::path(
    get,
    path = "/plugins",
    operation_id = "PluginList",
    tag = "Plugin",
    params(
        ("filters" = Option<String>, Query, description = "Filters, as a JSON object that maps names to lists of values",
            example = json!("{\"enabled\":[\"true\"]}")),
    ),
    responses(
        (status = 200, description = "An empty list", body = [Plugin], example = json!([])),
        (status = 400, description = "A filter is unknown or malformed", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    )
)]
pub async fn plugin_list(query: Query) -> Answer {
    check(&query, &["capability", "enabled"])?;
    answer::json(StatusCode::OK, &[(); 0])
}

#[cfg(test)]
mod tests;
