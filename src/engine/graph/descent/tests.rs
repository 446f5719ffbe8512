use super::*;
use crate::domain::manifest::{Index, Manifest};
use crate::domain::{MediaType, StringMap};

fn named(media_type: MediaType, content: &str) -> Descriptor {
    Descriptor::new(media_type, Digest::of(content.as_bytes()), 1)
}

fn index(name: &str, children: &[Descriptor]) -> OwnedNode {
    let index =
        Index { manifests: children.into(), subject: None, annotations: StringMap::default(), artifact_type: None };
    Node { descriptor: named(MediaType::OCI_INDEX, name).into(), document: Document::Index(index).into() }
}

fn manifest(name: &str, layers: &[&str]) -> OwnedNode {
    let manifest = Manifest {
        config: named(MediaType::OCI_CONFIG, "config"),
        layers: layers.iter().map(|layer| named(MediaType::OCI_LAYER, layer)).collect(),
        subject: None,
        annotations: StringMap::default(),
        artifact_type: None,
    };
    Node { descriptor: named(MediaType::OCI_MANIFEST, name).into(), document: Document::Manifest(manifest).into() }
}

fn descriptors(nodes: &[&OwnedNode]) -> Vec<Descriptor> {
    nodes.iter().map(|node| Descriptor::clone(&node.descriptor)).collect()
}

/// Walks from the last of some documents and enters all that it meets; gives what it saw, by the names in `known`.
fn walk(known: &[(&str, &OwnedNode)]) -> Vec<String> {
    let node = |digest: &Digest| known.iter().find(|(_, node)| node.descriptor.digest == *digest);
    let shown = |digest: &Digest| node(digest).map_or_else(|| "blob".to_owned(), |(name, _)| (*name).to_owned());
    let mut descent = Descent::new();
    descent.enter(known.last().unwrap().1.clone()).unwrap();
    let mut seen = Vec::new();
    while let Some(step) = descent.step() {
        match step {
            Step::Child(child) => {
                let digest = child.descriptor().digest.clone();
                seen.push(shown(&digest));
                if let Some((_, node)) = node(&digest).filter(|_| child.is_document()) {
                    let _ = descent.enter(OwnedNode::clone(node));
                }
            }
            Step::Left(node) => seen.push(format!("/{}", shown(&node.descriptor.digest))),
        }
    }
    seen
}

#[test]
fn children_come_in_order_and_their_document_ends_after_them() {
    let (amd64, arm64) = (manifest("amd64", &["a", "b"]), manifest("arm64", &[]));
    let top = index("top", &descriptors(&[&amd64, &arm64]));
    let seen = walk(&[("amd64", &amd64), ("arm64", &arm64), ("top", &top)]);
    assert_eq!(seen, ["amd64", "blob", "blob", "blob", "/amd64", "arm64", "blob", "/arm64", "/top"]);
}

#[test]
fn a_document_that_many_name_is_entered_once() {
    let image = manifest("image", &[]);
    let mut levels = vec![image];
    for level in 0..MAX_DEPTH {
        let below = descriptors(&[&levels[level]; 10]);
        levels.push(index(&format!("level {level}"), &below));
    }
    let names: Vec<String> = (0..levels.len()).map(|level| level.to_string()).collect();
    let known: Vec<(&str, &OwnedNode)> = names.iter().map(String::as_str).zip(&levels).collect();
    let seen = walk(&known);
    // Ten entries of each index, the manifest's configuration, and the end of each document.
    assert_eq!(seen.len(), 10 * MAX_DEPTH + 1 + levels.len());
}

#[test]
fn what_is_nested_too_deep_cannot_be_entered() {
    let mut descent = Descent::new();
    for level in 0..=MAX_DEPTH {
        assert_eq!(descent.enter(index(&level.to_string(), &[])), Ok(true));
    }
    let deep = index("deep", &[]);
    assert_eq!(descent.enter(deep.clone()), Err(LimitExceeded::Depth));
    // It stands elsewhere too, not so deep.
    assert!(matches!(descent.step(), Some(Step::Left(_))));
    assert!(!descent.has_entered(&deep.descriptor.digest));
    assert_eq!(descent.enter(deep), Ok(true));
    assert_eq!(descent.path().count(), MAX_DEPTH + 1);
}

#[test]
fn the_caller_chooses_children_and_their_order() {
    let blobs: Vec<Descriptor> = ["a", "b", "c"].map(|name| named(MediaType::OCI_MANIFEST, name)).into();
    let mut descent = Descent::new();
    descent.enter_chosen(index("top", &blobs), vec![2, 9, 0]).unwrap();
    let mut seen = Vec::new();
    while let Some(Step::Child(child)) = descent.step() {
        seen.push(child.descriptor().clone());
    }
    assert_eq!(seen, [blobs[2].clone(), blobs[0].clone()]);
}
