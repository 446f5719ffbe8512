//! `containerd.services.version.v1`: what answers here, honestly named.

use tonic::{Request, Response, Status};

use super::proto::containerd::services::version::v1::VersionResponse;
use super::proto::containerd::services::version::v1::version_server::Version;
use crate::api::grpc::{GRPC_PLUGIN, Plugin};

/// A semantic version as clients parse containerd's, whose build metadata says that this is not containerd.
pub const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"), "+loadline");

/// What this service stands in for.
pub const PLUGINS: &[Plugin] = &[Plugin { kind: GRPC_PLUGIN, id: "version", requires: &[] }];

/// The version service.
pub struct VersionService;

#[tonic::async_trait]
impl Version for VersionService {
    async fn version(&self, _: Request<()>) -> Result<Response<VersionResponse>, Status> {
        Ok(Response::new(VersionResponse { version: VERSION.to_owned(), revision: String::new() }))
    }
}
