//! `containerd.services.snapshots.v1`, as far as clients of images ask: images are not unpacked here.

use futures_util::stream;
use tonic::{Request, Response, Status};

use super::proto::containerd::services::snapshots::v1::snapshots_server::Snapshots;
use super::proto::containerd::services::snapshots::v1::{
    ListSnapshotsRequest, ListSnapshotsResponse, StatSnapshotRequest, StatSnapshotResponse, UsageRequest, UsageResponse,
};
use crate::api::error_table::status;
use crate::api::grpc::excerpt;
use crate::domain::{Error, Result};

/// The snapshot service. It is not among the plugins: a client that finds it there would unpack.
pub struct SnapshotService;

#[tonic::async_trait]
impl Snapshots for SnapshotService {
    type ListStream = stream::Empty<Result<ListSnapshotsResponse, Status>>;

    async fn stat(&self, request: Request<StatSnapshotRequest>) -> Result<Response<StatSnapshotResponse>, Status> {
        Err(no_such_snapshot(&request.into_inner().key))
    }

    async fn list(&self, _: Request<ListSnapshotsRequest>) -> Result<Response<Self::ListStream>, Status> {
        Ok(Response::new(stream::empty()))
    }

    async fn usage(&self, request: Request<UsageRequest>) -> Result<Response<UsageResponse>, Status> {
        Err(no_such_snapshot(&request.into_inner().key))
    }
}

fn no_such_snapshot(key: &str) -> Status {
    status(Error::not_found(format!(
        "snapshot {} does not exist: not found; images are not unpacked here",
        excerpt(key)
    )))
}
