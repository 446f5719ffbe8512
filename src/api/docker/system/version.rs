//! `GET /version`.

use std::collections::BTreeMap;

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::host::Host;
use crate::api::docker::answer::{self, Answer};
use crate::api::docker::app::App;
use crate::api::docker::render::grammar::VersionText;
use crate::api::docker::versions::{Form, NEWEST, OLDEST, SystemShape};

/// The versions of the daemon, its API and the host.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SystemVersion {
    /// The product that the daemon belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    platform: Option<SystemVersionPlatform>,
    /// The version of the daemon.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The newest API version that the daemon serves.
    #[schema(value_type = VersionText, inline = false)]
    api_version: String,
    /// The oldest API version that the daemon serves.
    #[serde(rename = "MinAPIVersion", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<VersionText>, nullable = false, inline = false)]
    min_api_version: Option<String>,
    /// The daemon's operating system.
    #[schema(example = "linux")]
    os: &'static str,
    /// The architecture of the host, in Go's notation (`amd64`, `arm64`).
    #[schema(example = "amd64")]
    arch: String,
    /// The components of the engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    components: Option<Vec<ComponentVersion>>,
    /// The Git commit that the daemon was built from; empty if unknown.
    #[schema(example = "cd28412")]
    git_commit: &'static str,
    /// The version of Go that built the engine: always `n/a`, as Loadline is not written in Go.
    #[schema(example = "n/a")]
    go_version: &'static str,
    /// The version of the host's kernel.
    #[schema(example = "6.12.0")]
    kernel_version: &'static str,
    /// When the daemon was built, in RFC 3339 format; empty if unknown.
    #[schema(example = "2026-01-01T00:00:00Z")]
    build_time: &'static str,
}

/// The product that the daemon belongs to.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct SystemVersionPlatform {
    /// The name of the product; empty if there is none.
    #[schema(example = "")]
    name: &'static str,
}

/// One component of the daemon.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ComponentVersion {
    /// The component's name.
    #[schema(example = "Engine")]
    name: &'static str,
    /// The component's version.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// Further details of the component, as strings.
    #[schema(example = json!({"ApiVersion": "1.55", "Arch": "amd64"}))]
    details: BTreeMap<&'static str, String>,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
// docker's CLI prints this key and older generated clients require it, so it says that there is none.
const NO_GO: &str = "n/a";

impl SystemVersion {
    fn new(host: &'static Host, shape: &SystemShape) -> Self {
        let newest = format!("1.{NEWEST}");
        let oldest = format!("1.{OLDEST}");
        let git_commit = option_env!("LOADLINE_GIT_COMMIT").unwrap_or_default();
        let build_time = option_env!("LOADLINE_BUILD_TIME").unwrap_or_default();
        let engine = || ComponentVersion {
            // The name by which docker's CLI finds the component that it shows as the server.
            name: "Engine",
            version: VERSION,
            details: BTreeMap::from([
                ("ApiVersion", newest.clone()),
                ("Arch", host.architecture.clone()),
                ("BuildTime", build_time.to_owned()),
                ("Experimental", "false".to_owned()),
                ("GitCommit", git_commit.to_owned()),
                ("GoVersion", NO_GO.to_owned()),
                ("KernelVersion", host.kernel_version.clone()),
                ("MinAPIVersion", oldest.clone()),
                ("Os", "linux".to_owned()),
            ]),
        };
        Self {
            components: shape.components.then(|| vec![engine()]),
            platform: shape.components.then_some(SystemVersionPlatform { name: "" }),
            version: VERSION,
            api_version: newest,
            min_api_version: shape.oldest_version.then_some(oldest),
            os: "linux",
            arch: host.architecture.clone(),
            git_commit,
            go_version: NO_GO,
            kernel_version: &host.kernel_version,
            build_time,
        }
    }
}

/// Show the versions of the daemon and its API
///
/// The component `Engine` repeats the same values as strings.
#[utoipa::path(
    get,
    path = "/version",
    operation_id = "SystemVersion",
    tag = "System",
    responses(
        (status = 200, description = "The versions", body = SystemVersion,
            example = json!({
                "Platform": {"Name": ""},
                "Version": "0.1.0",
                "ApiVersion": "1.55",
                "MinAPIVersion": "1.24",
                "Os": "linux",
                "Arch": "amd64",
                "Components": [{"Name": "Engine", "Version": "0.1.0", "Details": {"ApiVersion": "1.55", "Arch": "amd64"}}],
                "GitCommit": "cd28412",
                "GoVersion": "n/a",
                "KernelVersion": "6.12.0",
                "BuildTime": "2026-01-01T00:00:00Z",
            })),
    )
)]
pub async fn version(State(_): State<App>, form: Form) -> Answer {
    answer::json(StatusCode::OK, &SystemVersion::new(Host::here(), &form.0.system))
}

#[cfg(test)]
mod tests;
