//! Which images a node has.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::pinned::Pinned;
use crate::domain::{Detail, Digest, Error, ImageName, Reference, Result, StringMap};
use crate::engine::catalog::resolve::find_named;
use crate::engine::catalog::{ListEntry, Snapshot, State};

/// How many bytes of annotations an image may have. One with more is shown without, so that what strangers write into a
/// manifest does not fill lists.
const MAX_ANNOTATIONS: usize = 16 << 10;

/// One image of a node. All of its content for the host's platform is here.
#[derive(Clone, Debug)]
pub struct NodeImage {
    /// The digest of the configuration for the host's platform.
    pub id: Digest,
    /// The names that Docker's clients know, sorted.
    pub names: Vec<Reference>,
    /// Each repository that has the image with the digest that its name points at, sorted.
    pub digests: Vec<Reference>,
    /// Bytes of the platform's content as it is stored.
    pub size: u64,
    /// The user that containers run as, in the form `user:group`; empty where the image names none.
    pub user: Box<str>,
    /// The annotations of the platform's manifest; empty where they are too many.
    pub annotations: StringMap,
    /// Whether it is kept from collections of unused images.
    pub pinned: bool,
    /// What its names point at, each once.
    pub targets: Vec<Digest>,
}

/// The images of one generation, newest first.
#[derive(Clone)]
pub(in crate::engine) struct NodeImages(pub(super) Arc<[Arc<NodeImage>]>);

/// The images of the newest generation that was asked for.
#[derive(Default)]
pub(in crate::engine) struct NodeCache(Mutex<Option<(u64, NodeImages)>>);

impl NodeCache {
    /// The images of a state, gathered anew only after a change.
    pub(super) fn get(&self, state: &State, snapshot: impl FnOnce() -> Arc<Snapshot>, pinned: &Pinned) -> NodeImages {
        let mut kept = self.0.lock();
        if let Some((_, images)) = kept.as_ref().filter(|(generation, _)| *generation == state.generation()) {
            return images.clone();
        }
        let images = NodeImages::new(state, &snapshot(), pinned);
        *kept = Some((state.generation(), images.clone()));
        images
    }
}

impl NodeImages {
    /// The images of a snapshot, which is one of the state.
    fn new(state: &State, snapshot: &Snapshot, pinned: &Pinned) -> Self {
        let mut images: Vec<NodeImage> = Vec::with_capacity(snapshot.entries.len());
        let mut known: HashMap<Digest, usize> = HashMap::with_capacity(snapshot.entries.len());
        for entry in &snapshot.entries {
            let Some(image) = NodeImage::new(state, entry, pinned) else { continue };
            match known.get(&image.id) {
                Some(at) => images[*at].join(image),
                None => {
                    known.insert(image.id.clone(), images.len());
                    images.push(image);
                }
            }
        }
        Self(images.into_iter().map(Arc::new).collect())
    }

    /// Finds an image by a name, by the digest that a name of a repository points at, by its ID, or by a unique beginning
    /// of that; `None` where there is no such image. A text that can be no name is that of no image.
    ///
    /// # Errors
    /// `InvalidArgument` where the text is blank, or the beginning of several IDs.
    pub(super) fn find(&self, state: &State, text: &str) -> Result<Option<&Arc<NodeImage>>> {
        if text.trim().is_empty() {
            return Err(Error::invalid("image name cannot be blank"));
        }
        let Ok(name) = ImageName::parse(text) else { return Ok(None) };
        if let Some(reference) = name.reference() {
            // With a digest, the tag says nothing.
            let record = match reference.digest() {
                Some(digest) => find_named(state, &reference.trimmed().with_digest(digest.clone())),
                None => find_named(state, reference),
            };
            if let Some(record) = record {
                return Ok(self.0.iter().find(|image| image.targets.contains(&record.target.digest)));
            }
        }
        let mut fitting = self.0.iter().filter(|image| name.is_prefix_of(&image.id));
        match (fitting.next(), fitting.next()) {
            (Some(_), Some(_)) => Err(Error::invalid(Detail::AmbiguousId { prefix: text.to_owned() })),
            (found, _) => Ok(found),
        }
    }
}

impl NodeImage {
    /// What the host runs of an image; `None` where nothing of it is for the host, or not all is here.
    fn new(state: &State, entry: &ListEntry, pinned: &Pinned) -> Option<Self> {
        let branch = entry.tree.runnable()?;
        let (manifest, config) = (branch.manifest()?, branch.config.as_ref()?);
        let target = &entry.target.digest;
        let mut digests: Vec<Reference> =
            entry.names.iter().map(|name| name.trimmed().with_digest(target.clone())).collect();
        digests.dedup();
        let size =
            |annotations: &StringMap| annotations.iter().map(|(key, text)| key.len() + text.len()).sum::<usize>();
        Some(Self {
            id: manifest.config.digest.clone(),
            names: entry.names.clone(),
            digests,
            size: branch.content_size,
            user: config.user.clone().unwrap_or_default(),
            annotations: match size(&manifest.annotations) <= MAX_ANNOTATIONS {
                true => manifest.annotations.clone(),
                false => StringMap::default(),
            },
            pinned: pinned.holds(state, target),
            targets: vec![target.clone()],
        })
    }

    /// Takes in further names of the image.
    fn join(&mut self, other: Self) {
        self.names.extend(other.names);
        self.names.sort();
        self.digests.extend(other.digests);
        self.digests.sort();
        self.pinned |= other.pinned;
        self.targets.extend(other.targets);
    }
}
