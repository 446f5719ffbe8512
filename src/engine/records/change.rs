//! What clients want a record to be.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::{Descriptor, Error, NameKey, Result, StringMap};
use crate::store::NameRecord;

/// The most bytes of one label: key and value together, as containerd has it.
const MAX_LABEL: usize = 4096;

/// The most bytes of all labels and annotations of a record. Containerd has no such limit; here they stay in memory.
const MAX_NOTES: usize = 256 << 10;

/// How much of a label's key an error shows.
const SHOWN_KEY: usize = 64;

/// A record that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    pub name: NameKey,
    /// What the name is to point at, which must be here. Annotations without a value are left out.
    pub target: Descriptor,
    /// At most 4,096 bytes each. Labels without a value are left out.
    pub labels: StringMap,
    /// What counts as the time of creation; now where absent.
    pub at: Option<Timestamp>,
}

/// How a record is to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordUpdate {
    /// Made one after the other.
    pub edits: Vec<RecordEdit>,
    /// What counts as the time of the update; now where absent.
    pub at: Option<Timestamp>,
}

/// One change of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordEdit {
    /// Points elsewhere. What the descriptor of the same content said of its platform stays.
    Target(Descriptor),
    /// Replaces all labels.
    Labels(StringMap),
    /// Sets one label, or removes it where the value is empty.
    Label { key: String, value: String },
    /// Replaces all annotations of the target's descriptor.
    Annotations(StringMap),
    /// Sets one annotation of the target's descriptor, or removes it where the value is empty.
    Annotation { key: String, value: String },
}

impl NewRecord {
    /// The record as it will be kept.
    ///
    /// # Errors
    /// `InvalidArgument` where labels or annotations are too long.
    pub(super) fn checked(mut self) -> Result<Self> {
        self.labels = with_values(self.labels);
        self.target.annotations = with_values(self.target.annotations);
        check(&self.labels, &self.target.annotations)?;
        Ok(self)
    }
}

impl RecordUpdate {
    /// The target and the labels that a record will have.
    ///
    /// # Errors
    /// `InvalidArgument` where labels or annotations are too long.
    pub(super) fn apply(&self, old: &NameRecord) -> Result<(Descriptor, StringMap)> {
        let (mut target, mut labels) = (old.target.clone(), old.labels.clone());
        for edit in &self.edits {
            match edit {
                RecordEdit::Target(new) if new.digest == target.digest => {
                    let Descriptor { platform, rare, .. } = target;
                    target = Descriptor { platform, rare, ..new.clone() };
                }
                RecordEdit::Target(new) => target = new.clone(),
                RecordEdit::Labels(new) => labels = new.clone(),
                RecordEdit::Label { key, value } => labels = with(&labels, key, value),
                RecordEdit::Annotations(new) => target.annotations = new.clone(),
                RecordEdit::Annotation { key, value } => target.annotations = with(&target.annotations, key, value),
            }
        }
        labels = with_values(labels);
        target.annotations = with_values(target.annotations);
        check(&labels, &target.annotations)?;
        Ok((target, labels))
    }
}

fn with(map: &StringMap, key: &str, value: &str) -> StringMap {
    let mut entries: BTreeMap<&str, &str> = map.iter().collect();
    entries.insert(key, value);
    entries.into_iter().collect()
}

/// Without the entries that have no value.
fn with_values(map: StringMap) -> StringMap {
    if map.iter().all(|(_, value)| !value.is_empty()) {
        return map;
    }
    map.iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn check(labels: &StringMap, annotations: &StringMap) -> Result<()> {
    for (key, value) in labels.iter() {
        let length = key.len() + value.len();
        if length > MAX_LABEL {
            let key = key.char_indices().nth(SHOWN_KEY).map_or(key, |(end, _)| &key[..end]);
            return Err(Error::invalid(format!(
                "image.Labels: label key and value length ({length} bytes) greater than maximum size ({MAX_LABEL} bytes), \
                 key: {key}"
            )));
        }
    }
    let length: usize = labels.iter().chain(annotations.iter()).map(|(key, value)| key.len() + value.len()).sum();
    if length > MAX_NOTES {
        let text = format!("labels and annotations have {length} bytes together, and may have {MAX_NOTES}");
        return Err(Error::invalid(text));
    }
    Ok(())
}
