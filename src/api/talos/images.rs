//! The image service: unwraps a call, asks the engine, wraps the answer. Codes and texts are Talos' where it has some.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Instant;

use futures_util::stream::{self, Stream, StreamExt};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::import::{Broken, archive};
use super::proto::machine::image_service_import_request::Request as ImportPart;
use super::proto::machine::image_service_server::ImageService as Api;
use super::proto::machine::{
    ImageServiceImportRequest, ImageServiceImportResponse, ImageServiceListRequest, ImageServiceListResponse,
    ImageServicePullRequest, ImageServicePullResponse, ImageServiceRemoveRequest, ImageServiceVerifyRequest,
    ImageServiceVerifyResponse,
};
use super::pull::{Progress, done};
use super::{instance, verify};
use crate::api::error_table::status;
use crate::api::grpc::excerpt;
use crate::domain;
use crate::domain::image::{ManifestKind, ManifestSummary};
use crate::domain::platform::Matcher;
use crate::domain::{Digest, Error, ImageName, Kind, NameKey, Reference};
use crate::engine::{
    Credential, Engine, ImageRecord, ListQuery, ListedImage, LoadEvent, LoadOptions, PullEvent, PullRequest,
};

/// The image service over an engine.
pub struct ImageService {
    engine: Engine,
}

type MessageStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl ImageService {
    /// The service over an engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// How many bytes the host needs of each image that is here, by its digest; images that it cannot run are left out.
    fn sizes(&self) -> domain::Result<HashMap<Digest, u64>> {
        let (images, host) = (self.engine.list(&ListQuery::default())?, Matcher::host());
        let size = |image: &ListedImage| {
            let image = image.summary();
            Some((image.target.digest.clone(), for_host(image.manifests, &host)?.content_size))
        };
        Ok(images.rows.iter().filter_map(size).collect())
    }

    /// Whether all is here that the host needs of the image with a name. Talos asks no registry then.
    async fn is_complete(&self, name: &Reference) -> domain::Result<bool> {
        if self.engine.record(NameKey::from(name).as_str()).is_err() {
            return Ok(false);
        }
        match self.engine.inspect(&ImageName::from(name.clone()), None).await {
            Ok(image) => Ok(for_host(&image.manifests, &Matcher::host()).is_some()),
            // Removed a moment ago.
            Err(error) if error.kind() == Kind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[tonic::async_trait]
impl Api for ImageService {
    type ListStream = MessageStream<ImageServiceListResponse>;
    type PullStream = MessageStream<ImageServicePullResponse>;

    async fn list(&self, request: Request<ImageServiceListRequest>) -> Result<Response<Self::ListStream>, Status> {
        note_role(request.metadata());
        instance::check(request.get_ref().containerd.as_ref()).map_err(status)?;
        let (records, sizes) = (self.engine.records(), self.sizes().map_err(status)?);
        // Written when the client takes them: one that is slow holds up nobody.
        let rows = (0..records.len()).map(move |at| Ok(row(&records[at], &sizes)));
        Ok(Response::new(Box::pin(stream::iter(rows))))
    }

    async fn pull(&self, request: Request<ImageServicePullRequest>) -> Result<Response<Self::PullStream>, Status> {
        note_role(request.metadata());
        let request = request.into_inner();
        instance::check(request.containerd.as_ref()).map_err(status)?;
        let invalid = |error: Error| {
            status(error.context(format!("failed to parse image reference {:?}", excerpt(&request.image_ref))))
        };
        let reference = parse(&request.image_ref).map_err(invalid)?;
        let name = reference.to_string();
        if self.is_complete(&reference).await.map_err(status)? {
            return Ok(Response::new(Box::pin(stream::iter([Ok(done(name))]))));
        }
        let pull = PullRequest { reference, platform: None, credential: Credential::default() };
        let events = ReceiverStream::new(self.engine.pull(pull));
        let messages = events.scan(Progress::default(), move |progress, event| {
            std::future::ready(Some(stream::iter(messages(event, &name, progress))))
        });
        Ok(Response::new(Box::pin(messages.flatten())))
    }

    async fn import(
        &self,
        request: Request<Streaming<ImageServiceImportRequest>>,
    ) -> Result<Response<ImageServiceImportResponse>, Status> {
        note_role(request.metadata());
        let mut messages = request.into_inner();
        match messages.message().await?.and_then(|message| message.request) {
            Some(ImportPart::Containerd(instance)) => instance::check(Some(&instance)).map_err(status)?,
            _ => return Err(status(Error::invalid("containerd instance is required"))),
        }
        let broken = Broken::default();
        let mut events = self.engine.load(LoadOptions::default(), archive(messages, broken.clone()));
        let first = events.recv().await;
        match first {
            Some(LoadEvent::Named(name)) => Ok(Response::new(ImageServiceImportResponse { name: in_full(name) })),
            Some(LoadEvent::Untagged(digest)) => {
                Ok(Response::new(ImageServiceImportResponse { name: digest.to_string() }))
            }
            Some(LoadEvent::Failed(error)) => {
                Err(broken.status().unwrap_or_else(|| status(error.context("failed to import image"))))
            }
            None => Err(status(Error::invalid("no images imported from archive"))),
        }
    }

    async fn remove(&self, request: Request<ImageServiceRemoveRequest>) -> Result<Response<()>, Status> {
        note_role(request.metadata());
        let request = request.into_inner();
        instance::check(request.containerd.as_ref()).map_err(status)?;
        let name = NameKey::new(&request.image_ref).map_err(status)?;
        match self.engine.delete_record(&name, None).await {
            Ok(()) => Ok(Response::new(())),
            Err(error) if error.kind() == Kind::NotFound => {
                Err(status(Error::not_found(format!("image {} not found", name.shown())).with_cause(error)))
            }
            Err(error) => Err(status(error.context(format!("failed to remove image {}", name.shown())))),
        }
    }

    async fn verify(
        &self,
        request: Request<ImageServiceVerifyRequest>,
    ) -> Result<Response<ImageServiceVerifyResponse>, Status> {
        note_role(request.metadata());
        let invalid = |error: Error| status(error.context("image reference is invalid"));
        let name = parse(&request.get_ref().image_ref).map_err(invalid)?;
        verify::answer(self.engine.rules().as_deref(), &name).map(Response::new).map_err(status)
    }
}

/// What one event of a pull is told as.
fn messages(event: PullEvent, name: &str, progress: &mut Progress) -> Vec<Result<ImageServicePullResponse, Status>> {
    match event {
        PullEvent::Blob { digest, state } => progress.of(&digest, state, Instant::now()).into_iter().map(Ok).collect(),
        PullEvent::Done { .. } => vec![Ok(done(name.to_owned()))],
        PullEvent::Failed(error) => vec![Err(status(error.context("error pulling image")))],
        PullEvent::From { .. } | PullEvent::Digest(_) => Vec::new(),
    }
}

/// What is told of an image under one name.
fn row(record: &ImageRecord, sizes: &HashMap<Digest, u64>) -> ImageServiceListResponse {
    let (created, size) = (record.created_at(), sizes.get(&record.target().digest));
    ImageServiceListResponse {
        name: record.name().to_string(),
        digest: record.target().digest.to_string(),
        size: size.map_or(0, |size| i64::try_from(*size).unwrap_or(i64::MAX)),
        created_at: Some(prost_types::Timestamp { seconds: created.as_second(), nanos: created.subsec_nanosecond() }),
        labels: record.labels().iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}

/// Which part of Talos calls, for the log. Nothing is decided by it: who may use the socket may call everything.
fn note_role(metadata: &MetadataMap) {
    for role in metadata.get_all("talos-role") {
        let role = String::from_utf8_lossy(role.as_encoded_bytes());
        tracing::debug!(role = excerpt(&role), "a client of Talos");
    }
}

/// The manifest of an image that the host would run, if all of it is here.
fn for_host<'a>(manifests: &'a [ManifestSummary], host: &Matcher) -> Option<&'a ManifestSummary> {
    let images = manifests.iter().filter(|manifest| manifest.kind == ManifestKind::Image && manifest.available);
    let ranked = images.filter_map(|manifest| Some((host.rank(&manifest.platform())?, manifest)));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, manifest)| manifest)
}

/// A reference in the spelling that is judged and pulled, with the tag `latest` where it has neither tag nor digest.
///
/// # Errors
/// `InvalidArgument` where it is none.
fn parse(text: &str) -> domain::Result<Reference> {
    Reference::parse(text)?.with_default_tag().canonical()
}

/// The name of a loaded image, as records have it.
fn in_full(familiar: String) -> String {
    Reference::parse(&familiar).map_or(familiar, |name| name.to_string())
}
