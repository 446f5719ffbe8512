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

/// A container. There are none.
#[derive(Serialize, ToSchema)]
pub struct ContainerSummary {}

/// A volume. There are none.
#[derive(Serialize, ToSchema)]
pub struct Volume {}

/// A network. There are none.
#[derive(Serialize, ToSchema)]
pub struct Network {}

/// A plugin. There are none.
#[derive(Serialize, ToSchema)]
pub struct Plugin {}

/// Volumes; there are none.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct VolumeListResponse {
    /// The volumes: none.
    volumes: Vec<Volume>,
    /// `null`: there is nothing to warn of.
    #[schema(required = true)]
    warnings: Option<Vec<String>>,
}

/// The containers that were removed: `null`, for none.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerPruneResponse {
    /// The IDs of the containers; `null`, for none.
    #[schema(required = true)]
    containers_deleted: Option<Vec<String>>,
    /// Bytes of disk that became free.
    space_reclaimed: u64,
}

/// The volumes that were removed: none.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct VolumePruneResponse {
    /// The names of the volumes: none.
    volumes_deleted: Vec<String>,
    /// Bytes of disk that became free.
    space_reclaimed: u64,
}

/// The networks that were removed: `null`, for none.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct NetworkPruneResponse {
    /// The IDs of the networks; `null`, for none.
    #[schema(required = true)]
    networks_deleted: Option<Vec<String>>,
}

/// The build caches that were removed: `null`, for none.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct BuildPruneResponse {
    /// The IDs of the build caches; `null`, for none.
    #[schema(required = true)]
    caches_deleted: Option<Vec<String>>,
    /// Bytes of disk that became free.
    space_reclaimed: u64,
}

/// List containers
///
/// There are none. Filters are checked all the same.
#[utoipa::path(
    get,
    path = "/containers/json",
    operation_id = "ContainerList",
    tag = "Container",
    params(
        ("all" = Option<bool>, Query, description = "Stopped containers too"),
        ("limit" = Option<i64>, Query, description = "How many to list at most; all if not set", example = 10),
        ("size" = Option<bool>, Query, description = "With sizes on disk"),
        ("filters" = Option<String>, Query,
            description = "What to list, as a JSON object of lists, `annotation` (`key` or `key=value`) among them",
            example = json!("{\"status\":[\"running\"]}")),
    ),
    responses(
        (status = 200, description = "An empty list", body = [ContainerSummary], example = json!([])),
        (status = 400, description = "A filter that does not exist, or a limit that is no number", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
        (status = 404, description = "A filter names a container", body = ErrorResponse<'static>,
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
/// There are none.
#[utoipa::path(
    post,
    path = "/containers/prune",
    operation_id = "ContainerPrune",
    tag = "Container",
    params(
        ("filters" = Option<String>, Query, description = "What to remove, as a JSON object of lists",
            example = json!("{\"until\":[\"24h\"]}")),
    ),
    responses(
        (status = 200, description = "What was removed: nothing", body = ContainerPruneResponse,
            example = json!({"ContainersDeleted": null, "SpaceReclaimed": 0})),
        (status = 400, description = "A filter that does not exist", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    )
)]
pub async fn container_prune(query: Query) -> Answer {
    check(&query, &["label", "label!", "until"])?;
    answer::json(StatusCode::OK, &ContainerPruneResponse::default())
}

/// List volumes
///
/// There are none.
#[utoipa::path(
    get,
    path = "/volumes",
    operation_id = "VolumeList",
    tag = "Volume",
    params(
        ("filters" = Option<String>, Query, description = "What to list, as a JSON object of lists",
            example = json!("{\"dangling\":[\"true\"]}")),
    ),
    responses(
        (status = 200, description = "What was found: nothing", body = VolumeListResponse,
            example = json!({"Volumes": [], "Warnings": null})),
        (status = 400, description = "A filter that does not exist", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    )
)]
pub async fn volume_list(query: Query) -> Answer {
    check(&query, &["dangling", "driver", "label", "name"])?;
    answer::json(StatusCode::OK, &VolumeListResponse { volumes: vec![], warnings: None })
}

/// Remove unused volumes
///
/// There are none.
#[utoipa::path(
    post,
    path = "/volumes/prune",
    operation_id = "VolumePrune",
    tag = "Volume",
    params(
        ("filters" = Option<String>, Query, description = "What to remove, as a JSON object of lists",
            example = json!("{\"label\":[\"keep!=yes\"]}")),
    ),
    responses(
        (status = 200, description = "What was removed: nothing", body = VolumePruneResponse,
            example = json!({"VolumesDeleted": [], "SpaceReclaimed": 0})),
        (status = 400, description = "A filter that does not exist", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    )
)]
pub async fn volume_prune(query: Query) -> Answer {
    check(&query, &["all", "label", "label!"])?;
    answer::json(StatusCode::OK, &VolumePruneResponse::default())
}

/// List networks
///
/// There are none, not even those that every Docker Engine has.
#[utoipa::path(
    get,
    path = "/networks",
    operation_id = "NetworkList",
    tag = "Network",
    params(
        ("filters" = Option<String>, Query, description = "What to list, as a JSON object of lists",
            example = json!("{\"driver\":[\"bridge\"]}")),
    ),
    responses(
        (status = 200, description = "An empty list", body = [Network], example = json!([])),
        (status = 400, description = "A filter that does not exist", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    )
)]
pub async fn network_list(query: Query) -> Answer {
    check(&query, &["dangling", "driver", "id", "label", "name", "scope", "type"])?;
    answer::json(StatusCode::OK, &[(); 0])
}

/// Remove unused networks
///
/// There are none.
#[utoipa::path(
    post,
    path = "/networks/prune",
    operation_id = "NetworkPrune",
    tag = "Network",
    params(
        ("filters" = Option<String>, Query, description = "What to remove, as a JSON object of lists",
            example = json!("{\"until\":[\"24h\"]}")),
    ),
    responses(
        (status = 200, description = "What was removed: nothing", body = NetworkPruneResponse,
            example = json!({"NetworksDeleted": null})),
        (status = 400, description = "A filter that does not exist", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    )
)]
pub async fn network_prune(query: Query) -> Answer {
    check(&query, &["label", "label!", "until"])?;
    answer::json(StatusCode::OK, &NetworkPruneResponse::default())
}

/// Remove build caches
///
/// There are none.
#[utoipa::path(
    post,
    path = "/build/prune",
    operation_id = "BuildPrune",
    tag = "Image",
    params(
        ("all" = Option<bool>, Query, description = "Every cache, not only dangling ones"),
        ("filters" = Option<String>, Query, description = "What to remove, as a JSON object of lists",
            example = json!("{\"until\":[\"24h\"]}")),
    ),
    responses(
        (status = 200, description = "What was removed: nothing", body = BuildPruneResponse,
            example = json!({"CachesDeleted": null, "SpaceReclaimed": 0})),
        (status = 400, description = "A filter that does not exist", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    )
)]
pub async fn build_prune(query: Query) -> Answer {
    check(&query, &["description", "id", "inuse", "parent", "private", "shared", "type", "until"])?;
    answer::json(StatusCode::OK, &BuildPruneResponse::default())
}

/// List plugins
///
/// There are none.
#[utoipa::path(
    get,
    path = "/plugins",
    operation_id = "PluginList",
    tag = "Plugin",
    params(
        ("filters" = Option<String>, Query, description = "What to list, as a JSON object of lists",
            example = json!("{\"enabled\":[\"true\"]}")),
    ),
    responses(
        (status = 200, description = "An empty list", body = [Plugin], example = json!([])),
        (status = 400, description = "A filter that does not exist", body = ErrorResponse<'static>,
            example = json!({"message": "invalid filter 'colour'"})),
    )
)]
pub async fn plugin_list(query: Query) -> Answer {
    check(&query, &["capability", "enabled"])?;
    answer::json(StatusCode::OK, &[(); 0])
}

#[cfg(test)]
mod tests;
