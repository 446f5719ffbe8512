//! Records of names, as facades see them.

use std::sync::Arc;

use jiff::Timestamp;

use super::state::State;
use crate::domain::{Descriptor, NameKey, StringMap};
use crate::engine::clock::moment;
use crate::store::NameRecord;

/// An image's name and what stands beside it, at one moment. Clones share what they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRecord {
    name: NameKey,
    record: Arc<NameRecord>,
}

impl ImageRecord {
    /// The name; the digest for an image without one.
    pub fn name(&self) -> &NameKey {
        &self.name
    }

    /// What the name points at.
    pub fn target(&self) -> &Descriptor {
        &self.record.target
    }

    /// What clients have noted beside the name.
    pub fn labels(&self) -> &StringMap {
        &self.record.labels
    }

    /// When there first was a record of the name.
    pub fn created_at(&self) -> Timestamp {
        moment(self.record.created_at)
    }

    /// When the record was last set.
    pub fn updated_at(&self) -> Timestamp {
        moment(self.record.updated_at)
    }

    /// What the store keeps.
    pub(in crate::engine) fn stored(&self) -> &NameRecord {
        &self.record
    }
}

impl State {
    /// The record of a name, which is given as the text of its key; `None` where there is none.
    pub(in crate::engine) fn record(&self, name: &str) -> Option<ImageRecord> {
        let (name, record) = self.names.get_key_value(name)?;
        Some(ImageRecord { name: name.clone(), record: record.clone() })
    }

    /// Every record, in the order of names.
    pub(super) fn records(&self) -> Arc<[ImageRecord]> {
        self.names.iter().map(|(name, record)| ImageRecord { name: name.clone(), record: record.clone() }).collect()
    }
}
