//! What descriptors come to: which images, made of which blobs, parsed to what.

use std::collections::HashSet;
use std::sync::Arc;

use super::descent::{Descent, Node, OwnedNode, Step};
use crate::domain::attestation;
use crate::domain::descriptor::clip;
use crate::domain::manifest::{ConfigSummary, Document, MAX_CONFIG, MAX_MANIFEST};
use crate::domain::platform::Matcher;
use crate::domain::{Descriptor, Digest, Error, MediaType, NameKey, Platform, Reference, Result, TagName};

/// Blobs by digest, wherever they are.
pub(in crate::engine) trait BlobSource {
    /// The size of a blob; `None` where it is not here.
    fn size(&self, digest: &Digest) -> Option<u64>;

    /// A small blob that is here.
    fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>>;

    /// Holds a blob that is here against collection.
    fn hold(&self, digest: &Digest) -> Result<()>;
}

/// An image to keep.
#[derive(Debug)]
pub(in crate::engine) struct Image {
    pub(in crate::engine) target: Descriptor,
    /// Absent where the archive gives no name, or none that is one.
    pub(in crate::engine) name: Option<Reference>,
}

impl Image {
    /// What the image is kept under.
    pub(in crate::engine) fn key(&self) -> NameKey {
        self.name.as_ref().map_or_else(|| self.target.digest.clone().into(), NameKey::from)
    }
}

/// Everything that will be kept of what an archive or a registry gave.
#[derive(Default)]
pub(in crate::engine) struct ImageGraph {
    pub(in crate::engine) images: Vec<Image>,
    pub(in crate::engine) documents: Vec<(Digest, Arc<Document>)>,
    pub(in crate::engine) configs: Vec<(Digest, Arc<ConfigSummary>)>,
    /// Every blob under an image or a referrer that is here.
    pub(in crate::engine) blobs: HashSet<Digest>,
    /// Those of them that are evidence beside the images. Its subject may go before it comes.
    pub(in crate::engine) evidence: Vec<Digest>,
    /// Evidence that stands beside the images: its subject, and what it is made of.
    referrers: Vec<(Digest, ImageGraph)>,
    /// Documents that were read, each with the type it was read as: one that is named again and again is read once.
    read: HashSet<(Digest, MediaType)>,
}

impl ImageGraph {
    /// Adds one descriptor of an archive's index: an image, or evidence about one.
    ///
    /// # Errors
    /// `InvalidArgument` where the descriptor's blob is not in the archive, a document is malformed, or a blob's size is
    /// not what a descriptor says; `NotFound` where a platform was asked for that the image lacks.
    pub(in crate::engine) fn add(
        &mut self,
        source: &impl BlobSource,
        target: Descriptor,
        platforms: &[Platform],
    ) -> Result<()> {
        let name = name_of(&target);
        self.add_as(source, target, name, platforms)
    }

    /// The same with the name that it is asked for by, if by any.
    ///
    /// # Errors
    /// As [`ImageGraph::add`].
    pub(in crate::engine) fn add_as(
        &mut self,
        source: &impl BlobSource,
        target: Descriptor,
        name: Option<Reference>,
        platforms: &[Platform],
    ) -> Result<()> {
        let digest = target.digest.clone();
        if !target.media_type.is_document() {
            return Err(Error::invalid(match target.media_type.as_str() {
                "" => format!("archive's index names {digest} without a media type"),
                other => format!("archive's index names {digest}, which is no image but {:?}", clip(other)),
            }));
        }
        if source.size(&digest).is_none() {
            return Err(Error::invalid(format!("archive's index names {digest}, which is not in the archive")));
        }
        let node = read(source, &target)?;
        // A name makes an image of it: somebody runs it under that name.
        if let Some(subject) = node.document.subject().filter(|_| name.is_none()) {
            let mut evidence = ImageGraph::default();
            let subject = subject.digest.clone();
            evidence.descend(source, node, &[])?;
            self.referrers.push((subject, evidence));
            return Ok(());
        }
        // The rest is about an entry of an index; what a name points at is not one.
        let annotations = target.annotations.iter().filter(|(_, value)| !value.is_empty());
        let target = Descriptor {
            annotations: annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            platform: None,
            rare: None,
            ..target
        };
        self.descend(source, node, platforms)?;
        self.images.push(Image { target, name });
        Ok(())
    }

    /// Adds evidence that does not itself say what it is about.
    ///
    /// # Errors
    /// As [`ImageGraph::add`].
    pub(in crate::engine) fn add_evidence(
        &mut self,
        source: &impl BlobSource,
        descriptor: &Descriptor,
        subject: &Digest,
    ) -> Result<()> {
        if source.size(&descriptor.digest).is_none() {
            let text = format!("archive's index names {}, which is not in the archive", descriptor.digest);
            return Err(Error::invalid(text));
        }
        let Node { descriptor, document } = read(source, descriptor)?;
        let document = attestation::with_subject(&document, subject).map_or(document, Arc::new);
        let Some(subject) = document.subject().map(|subject| subject.digest.clone()) else {
            tracing::info!(content.digest = %descriptor.digest, "leaving out what is called a signature and is none");
            return Ok(());
        };
        let mut evidence = ImageGraph::default();
        evidence.descend(source, Node { descriptor, document }, &[])?;
        self.referrers.push((subject, evidence));
        Ok(())
    }

    /// Takes in the evidence whose subject is part of this, or is stored already. The rest is about nothing and stays out.
    pub(in crate::engine) fn resolve_referrers(&mut self, is_stored: impl Fn(&Digest) -> bool) {
        let mut waiting = std::mem::take(&mut self.referrers);
        loop {
            let kept = |subject: &Digest| self.blobs.contains(subject) || is_stored(subject);
            let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(subject, _)| kept(subject));
            if ready.is_empty() {
                for (subject, _) in rest {
                    tracing::info!(subject.digest = %subject, "leaving out a referrer: its subject is not stored");
                }
                return;
            }
            for (_, evidence) in ready {
                self.documents.extend(evidence.documents);
                self.configs.extend(evidence.configs);
                self.evidence.extend(evidence.blobs.iter().cloned());
                self.blobs.extend(evidence.blobs);
            }
            waiting = rest;
        }
    }

    /// Takes in a document and everything under it, of an index only what these platforms need.
    fn descend(&mut self, source: &impl BlobSource, root: OwnedNode, platforms: &[Platform]) -> Result<()> {
        let mut descent = Descent::new();
        let is_new = self.enter(&mut descent, source, root, platforms)?;
        while let Some(step) = descent.step() {
            match step {
                Step::Child(child) => {
                    let descriptor = child.descriptor();
                    // A platform that the archive lacks makes the image incomplete, not the archive wrong.
                    if !is_present(source, descriptor)? {
                        continue;
                    }
                    if !child.is_document() {
                        self.add_blob(source, descriptor)?;
                    } else if self.read.insert((descriptor.digest.clone(), descriptor.media_type.clone())) {
                        self.enter(&mut descent, source, read(source, descriptor)?, &[])?;
                    }
                }
                Step::Left(node) => {
                    self.add_config(source, &node.document);
                    let is_root = descent.path().next().is_none();
                    if is_new || !is_root {
                        self.documents.push((node.descriptor.digest.clone(), node.document));
                    }
                }
            }
        }
        Ok(())
    }

    /// Enters a document unless it was taken in before. Other platforms of one may still be wanted. Returns whether it is
    /// new.
    fn enter(
        &mut self,
        descent: &mut Descent<Arc<Descriptor>, Arc<Document>>,
        source: &impl BlobSource,
        node: OwnedNode,
        platforms: &[Platform],
    ) -> Result<bool> {
        source.hold(&node.descriptor.digest)?;
        let is_new = self.blobs.insert(node.descriptor.digest.clone());
        match node.document.as_ref() {
            Document::Index(index) if !platforms.is_empty() => {
                let chosen = wanted(source, &index.manifests, platforms)?;
                descent.enter_chosen(node, chosen)?;
            }
            _ if is_new || !platforms.is_empty() => drop(descent.enter(node)?),
            _ => {}
        }
        Ok(is_new)
    }

    fn add_blob(&mut self, source: &impl BlobSource, descriptor: &Descriptor) -> Result<()> {
        source.hold(&descriptor.digest)?;
        self.blobs.insert(descriptor.digest.clone());
        Ok(())
    }

    /// Reads the configuration of an image's manifest. One that cannot be read costs the image its details, not its place
    /// in the list.
    fn add_config(&mut self, source: &impl BlobSource, document: &Document) {
        let Document::Manifest(manifest) = document else { return };
        let config = &manifest.config;
        if !manifest.is_image() || !config.media_type.may_be_config() || source.size(&config.digest).is_none() {
            return;
        }
        match source.read(&config.digest, MAX_CONFIG).and_then(|bytes| ConfigSummary::decode(&bytes)) {
            Ok(summary) => self.configs.push((config.digest.clone(), Arc::new(summary))),
            Err(error) => {
                tracing::info!(content.digest = %config.digest, error = error.chain(), "could not read an image's configuration; listing the image without it")
            }
        }
    }
}

/// Whether a blob is there, and if so of the size that its descriptor says.
fn is_present(source: &impl BlobSource, descriptor: &Descriptor) -> Result<bool> {
    match source.size(&descriptor.digest) {
        Some(size) if size != descriptor.size => Err(Error::invalid(format!(
            "content {} has {size} bytes, its descriptor says {}",
            descriptor.digest, descriptor.size
        ))),
        size => Ok(size.is_some()),
    }
}

/// Reads the document that a descriptor points at.
fn read(source: &impl BlobSource, descriptor: &Descriptor) -> Result<OwnedNode> {
    let bytes = source.read(&descriptor.digest, MAX_MANIFEST)?;
    if bytes.len() as u64 != descriptor.size {
        return Err(Error::invalid(format!(
            "content {} has {} bytes, its descriptor says {}",
            descriptor.digest,
            bytes.len(),
            descriptor.size
        )));
    }
    let document = Document::decode(&bytes, &descriptor.media_type).map_err(|e| e.context(&descriptor.digest))?;
    Ok(Node { descriptor: Arc::new(descriptor.clone()), document: Arc::new(document) })
}

/// The positions of the children of an index that the platforms need: theirs, and the attestations about them.
fn wanted(source: &impl BlobSource, children: &[Descriptor], platforms: &[Platform]) -> Result<Vec<usize>> {
    let fits = |child: &Descriptor, platform: &Platform| {
        let named = child.platform.as_deref();
        !attestation::is_marked(child)
            && named.is_some_and(|named| Matcher::strict(platform).matches(named))
            && source.size(&child.digest).is_some()
    };
    for platform in platforms {
        if !children.iter().any(|child| fits(child, platform)) {
            return Err(Error::not_found(format!("archive has no image for the platform {platform}")));
        }
    }
    let is_wanted = |child: &Descriptor| platforms.iter().any(|platform| fits(child, platform));
    let kept: HashSet<&Digest> = children.iter().filter(|child| is_wanted(child)).map(|child| &child.digest).collect();
    let is_about = |child: &Descriptor| attestation::subject(child).is_some_and(|subject| kept.contains(&subject));
    let positions = children.iter().enumerate().filter(|(_, child)| is_wanted(child) || is_about(child));
    Ok(positions.map(|(at, _)| at).collect())
}

/// The name that an archive gives an image: containerd's annotation, or else the specification's.
fn name_of(target: &Descriptor) -> Option<Reference> {
    let given = ["io.containerd.image.name", "org.opencontainers.image.ref.name"]
        .into_iter()
        .find_map(|key| target.annotations.get(key).filter(|name| !name.is_empty()))?;
    // A name that is none, such as `<none>:<none>`, counts as absent: the image is kept under its digest. So does one
    // that can be taken for another digest than the image has.
    let name = Reference::parse(given).ok()?.with_default_tag();
    match name.digest() {
        Some(digest) => (*digest == target.digest).then_some(name),
        None => TagName::new(name).ok().map(TagName::into_reference),
    }
}
