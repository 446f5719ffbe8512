//! The package `runtime`: the first protocol between kubelet and container runtimes, with the answers of today's.

use tonic::{Request, Response, Status};

use super::message::{self, KUBELET_API_VERSION, RUNTIME_NAME, RUNTIME_VERSION};
use super::proto::runtime::image_service_server::ImageService;
use super::proto::runtime::runtime_service_server::RuntimeService;
use super::proto::runtime::{
    AuthConfig, Image, ImageSpec, ImageStatusRequest, ImageStatusResponse, ListImagesRequest, ListImagesResponse,
    PullImageRequest, PullImageResponse, RemoveImageRequest, RemoveImageResponse, VersionRequest, VersionResponse, v1,
};
use super::requests;
use super::source::NodeStore;
use crate::api::error_table::{node_pull_status, status};
use crate::domain::Reference;
use crate::engine::NodeImage;

/// The image service over a source.
pub struct EarlyImages<S> {
    source: S,
}

impl<S> EarlyImages<S> {
    /// The service over a source.
    pub fn new(source: S) -> Self {
        Self { source }
    }
}

#[tonic::async_trait]
impl<S: NodeStore> ImageService for EarlyImages<S> {
    async fn list_images(&self, request: Request<ListImagesRequest>) -> Result<Response<ListImagesResponse>, Status> {
        let wanted = request.into_inner().filter.map(|filter| name(filter.image));
        let images = requests::listed(&self.source, wanted.as_deref()).map_err(status)?;
        let images = images.iter().map(|image| image_message(image)).collect();
        let list = message::sendable(ListImagesResponse { images }, "use a filter, or StreamImages of runtime.v1");
        list.map(Response::new).map_err(status)
    }

    async fn image_status(
        &self,
        request: Request<ImageStatusRequest>,
    ) -> Result<Response<ImageStatusResponse>, Status> {
        let image = self.source.find(&name(request.into_inner().image)).map_err(status)?;
        Ok(Response::new(ImageStatusResponse { image: image.map(|image| image_message(&image)) }))
    }

    async fn pull_image(&self, request: Request<PullImageRequest>) -> Result<Response<PullImageResponse>, Status> {
        let request = request.into_inner();
        let auth = request.auth.map(today);
        requests::pull(&self.source, &name(request.image), auth).await.map_err(node_pull_status)?;
        Ok(Response::new(PullImageResponse {}))
    }

    async fn remove_image(
        &self,
        request: Request<RemoveImageRequest>,
    ) -> Result<Response<RemoveImageResponse>, Status> {
        self.source.remove(&name(request.into_inner().image)).await.map_err(status)?;
        Ok(Response::new(RemoveImageResponse {}))
    }
}

/// Who answers.
pub struct EarlyRuntime;

#[tonic::async_trait]
impl RuntimeService for EarlyRuntime {
    async fn version(&self, _: Request<VersionRequest>) -> Result<Response<VersionResponse>, Status> {
        Ok(Response::new(VersionResponse {
            version: Some(KUBELET_API_VERSION.to_owned()),
            runtime_name: Some(RUNTIME_NAME.to_owned()),
            runtime_version: Some(RUNTIME_VERSION.to_owned()),
            runtime_api_version: Some(KUBELET_API_VERSION.to_owned()),
        }))
    }
}

fn name(spec: Option<ImageSpec>) -> String {
    spec.and_then(|spec| spec.image).unwrap_or_default()
}

fn image_message(image: &NodeImage) -> Image {
    Image {
        id: Some(image.id.to_string()),
        repo_tags: message::tags(image),
        repo_digests: image.digests.iter().map(Reference::to_string).collect(),
        size: Some(image.size),
    }
}

/// The same credential as a message of today. Absent and empty mean the same.
fn today(auth: AuthConfig) -> v1::AuthConfig {
    v1::AuthConfig {
        username: auth.username.unwrap_or_default(),
        password: auth.password.unwrap_or_default(),
        auth: auth.auth.unwrap_or_default(),
        server_address: auth.server_address.unwrap_or_default(),
        identity_token: auth.identity_token.unwrap_or_default(),
        registry_token: auth.registry_token.unwrap_or_default(),
    }
}
