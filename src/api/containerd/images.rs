//! `containerd.services.images.v1`: records of names.

use prost::Message as _;
use tonic::{Request, Response, Status};

use super::filter::Filter;
use super::proto::containerd::services::images::v1::images_server::Images;
use super::proto::containerd::services::images::v1::{
    CreateImageRequest, CreateImageResponse, DeleteImageRequest, GetImageRequest, GetImageResponse, ListImagesRequest,
    ListImagesResponse, UpdateImageRequest, UpdateImageResponse,
};
use crate::api::error_table::status;
use crate::api::grpc::{GRPC_PLUGIN, MAX_MESSAGE, Plugin};
use crate::domain::{Error, Kind, NameKey, Result};
use crate::engine::{Engine, ImageRecord, NewRecord, RecordUpdate};

mod message;
mod update;

/// What this service stands in for.
pub const PLUGINS: &[Plugin] = &[Plugin { kind: GRPC_PLUGIN, id: "images", requires: &[] }];

/// How many records a list looks at before other tasks get their turn.
const SLICE: usize = 256;

/// The image service.
pub struct ImageService {
    engine: Engine,
}

impl ImageService {
    /// The service over an engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }
}

#[tonic::async_trait]
impl Images for ImageService {
    async fn get(&self, request: Request<GetImageRequest>) -> Result<Response<GetImageResponse>, Status> {
        let record = self.engine.record(&request.into_inner().name).map_err(status)?;
        Ok(Response::new(GetImageResponse { image: Some(message::image(&record)) }))
    }

    async fn list(&self, request: Request<ListImagesRequest>) -> Result<Response<ListImagesResponse>, Status> {
        let filter = Filter::parse(&request.into_inner().filters).map_err(status)?;
        let records = self.engine.records();
        list(&records, &filter, MAX_MESSAGE).await.map(Response::new).map_err(status)
    }

    async fn create(&self, request: Request<CreateImageRequest>) -> Result<Response<CreateImageResponse>, Status> {
        let record =
            self.engine.create_record(read_new(request.into_inner()).map_err(status)?).await.map_err(status)?;
        Ok(Response::new(CreateImageResponse { image: Some(message::image(&record)) }))
    }

    async fn update(&self, request: Request<UpdateImageRequest>) -> Result<Response<UpdateImageResponse>, Status> {
        let UpdateImageRequest { image, update_mask, source_date_epoch } = request.into_inner();
        let image = message::required(image).map_err(status)?;
        let name = message::name(&image).map_err(status)?;
        // Whether there is such a record is said before whether the change makes sense.
        self.engine.record(name.as_str()).map_err(status)?;
        let edits = update::edits(image, update_mask).map_err(status)?;
        let at = message::moment(source_date_epoch).map_err(status)?;
        let record = self.engine.update_record(&name, RecordUpdate { edits, at }).await.map_err(status)?;
        Ok(Response::new(UpdateImageResponse { image: Some(message::image(&record)) }))
    }

    async fn delete(&self, request: Request<DeleteImageRequest>) -> Result<Response<()>, Status> {
        let DeleteImageRequest { name, target, sync: _ } = request.into_inner();
        let expected = target.filter(|target| !target.digest.is_empty());
        let expected = expected.map(|target| message::digest(&target.digest)).transpose().map_err(status)?;
        self.engine.delete_record(&NameKey::from_record(&name), expected.as_ref()).await.map_err(status)?;
        Ok(Response::new(()))
    }
}

/// The records that a filter accepts, if one message can hold them.
async fn list(records: &[ImageRecord], filter: &Filter, most: usize) -> Result<ListImagesResponse> {
    let mut images = Vec::new();
    let mut bytes = 0;
    for slice in records.chunks(SLICE) {
        for record in slice.iter().filter(|record| filter.matches(*record)) {
            let image = message::image(record);
            let length = image.encoded_len();
            bytes += 1 + prost::length_delimiter_len(length) + length;
            if bytes > most {
                let text = format!(
                    "the list has more than {most} bytes, which a message may have: narrow it down with filters"
                );
                return Err(Error::new(Kind::ResourceExhausted, text));
            }
            images.push(image);
        }
        tokio::task::yield_now().await;
    }
    Ok(ListImagesResponse { images })
}

fn read_new(request: CreateImageRequest) -> Result<NewRecord> {
    let image = message::required(request.image)?;
    let name = message::name(&image)?;
    let target = message::target(image.target)?;
    let at = message::moment(request.source_date_epoch)?;
    Ok(NewRecord { name, target, labels: image.labels.into_iter().collect(), at })
}
