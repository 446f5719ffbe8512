//! `containerd.services.containers.v1`, as far as clients of images ask: there are no containers.

use futures_util::stream;
use tonic::{Request, Response, Status};

use super::proto::containerd::services::containers::v1::containers_server::Containers;
use super::proto::containerd::services::containers::v1::{
    GetContainerRequest, GetContainerResponse, ListContainerMessage, ListContainersRequest, ListContainersResponse,
};
use crate::api::error_table::status;
use crate::api::grpc::excerpt;
use crate::domain::{Error, Result};

/// The container service. It is not among the plugins: a client that finds it there would make containers.
pub struct ContainerService;

#[tonic::async_trait]
impl Containers for ContainerService {
    type ListStreamStream = stream::Empty<Result<ListContainerMessage, Status>>;

    async fn get(&self, request: Request<GetContainerRequest>) -> Result<Response<GetContainerResponse>, Status> {
        let id = request.into_inner().id;
        Err(status(Error::not_found(format!("container {:?}: not found", excerpt(&id)))))
    }

    async fn list(&self, _: Request<ListContainersRequest>) -> Result<Response<ListContainersResponse>, Status> {
        Ok(Response::new(ListContainersResponse::default()))
    }

    async fn list_stream(&self, _: Request<ListContainersRequest>) -> Result<Response<Self::ListStreamStream>, Status> {
        Ok(Response::new(stream::empty()))
    }
}
