//! What an update of an image changes.

use std::collections::BTreeMap;

use super::super::proto::containerd::services::images::v1::Image;
use super::message;
use crate::api::grpc::excerpt;
use crate::domain::{Error, Result};
use crate::engine::RecordEdit;

/// More paths than any client sends; each costs a copy of the labels.
const MAX_PATHS: usize = 1024;

/// The changes that a mask takes from an image; without a mask, it replaces everything.
pub(super) fn edits(image: Image, mask: Option<prost_types::FieldMask>) -> Result<Vec<RecordEdit>> {
    let paths = mask.map(|mask| mask.paths).unwrap_or_default();
    if paths.is_empty() {
        let labels = RecordEdit::Labels(image.labels.into_iter().collect());
        return Ok(vec![RecordEdit::Target(message::target(image.target)?), labels]);
    }
    if paths.len() > MAX_PATHS {
        return Err(Error::invalid(format!("update_mask has more than {MAX_PATHS} paths")));
    }
    paths.iter().map(|path| edit(&image, path)).collect()
}

fn edit(image: &Image, path: &str) -> Result<RecordEdit> {
    let value = |map: Option<&BTreeMap<String, String>>, key: &str| {
        let value = map.and_then(|map| map.get(key)).cloned().unwrap_or_default();
        (key.to_owned(), value)
    };
    let annotations = image.target.as_ref().map(|target| &target.annotations);
    match path.split_once('.') {
        Some(("labels", key)) => {
            let (key, value) = value(Some(&image.labels), key);
            return Ok(RecordEdit::Label { key, value });
        }
        Some(("annotations", key)) => {
            let (key, value) = value(annotations, key);
            return Ok(RecordEdit::Annotation { key, value });
        }
        _ => {}
    }
    match path {
        "labels" => Ok(RecordEdit::Labels(image.labels.clone().into_iter().collect())),
        "annotations" => Ok(RecordEdit::Annotations(annotations.cloned().unwrap_or_default().into_iter().collect())),
        "target" => message::target(image.target.clone()).map(RecordEdit::Target),
        _ => {
            Err(Error::invalid(format!("cannot update {:?} field on image {:?}", excerpt(path), excerpt(&image.name))))
        }
    }
}
