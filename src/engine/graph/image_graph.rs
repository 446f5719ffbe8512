//! What descriptors come to: which images, made of which blobs, parsed to what.

use std::collections::HashSet;

use crate::domain::attestation;
use crate::domain::manifest::{ConfigSummary, Document, MAX_CONFIG, MAX_MANIFEST};
use crate::domain::platform::Matcher;
use crate::domain::{Descriptor, Digest, Error, MediaType, Platform, Reference, Result};
use crate::engine::catalog::State;

/// How deep indexes may be nested.
const MAX_DEPTH: usize = 8;

/// Blobs by digest, wherever they are.
pub(in crate::engine) trait Source {
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

/// Everything that will be kept of what an archive or a registry gave.
#[derive(Default)]
pub(in crate::engine) struct Plan {
    pub(in crate::engine) images: Vec<Image>,
    pub(in crate::engine) documents: Vec<(Digest, Document)>,
    pub(in crate::engine) configs: Vec<(Digest, ConfigSummary)>,
    /// Every blob under an image or a referrer that is here.
    pub(in crate::engine) reached: HashSet<Digest>,
    /// Those of them that are evidence beside the images. Its subject may go before it comes.
    pub(in crate::engine) evidence: Vec<Digest>,
    /// Evidence that stands beside the images: its subject, and what it is made of.
    referrers: Vec<(Digest, Plan)>,
    /// Documents that were read, each with the type it was read as: one that is named again and again is read once.
    read: HashSet<(Digest, MediaType)>,
}

impl Plan {
    /// Adds one descriptor of an archive's index: an image, or evidence about one.
    ///
    /// # Errors
    /// `InvalidArgument` where the descriptor's blob is not in the archive, a document is malformed, or a blob's size is
    /// not what a descriptor says; `NotFound` where a platform was asked for that the image lacks.
    pub(in crate::engine) fn add(
        &mut self,
        source: &impl Source,
        target: Descriptor,
        platforms: &[Platform],
    ) -> Result<()> {
        let digest = target.digest.clone();
        if !(target.media_type.is_index() || target.media_type.is_manifest()) {
            let text = format!("archive's index names {digest}, which is no image but {:?}", target.media_type);
            return Err(Error::invalid(text));
        }
        if source.size(&digest).is_none() {
            return Err(Error::invalid(format!("archive's index names {digest}, which is not in the archive")));
        }
        let document = decode(source, &target)?;
        if let Some(subject) = document.subject() {
            let mut evidence = Plan::default();
            let subject = subject.digest.clone();
            evidence.descend(source, &target, document, &[], 0)?;
            self.referrers.push((subject, evidence));
            return Ok(());
        }
        self.descend(source, &target, document, platforms, 0)?;
        let name = name_of(&target);
        self.images.push(Image { target, name });
        Ok(())
    }

    /// Takes in the evidence whose subject is kept, or is here already. The rest is about nothing and stays out.
    pub(in crate::engine) fn settle(&mut self, state: &State) {
        let mut waiting = std::mem::take(&mut self.referrers);
        loop {
            let kept = |subject: &Digest| self.reached.contains(subject) || state.blob(subject).is_some();
            let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(subject, _)| kept(subject));
            if ready.is_empty() {
                for (subject, _) in rest {
                    tracing::info!(subject.digest = %subject, "leaving out evidence about an image that is not here");
                }
                return;
            }
            for (_, evidence) in ready {
                self.documents.extend(evidence.documents);
                self.configs.extend(evidence.configs);
                self.evidence.extend(evidence.reached.iter().cloned());
                self.reached.extend(evidence.reached);
            }
            waiting = rest;
        }
    }

    fn descend(
        &mut self,
        source: &impl Source,
        descriptor: &Descriptor,
        document: Document,
        platforms: &[Platform],
        depth: usize,
    ) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(Error::invalid(format!("indexes are nested more than {MAX_DEPTH} deep")));
        }
        source.hold(&descriptor.digest)?;
        let first_time = self.reached.insert(descriptor.digest.clone());
        if !first_time && platforms.is_empty() {
            return Ok(());
        }
        match &document {
            Document::Index(index) => {
                let wanted = wanted(source, &index.manifests, platforms)?;
                for child in index.manifests.iter().zip(wanted).filter_map(|(child, wanted)| wanted.then_some(child)) {
                    // A platform that the archive lacks makes the image incomplete, not the archive wrong.
                    if !self.here(source, child)? {
                        continue;
                    }
                    if child.media_type.is_index() || child.media_type.is_manifest() {
                        if !self.read.insert((child.digest.clone(), child.media_type.clone())) {
                            continue;
                        }
                        let document = decode(source, child)?;
                        self.descend(source, child, document, &[], depth + 1)?;
                    } else {
                        self.reach(source, child)?;
                    }
                }
            }
            Document::Manifest(manifest) => {
                for child in document.children() {
                    if self.here(source, child)? {
                        self.reach(source, child)?;
                    }
                }
                let config = &manifest.config;
                if manifest.is_image() && config.media_type.is_config() && source.size(&config.digest).is_some() {
                    // A configuration that cannot be read costs the image its details, not its place in the list.
                    match source.read(&config.digest, MAX_CONFIG).and_then(|bytes| ConfigSummary::decode(&bytes)) {
                        Ok(summary) => self.configs.push((config.digest.clone(), summary)),
                        Err(error) => {
                            tracing::info!(content.digest = %config.digest, error = error.chain(), "skipping a configuration")
                        }
                    }
                }
            }
        }
        if first_time {
            self.documents.push((descriptor.digest.clone(), document));
        }
        Ok(())
    }

    /// Whether a blob is here, and if so of the size that its descriptor says.
    fn here(&self, source: &impl Source, descriptor: &Descriptor) -> Result<bool> {
        match source.size(&descriptor.digest) {
            Some(size) if size != descriptor.size => Err(Error::invalid(format!(
                "content {} has {size} bytes, its descriptor says {}",
                descriptor.digest, descriptor.size
            ))),
            size => Ok(size.is_some()),
        }
    }

    fn reach(&mut self, source: &impl Source, descriptor: &Descriptor) -> Result<()> {
        source.hold(&descriptor.digest)?;
        self.reached.insert(descriptor.digest.clone());
        Ok(())
    }
}

fn decode(source: &impl Source, descriptor: &Descriptor) -> Result<Document> {
    let bytes = source.read(&descriptor.digest, MAX_MANIFEST)?;
    if bytes.len() as u64 != descriptor.size {
        return Err(Error::invalid(format!(
            "content {} has {} bytes, its descriptor says {}",
            descriptor.digest,
            bytes.len(),
            descriptor.size
        )));
    }
    Document::decode(&bytes, &descriptor.media_type).map_err(|e| e.context(&descriptor.digest))
}

/// Which children of an index to take: all, or the platforms asked for with the attestations about them.
fn wanted(source: &impl Source, children: &[Descriptor], platforms: &[Platform]) -> Result<Vec<bool>> {
    if platforms.is_empty() {
        return Ok(vec![true; children.len()]);
    }
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
    let mut wanted: Vec<bool> =
        children.iter().map(|child| platforms.iter().any(|platform| fits(child, platform))).collect();
    let kept: HashSet<&Digest> =
        children.iter().zip(&wanted).filter(|(_, wanted)| **wanted).map(|(child, _)| &child.digest).collect();
    for (child, wanted) in children.iter().zip(&mut wanted) {
        *wanted |= attestation::subject(child).is_some_and(|subject| kept.contains(&subject));
    }
    Ok(wanted)
}

/// The name that an archive gives an image: containerd's annotation, or else the specification's.
fn name_of(target: &Descriptor) -> Option<Reference> {
    let given = ["io.containerd.image.name", "org.opencontainers.image.ref.name"]
        .into_iter()
        .find_map(|key| target.annotations.get(key).filter(|name| !name.is_empty()))?;
    // A name that is none, such as `<none>:<none>`, counts as absent: the image is kept under its digest.
    Reference::parse(given).ok().map(Reference::with_default_tag)
}
