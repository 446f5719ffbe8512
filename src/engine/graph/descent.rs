//! A walk down one image, in order.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::sync::Arc;

use super::limits::{LimitExceeded, MAX_DEPTH};
use crate::domain::manifest::Document;
use crate::domain::{Descriptor, Digest};

/// A document of the image with the descriptor that led to it, both owned or borrowed.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Node<R, D> {
    pub(in crate::engine) descriptor: R,
    pub(in crate::engine) document: D,
}

/// A document that is kept elsewhere, in the catalog for one.
pub(in crate::engine) type NodeRef<'a> = Node<&'a Descriptor, &'a Arc<Document>>;

/// A document that was read on the way.
pub(in crate::engine) type OwnedNode = Node<Arc<Descriptor>, Arc<Document>>;

/// One child of a document.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Child<R, D> {
    pub(in crate::engine) parent: Node<R, D>,
    /// Its position among the parent's children.
    at: usize,
}

/// What a walk comes to next.
pub(in crate::engine) enum Step<R, D> {
    /// A child of the document that was entered last. If it is a document too, it can be entered: then its own children
    /// come next.
    Child(Child<R, D>),
    /// The end of a document that was entered: all its children were seen.
    Left(Node<R, D>),
}

/// A walk down one image. The caller looks at each child and decides which documents to enter.
///
/// No document is entered twice and none below [`MAX_DEPTH`], so that every walk ends. Steps come before their children
/// as [`Step::Child`] and after them as [`Step::Left`].
pub(in crate::engine) struct Descent<R, D> {
    /// The documents that are open, the root first. As many as there may be, so that a walk allocates nothing.
    levels: [Option<Level<R, D>>; MAX_DEPTH + 1],
    open: usize,
    /// Documents below the root that were entered.
    entered: HashSet<Digest>,
}

struct Level<R, D> {
    node: Node<R, D>,
    /// The children to see, by position; all where absent.
    chosen: Option<Box<[usize]>>,
    /// How many of them were seen.
    seen: usize,
}

impl<R, D> Descent<R, D>
where
    R: Borrow<Descriptor> + Clone,
    D: AsRef<Document> + Clone,
{
    /// A walk that has not begun: the first document to be entered is its root.
    pub(in crate::engine) fn new() -> Self {
        Self { levels: [const { None }; MAX_DEPTH + 1], open: 0, entered: HashSet::new() }
    }

    /// Enters a document to see all its children in order. `false` where it was entered before, and then nothing changes.
    ///
    /// # Errors
    /// `Depth` where it stands too deep.
    pub(in crate::engine) fn enter(&mut self, node: Node<R, D>) -> Result<bool, LimitExceeded> {
        self.open(node, None)
    }

    /// The same with some of its children only, in an order of the caller's choice. Positions that no child has are
    /// passed over.
    pub(in crate::engine) fn enter_chosen(
        &mut self,
        node: Node<R, D>,
        mut chosen: Vec<usize>,
    ) -> Result<bool, LimitExceeded> {
        let count = node.document.as_ref().child_count();
        chosen.retain(|at| *at < count);
        self.open(node, Some(chosen.into()))
    }

    /// Whether a document below the root was entered.
    pub(in crate::engine) fn has_entered(&self, digest: &Digest) -> bool {
        self.entered.contains(digest)
    }

    /// The documents that are open: the root, then each one that was entered under the one before.
    pub(in crate::engine) fn path(&self) -> impl Iterator<Item = &Node<R, D>> {
        self.levels[..self.open].iter().flatten().map(|level| &level.node)
    }

    /// What comes next; `None` at the end.
    pub(in crate::engine) fn step(&mut self) -> Option<Step<R, D>> {
        let last = self.open.checked_sub(1)?;
        let level = self.levels[last].as_mut()?;
        match level.next() {
            Some(at) => Some(Step::Child(Child { parent: level.node.clone(), at })),
            None => {
                self.open = last;
                self.levels[last].take().map(|level| Step::Left(level.node))
            }
        }
    }

    fn open(&mut self, node: Node<R, D>, chosen: Option<Box<[usize]>>) -> Result<bool, LimitExceeded> {
        let level = self.levels.get_mut(self.open).ok_or(LimitExceeded::Depth)?;
        // No document can name the root: it would have to hold its own digest.
        if self.open > 0 && !self.entered.insert(node.descriptor.borrow().digest.clone()) {
            return Ok(false);
        }
        *level = Some(Level { node, chosen, seen: 0 });
        self.open += 1;
        Ok(true)
    }
}

impl<R, D: AsRef<Document>> Level<R, D> {
    fn next(&mut self) -> Option<usize> {
        let at = match &self.chosen {
            Some(chosen) => *chosen.get(self.seen)?,
            None => Some(self.seen).filter(|at| *at < self.node.document.as_ref().child_count())?,
        };
        self.seen += 1;
        Some(at)
    }
}

impl<R, D: AsRef<Document>> Child<R, D> {
    /// What the parent says of it.
    pub(in crate::engine) fn descriptor(&self) -> &Descriptor {
        child(self.parent.document.as_ref(), self.at)
    }

    /// Whether it is an index or manifest that an index names, by its type. What manifests name are blobs, whatever they
    /// call them.
    pub(in crate::engine) fn is_document(&self) -> bool {
        matches!(self.parent.document.as_ref(), Document::Index(_)) && self.descriptor().media_type.is_document()
    }
}

impl<'a> Child<&'a Descriptor, &'a Arc<Document>> {
    /// The document that names it, and its position there.
    pub(in crate::engine) fn place(self) -> (&'a Arc<Document>, usize) {
        (self.parent.document, self.at)
    }

    /// What the parent says of it, for as long as the parent is there.
    pub(in crate::engine) fn into_descriptor(self) -> &'a Descriptor {
        child(self.parent.document, self.at)
    }
}

/// The child at a position where a walk has found one.
fn child(document: &Document, at: usize) -> &Descriptor {
    match document {
        Document::Index(index) => &index.manifests[at],
        Document::Manifest(manifest) if at == 0 => &manifest.config,
        Document::Manifest(manifest) => &manifest.layers[at - 1],
    }
}

#[cfg(test)]
mod tests;
