//! `runtime.v1.ImageService`: images for kubelet, as containerd answers it.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::{self, Stream};
use tonic::{Request, Response, Status};

use super::proto::runtime::v1::image_service_server::ImageService;
use super::proto::runtime::v1::{
    FilesystemIdentifier, FilesystemUsage, ImageFilter, ImageFsInfoRequest, ImageFsInfoResponse, ImageSpec,
    ImageStatusRequest, ImageStatusResponse, ListImagesRequest, ListImagesResponse, PullImageRequest,
    PullImageResponse, RemoveImageRequest, RemoveImageResponse, StreamImagesRequest, StreamImagesResponse, UInt64Value,
};
use super::source::NodeStore;
use super::{message, requests};
use crate::api::error_table::{node_pull_status, status};
use crate::engine::NodeImage;

/// The image service over a source.
pub struct Images<S> {
    source: S,
}

impl<S> Images<S> {
    /// The service over a source.
    pub fn new(source: S) -> Self {
        Self { source }
    }
}

#[tonic::async_trait]
impl<S: NodeStore> ImageService for Images<S> {
    type StreamImagesStream = Pin<Box<dyn Stream<Item = Result<StreamImagesResponse, Status>> + Send>>;

    async fn list_images(&self, request: Request<ListImagesRequest>) -> Result<Response<ListImagesResponse>, Status> {
        let images = self.listed(request.into_inner().filter)?;
        let images = images.iter().map(|image| message::image(image)).collect();
        let list = message::sendable(ListImagesResponse { images }, "use StreamImages, or a filter");
        list.map(Response::new).map_err(status)
    }

    async fn stream_images(
        &self,
        request: Request<StreamImagesRequest>,
    ) -> Result<Response<Self::StreamImagesStream>, Status> {
        let images = self.listed(request.into_inner().filter)?;
        // An image's message is made when its batch is sent, so a slow reader holds one batch.
        let each = (0..images.len()).map(move |at| message::image(&images[at]));
        let messages = message::batches(each).map(|images| Ok(StreamImagesResponse { images }));
        Ok(Response::new(Box::pin(stream::iter(messages))))
    }

    async fn image_status(
        &self,
        request: Request<ImageStatusRequest>,
    ) -> Result<Response<ImageStatusResponse>, Status> {
        let request = request.into_inner();
        let Some(image) = self.source.find(&name(request.image)).map_err(status)? else {
            return Ok(Response::new(ImageStatusResponse::default()));
        };
        let info = match request.verbose {
            true => self.source.config(&image).await.and_then(message::verbose_info).map_err(status)?,
            false => Default::default(),
        };
        Ok(Response::new(ImageStatusResponse { image: Some(message::image(&image)), info }))
    }

    async fn pull_image(&self, request: Request<PullImageRequest>) -> Result<Response<PullImageResponse>, Status> {
        let request = request.into_inner();
        let id = requests::pull(&self.source, &name(request.image), request.auth).await.map_err(node_pull_status)?;
        Ok(Response::new(PullImageResponse { image_ref: id.to_string() }))
    }

    async fn remove_image(
        &self,
        request: Request<RemoveImageRequest>,
    ) -> Result<Response<RemoveImageResponse>, Status> {
        self.source.remove(&name(request.into_inner().image)).await.map_err(status)?;
        Ok(Response::new(RemoveImageResponse {}))
    }

    async fn image_fs_info(&self, _: Request<ImageFsInfoRequest>) -> Result<Response<ImageFsInfoResponse>, Status> {
        let usage = self.source.usage().await.map_err(status)?;
        let images = FilesystemUsage {
            timestamp: i64::try_from(self.source.now().as_nanosecond()).unwrap_or_default(),
            fs_id: Some(FilesystemIdentifier { mountpoint: self.source.data_root().to_string_lossy().into_owned() }),
            used_bytes: Some(UInt64Value { value: usage.bytes }),
            inodes_used: Some(UInt64Value { value: usage.files }),
        };
        Ok(Response::new(ImageFsInfoResponse { image_filesystems: vec![images], container_filesystems: Vec::new() }))
    }
}

impl<S: NodeStore> Images<S> {
    fn listed(&self, filter: Option<ImageFilter>) -> Result<Arc<[Arc<NodeImage>]>, Status> {
        let wanted = filter.map(|filter| name(filter.image));
        requests::listed(&self.source, wanted.as_deref()).map_err(status)
    }
}

/// What a client calls an image; empty where it says nothing.
fn name(spec: Option<ImageSpec>) -> String {
    spec.map(|spec| spec.image).unwrap_or_default()
}
