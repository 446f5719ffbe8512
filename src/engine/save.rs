//! Save: images as an archive.
//!
//! What goes into the archive is decided first, from memory, and held by a lease; every failure that can be foreseen comes
//! before the first byte. Then blobs are read one after the other, piece by piece as they are taken.

mod choice;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value, json};

use super::catalog::State;
use super::catalog::resolve::resolve;
use super::core::{Engine, Inner};
use super::leases::Lease;
use super::publish::Report;
use super::stream::pieces::{self, BufferPool};
use crate::archive::{self, DockerView, Member, Piece};
use crate::domain::manifest::{Document, MAX_MANIFEST};
use crate::domain::{
    Descriptor, Digest, Error, ImageName, Kind, MediaType, Platform, Reference, Result, StringMap, attestation,
};
use crate::store::BlobStore;
use crate::store::blocking::wait;
use choice::{Chosen, Content, Part};

/// Names the index that a trimmed one was made of.
const TRIMMED: &str = "dev.loadline.trimmed-from";

const IMAGE_NAME: &str = "io.containerd.image.name";
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// What to save.
#[derive(Clone, Debug, Default)]
pub struct SaveOptions {
    /// Names or IDs. A name without a tag stands for every image of its repository; by an ID, an image is saved without
    /// its names.
    pub names: Vec<String>,
    /// Save only these platforms, with the attestations about them; everything that is here where empty.
    pub platforms: Vec<Platform>,
}

/// An archive whose content is decided. What it holds is not collected before it is dropped.
pub struct Saved {
    /// Bytes of the whole archive.
    pub size: u64,
    members: Vec<Member>,
    blobs: Arc<dyn BlobStore>,
    buffers: Arc<BufferPool>,
    lease: Lease,
}

impl Engine {
    /// Decides what an archive of images holds: an OCI layout that is also a docker-archive.
    ///
    /// An image all of which is here is saved as it is; of another, the index is trimmed to what is here. Referrers that
    /// are here come along.
    ///
    /// # Errors
    /// `InvalidArgument` where no name is given or one is malformed; `NotFound` where there is no such image, it lacks a
    /// platform, or nothing of it is here as a whole; `Unavailable` where it was removed meanwhile.
    pub async fn save(&self, options: SaveOptions) -> Result<Saved> {
        self.blocking(move |inner| inner.save(&options)).await
    }
}

impl Saved {
    /// The archive's bytes. Dropping the stream ends the reading.
    pub fn stream(self) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        let Self { members, blobs, buffers, lease, .. } = self;
        // The lease lives as long as the stream.
        let reading = Arc::new((blobs, buffers, lease));
        stream::iter(archive::pieces(members)).flat_map(move |piece| match piece {
            Piece::Bytes(bytes) => stream::once(std::future::ready(Ok(bytes))).left_stream(),
            Piece::Blob(digest, size) => {
                let read = read(reading.clone(), digest.clone(), size);
                stream::once(read).try_flatten().map_err(move |error: Error| error.context(&digest)).right_stream()
            }
        })
    }
}

/// Opens a blob, for as many bytes as it must have.
async fn read(
    reading: Arc<(Arc<dyn BlobStore>, Arc<BufferPool>, Lease)>,
    digest: Digest,
    size: u64,
) -> Result<impl Stream<Item = Result<Bytes>>> {
    let (blobs, buffers) = (reading.0.clone(), reading.1.clone());
    let reader = match blobs.open_ready(&digest) {
        Some(reader) => reader,
        None => blobs.open(&digest).await?,
    };
    Ok(pieces::pieces(reader, 0..size, usize::MAX, buffers, reading))
}

/// An image that was asked for.
struct Wanted {
    /// What its name points at.
    target: Descriptor,
    /// The name it is saved under.
    name: Option<Reference>,
    /// What to call it in messages.
    shown: String,
}

impl Inner {
    fn save(&self, options: &SaveOptions) -> Result<Saved> {
        if options.names.is_empty() {
            return Err(Error::invalid("no image to save is named"));
        }
        let lease = self.leases.acquire();
        // Between this look and the lease nothing can go: collections change the catalog, which waits for this guard.
        let (wanted, chosen, content) = {
            let state = self.catalog.state();
            let mut wanted = Vec::new();
            for name in &options.names {
                wanted.extend(find(&state, name)?);
            }
            let mut content = Content::default();
            let mut chosen = Vec::new();
            for image in &wanted {
                chosen.push(Chosen::of(&state, &image.target, &options.platforms, &image.shown)?);
            }
            for image in &chosen {
                content.add(&state, image);
            }
            content.add_referrers(&state);
            for digest in content.read() {
                if !lease.hold(digest) {
                    let text = format!("content {digest} was removed during the save: try again");
                    return Err(Error::new(Kind::Unavailable, text));
                }
            }
            (wanted, chosen, content)
        };
        wait(self.leases.flush())?;
        let members = self.members(&wanted, chosen, &content)?;
        for image in &wanted {
            self.publisher.report(Report::Save(image.target.digest.clone()));
        }
        Ok(Saved {
            size: archive::total(&members),
            members,
            blobs: self.stores.blobs.clone(),
            buffers: self.buffers.clone(),
            lease,
        })
    }

    fn members(&self, wanted: &[Wanted], chosen: Vec<Chosen>, content: &Content) -> Result<Vec<Member>> {
        let mut made = BTreeMap::new();
        let mut listed: Vec<Descriptor> = Vec::new();
        let mut views: Vec<(Digest, DockerView)> = Vec::new();
        for (image, chosen) in wanted.iter().zip(chosen) {
            let target = self.trim(&chosen.target, &chosen.part, &mut made)?;
            let target = named(target, image.name.as_ref());
            if let Some(view) = chosen.view {
                add_view(&mut views, view, image.name.as_ref());
            }
            if !listed.contains(&target) {
                listed.push(target);
            }
        }
        // A name says more than none.
        let has_name = |entry: &Descriptor| entry.annotations.get(IMAGE_NAME).is_some();
        let of_named: HashSet<Digest> =
            listed.iter().filter(|entry| has_name(entry)).map(|entry| entry.digest.clone()).collect();
        listed.retain(|entry| has_name(entry) || !of_named.contains(&entry.digest));
        for (digest, size) in &content.referrers {
            listed.push(self.referrer(digest, *size)?);
        }
        let broken = |e: serde_json::Error| Error::internal("writing the archive failed", e);
        let mut members = vec![archive::layout_file(), archive::index_file(&listed).map_err(broken)?];
        if !views.is_empty() {
            let views: Vec<DockerView> = views.into_iter().map(|(_, view)| view).collect();
            members.push(archive::docker_file(&views).map_err(broken)?);
        }
        let mut blobs: BTreeMap<Digest, Member> = BTreeMap::new();
        for (digest, size) in &content.blobs {
            // Better found now than in the middle of the archive.
            if wait(self.stores.blobs.open(digest))?.size() != *size {
                return Err(Error::new(Kind::DataLoss, format!("content {digest} has another size than recorded")));
            }
            blobs.insert(digest.clone(), Member::Blob(digest.clone(), *size));
        }
        for (digest, bytes) in made {
            blobs.insert(digest.clone(), Member::File(archive::blob_path(&digest), bytes));
        }
        let directories: std::collections::BTreeSet<String> =
            blobs.keys().map(|digest| format!("blobs/{}/", digest.algorithm().name())).collect();
        members.push(Member::Directory("blobs/".to_owned()));
        members.extend(directories.into_iter().map(Member::Directory));
        members.extend(blobs.into_values());
        Ok(members)
    }

    /// The descriptor of what is saved of an index or manifest; indexes that are made for it are added to `made`.
    fn trim(&self, descriptor: &Descriptor, part: &Part, made: &mut BTreeMap<Digest, Bytes>) -> Result<Descriptor> {
        let Part::Trimmed(kept) = part else { return Ok(descriptor.clone()) };
        let bytes = self.read_whole(&descriptor.digest, MAX_MANIFEST)?;
        let broken = || Error::new(Kind::DataLoss, format!("content {} is no index", descriptor.digest));
        let mut index: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|e| broken().with_cause(e))?;
        let Some(Value::Array(mut all)) = index.remove("manifests") else { return Err(broken()) };
        let mut entries = Vec::with_capacity(kept.len());
        for (at, child, part) in kept.iter() {
            let Some(Value::Object(mut entry)) = all.get_mut(*at).map(Value::take) else { return Err(broken()) };
            let child = self.trim(child, part, made)?;
            entry.insert("digest".to_owned(), json!(child.digest.to_string()));
            entry.insert("size".to_owned(), json!(child.size));
            entries.push(Value::Object(entry));
        }
        index.insert("manifests".to_owned(), Value::Array(entries));
        let mut annotations = match index.remove("annotations") {
            Some(Value::Object(annotations)) => annotations,
            _ => Map::new(),
        };
        // What was trimmed before keeps the name of the first.
        annotations.entry(TRIMMED).or_insert_with(|| json!(descriptor.digest.to_string()));
        index.insert("annotations".to_owned(), Value::Object(annotations));
        let bytes = Bytes::from(Value::Object(index).to_string());
        let digest = Digest::of(&bytes);
        let trimmed = Descriptor { digest: digest.clone(), size: bytes.len() as u64, ..descriptor.clone() };
        made.insert(digest, bytes);
        Ok(trimmed)
    }

    /// The entry of a referrer: the same each time, whatever index it once stood in.
    fn referrer(&self, digest: &Digest, size: u64) -> Result<Descriptor> {
        let bytes = self.read_whole(digest, MAX_MANIFEST)?;
        let document: Value = serde_json::from_slice(&bytes)
            .map_err(|e| Error::new(Kind::DataLoss, format!("content {digest} is no JSON")).with_cause(e))?;
        let media_type = match document["mediaType"].as_str() {
            Some(media_type) if !media_type.is_empty() => MediaType::new(media_type),
            _ if document["manifests"].is_array() => MediaType::OCI_INDEX,
            _ => MediaType::OCI_MANIFEST,
        };
        let mut descriptor = Descriptor::new(media_type, digest.clone(), size);
        if let Some(artifact_type) = document["artifactType"].as_str().filter(|text| !text.is_empty()) {
            descriptor.rare = Some(Box::new(crate::domain::descriptor::Rare {
                artifact_type: Some(artifact_type.into()),
                ..Default::default()
            }));
        }
        let state = self.catalog.state();
        let subject = state.document(digest).and_then(|known| known.subject()).map(|subject| &subject.digest);
        // Only we know what it is about.
        if let Some(subject) = subject.filter(|_| document["subject"].is_null()) {
            descriptor.annotations = attestation::archive_annotations(subject).into_iter().collect();
        }
        Ok(descriptor)
    }
}

/// The images that a text stands for, as Docker reads it.
fn find(state: &State, text: &str) -> Result<Vec<Wanted>> {
    let found = resolve(state, &ImageName::parse(text)?);
    let by_id = found.as_ref().is_ok_and(|found| found.by_name.is_none());
    if let Ok(reference) = Reference::parse(text)
        && !by_id
        && reference.tag().is_none()
        && reference.digest().is_none()
    {
        let of_repository: Vec<Wanted> = state
            .names()
            .filter_map(|(key, record)| Some((key.reference()?, record)))
            .filter(|(name, _)| name.same_repository(&reference))
            .map(|(name, record)| Wanted {
                target: record.target.clone(),
                shown: name.familiar(),
                name: Some(name.clone()),
            })
            .collect();
        if !of_repository.is_empty() {
            return Ok(of_repository);
        }
    }
    let found = found?;
    // Who asks for a digest gets the content alone.
    let name = found.by_name.filter(|name| name.digest().is_none());
    let shown = name.as_ref().map_or_else(|| text.to_owned(), Reference::familiar);
    Ok(vec![Wanted { target: found.record.target.clone(), name, shown }])
}

/// A descriptor with the annotations of its name, or without any name.
fn named(target: Descriptor, name: Option<&Reference>) -> Descriptor {
    let name = name.filter(|name| name.digest().is_none_or(|digest| *digest == target.digest));
    let mut annotations: HashMap<String, String> = target
        .annotations
        .iter()
        .filter(|(key, _)| !matches!(*key, IMAGE_NAME | REF_NAME))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    if let Some(name) = name {
        let tag = name.tag().map_or_else(|| target.digest.to_string(), str::to_owned);
        annotations.extend(archive::name_annotations(&name.to_string(), &tag));
    }
    Descriptor { annotations: annotations.into_iter().collect::<StringMap>(), ..target }
}

/// Adds a name to the view of an image, which stands once in the list.
fn add_view(
    views: &mut Vec<(Digest, DockerView)>,
    (digest, document): (Digest, Arc<Document>),
    name: Option<&Reference>,
) {
    let Document::Manifest(manifest) = document.as_ref() else { return };
    let at = views.iter().position(|(known, _)| *known == digest).unwrap_or_else(|| {
        let view = DockerView {
            config: archive::blob_path(&manifest.config.digest),
            repo_tags: None,
            layers: manifest.layers.iter().map(|layer| archive::blob_path(&layer.digest)).collect(),
        };
        views.push((digest, view));
        views.len() - 1
    });
    if let Some(name) = name.filter(|name| name.tag().is_some() && name.digest().is_none()) {
        let tags = views[at].1.repo_tags.get_or_insert_default();
        let name = name.familiar();
        if !tags.contains(&name) {
            tags.push(name);
        }
    }
}
