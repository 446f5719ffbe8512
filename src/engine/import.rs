//! Import: an image out of a root file system.
//!
//! The archive becomes the one layer of a new image as it arrives; nothing is visible before its end, and then all of it
//! is. An import that fails or is given up leaves nothing behind.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use tokio::sync::mpsc;
use tracing::Instrument;

use super::clock::moment;
use super::core::{Engine, Inner};
use super::operation::Operation;
use super::publish::{Candidate, Content, Evidence, Facts, Origin, Publication, RecordTerms, Report};
use super::stream::blocking_reader::blocking_reader;
use crate::archive::{self, Compression};
use crate::domain::descriptor::DescriptorJson;
use crate::domain::manifest::{ConfigSummary, Document};
use crate::domain::runtime_config::RuntimeConfig;
use crate::domain::{Descriptor, Digest, Error, MediaType, NameKey, Platform, Reference, Result, TagName};
use crate::store::blocking::wait;
use crate::store::{IngestRequest, Staged};

/// How many events wait for a slow client.
const EVENTS: usize = 16;

/// After how many bytes progress is told.
const STEP: u64 = 512 << 10;

/// What to make of a root file system.
#[derive(Clone, Debug, Default)]
pub struct ImportRequest {
    /// The image is kept under its digest where absent.
    pub name: Option<TagName>,
    /// The host's where absent.
    pub platform: Option<Platform>,
    /// What the image's history says; where it comes from if empty.
    pub message: String,
    /// What containers of the image run with.
    pub config: RuntimeConfig,
}

/// What happens in an import.
#[derive(Debug)]
pub enum ImportEvent {
    /// The archive is there to be fetched.
    From(String),
    /// Bytes that have arrived, of all where that is known.
    Progress { current: u64, total: Option<u64> },
    /// The image is here. Nothing follows.
    Done(Digest),
    /// The import failed. Nothing follows.
    Failed(Error),
}

impl Engine {
    /// Imports the root file system of an archive that arrives as a stream: plain, or compressed with gzip, zstd, xz or
    /// bzip2.
    ///
    /// Dropping the receiver gives the import up.
    pub fn import(
        &self,
        request: ImportRequest,
        archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> mpsc::Receiver<ImportEvent> {
        let (events, receiver) = mpsc::channel(EVENTS);
        self.run(Import::of(request, "-"), archive, events);
        receiver
    }

    /// The same for an archive that an http or https URL leads to. Without a scheme, it is http. No credential is sent
    /// along.
    pub fn import_url(&self, request: ImportRequest, url: String) -> mpsc::Receiver<ImportEvent> {
        let (events, receiver) = mpsc::channel(EVENTS);
        let engine = self.clone();
        let work = async move {
            let import = Import::of(request, &crate::registry::without_secrets(&url));
            let fetched = tokio::select! {
                () = events.closed() => return,
                fetched = engine.0.registries.download(&url) => fetched,
            };
            let download = match fetched {
                Ok(download) => download,
                Err(error) => {
                    // There is room: nothing was sent before.
                    let _ = events.try_send(ImportEvent::Failed(error));
                    return;
                }
            };
            let _ = events.send(ImportEvent::From(url)).await;
            let (told, total) = (events.clone(), download.size);
            let (mut current, mut next) = (0, 0);
            let archive = download.body.map(move |piece| {
                let piece = piece.map_err(io::Error::other)?;
                current += piece.len() as u64;
                if current >= next || Some(current) == total {
                    next = current + STEP;
                    // Who reads slowly is told less.
                    let _ = told.try_send(ImportEvent::Progress { current, total });
                }
                Ok(piece)
            });
            engine.run(import, archive, events);
        };
        tokio::spawn(work.in_current_span());
        receiver
    }

    fn run(
        &self,
        import: Import,
        archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        events: mpsc::Sender<ImportEvent>,
    ) {
        let reader = blocking_reader(archive, &events);
        let (engine, client) = (self.clone(), tracing::Span::current());
        tokio::task::spawn_blocking(move || {
            let _client = client.entered();
            // A decoder that panics must not look like an archive that has come to its end.
            let run = std::panic::AssertUnwindSafe(|| engine.0.import(import, reader));
            let result = std::panic::catch_unwind(run)
                .unwrap_or_else(|_| Err(Error::internal("the import failed", "a panic, which was logged")));
            let last = result.map_or_else(ImportEvent::Failed, ImportEvent::Done);
            let _ = events.blocking_send(last);
        });
    }
}

/// A request with its defaults filled in.
struct Import {
    name: Option<Reference>,
    platform: Platform,
    message: String,
    config: RuntimeConfig,
}

impl Import {
    fn of(request: ImportRequest, source: &str) -> Self {
        let ImportRequest { name, platform, message, config } = request;
        Self {
            name: name.map(TagName::into_reference),
            platform: platform.unwrap_or_else(Platform::host),
            message: if message.is_empty() { format!("Imported from {source}") } else { message },
            config,
        }
    }
}

/// The configuration of an imported image, in the order in which Docker writes it.
#[derive(Serialize)]
struct ConfigFile<'a> {
    created: &'a str,
    architecture: &'a str,
    os: &'a str,
    #[serde(rename = "os.version", skip_serializing_if = "Option::is_none")]
    os_version: Option<&'a str>,
    #[serde(rename = "os.features", skip_serializing_if = "<[String]>::is_empty")]
    os_features: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    rootfs: RootFs<'a>,
    history: [Step<'a>; 1],
    config: &'a RuntimeConfig,
}

#[derive(Serialize)]
struct RootFs<'a> {
    r#type: &'static str,
    diff_ids: [&'a Digest; 1],
}

#[derive(Serialize)]
struct Step<'a> {
    created: &'a str,
    comment: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ManifestFile<'a> {
    schema_version: u8,
    media_type: &'a str,
    config: DescriptorJson<'a>,
    layers: [DescriptorJson<'a>; 1],
}

impl Inner {
    fn import(&self, import: Import, archive: impl Read) -> Result<Digest> {
        let (operation, lease) = (Operation::start(), self.leases.acquire());
        let mut ingest = wait(self.stores.blobs.ingest(ingest_of(0)))?;
        let layer = archive::layer(archive, &mut |bytes| wait(ingest.write(bytes)))?;
        let blob = wait(ingest.finish())?;
        let media_type = match layer.compression {
            Compression::None => MediaType::OCI_LAYER,
            Compression::Gzip => MediaType::OCI_LAYER_GZIP,
            Compression::Zstd => MediaType::OCI_LAYER_ZSTD,
        };
        let layer_descriptor = Descriptor::new(media_type, blob.digest.clone(), blob.size);

        let created = moment(self.publisher.now()).to_string();
        let platform = &import.platform;
        let config = json(&ConfigFile {
            created: &created,
            architecture: &platform.architecture,
            os: &platform.os,
            os_version: platform.os_version.as_deref(),
            os_features: &platform.os_features,
            variant: platform.variant.as_deref(),
            rootfs: RootFs { r#type: "layers", diff_ids: [&layer.diff_id] },
            history: [Step { created: &created, comment: &import.message }],
            config: &import.config,
        })?;
        let summary = ConfigSummary::decode(&config)?;
        let config_blob = self.stage(&config)?;
        let config_descriptor = Descriptor::new(MediaType::OCI_CONFIG, config_blob.digest.clone(), config_blob.size);

        let manifest = json(&ManifestFile {
            schema_version: 2,
            media_type: MediaType::OCI_MANIFEST.as_str(),
            config: config_descriptor.json(),
            layers: [layer_descriptor.json()],
        })?;
        let document = Document::decode(&manifest, &MediaType::OCI_MANIFEST)?;
        let manifest_blob = self.stage(&manifest)?;
        let digest = manifest_blob.digest.clone();
        let target = Descriptor::new(MediaType::OCI_MANIFEST, digest.clone(), manifest_blob.size);

        let all = vec![blob, config_blob, manifest_blob];
        for blob in &all {
            lease.hold_in_advance(&blob.digest);
        }
        let document = (digest.clone(), Arc::new(document));
        let candidate = Candidate {
            name: import.name.as_ref().map_or_else(|| digest.clone().into(), NameKey::from),
            target,
            documents: [document.clone()].into(),
            evidence: Evidence::Complete(Vec::new()),
            facts: Facts::default(),
            origin: Origin::RootFilesystem,
        };
        let admitted = wait(self.publisher.admit(vec![candidate]))?;
        let blobs = wait(self.publisher.place(all))?;
        let placed = blobs.iter().map(|(digest, _)| digest.clone()).collect();
        let configs = vec![(config_descriptor.digest.clone(), Arc::new(summary))];
        let publication = Publication {
            content: Content { blobs, documents: vec![document], configs },
            pulled_from: None,
            needs: Vec::new(),
            report: Report::Import { image: digest.clone(), name: import.name.clone() },
            record: RecordTerms::default(),
        };
        if let Err(error) = wait(self.publisher.publish(admitted, publication)) {
            drop(lease);
            wait(self.publisher.discard(placed));
            return Err(error);
        }
        let name = import.name.as_ref().map_or_else(|| "<none>".to_owned(), Reference::familiar);
        operation.done("imported", name, &digest);
        Ok(digest)
    }

    fn stage(&self, bytes: &[u8]) -> Result<Staged> {
        let mut ingest = wait(self.stores.blobs.ingest(ingest_of(bytes.len() as u64)))?;
        wait(ingest.write(bytes))?;
        wait(ingest.finish())
    }
}

fn ingest_of(total: u64) -> IngestRequest {
    IngestRequest { reference: "import".to_owned(), total, ..IngestRequest::default() }
}

fn json(file: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(file).map_err(|cause| Error::internal("writing the image's documents", cause))
}
