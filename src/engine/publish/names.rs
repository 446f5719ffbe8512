//! Names: which one points where, and what becomes of an image that loses its last one.

use std::collections::{HashMap, HashSet};

use crate::domain::Digest;
use crate::engine::catalog::{State, is_dangling};
use crate::engine::graph::image_graph::Image;
use crate::store::NameRecord;

/// Names that are set, or removed where the record is absent.
pub(in crate::engine) type NameChanges = Vec<(String, Option<NameRecord>)>;

/// The names that images get, and what becomes of those that pointed elsewhere: an image that loses its last name is kept
/// under its digest, and one that gets a name no longer needs that.
pub(in crate::engine) fn name_changes(state: &State, images: &[Image], now: i64) -> NameChanges {
    let mut changes = NameChanges::new();
    let mut named: HashMap<String, Digest> = HashMap::new();
    for image in images {
        let digest = &image.target.digest;
        let key = image.name.as_ref().map_or_else(|| digest.to_string(), ToString::to_string);
        if image.name.is_none() && !state.names_of(digest).is_empty() {
            continue;
        }
        let old = state.name(&key);
        let created_at = old.filter(|old| old.target.digest == *digest).map_or(now, |old| old.created_at);
        changes.push((key.clone(), Some(NameRecord { target: image.target.clone(), created_at, updated_at: now })));
        named.insert(key, digest.clone());
    }
    let targets: HashSet<&Digest> = named.values().collect();
    let mut settled = Vec::new();
    for key in named.keys() {
        let Some(old) = state.name(key) else { continue };
        let keeps_another = state.names_of(&old.target.digest).iter().any(|name| !named.contains_key(*name));
        let gets_another = targets.contains(&old.target.digest);
        if !keeps_another && !gets_another {
            settled.push((old.target.digest.to_string(), Some(NameRecord { updated_at: now, ..old.as_ref().clone() })));
        }
    }
    for (key, target) in &named {
        let placeholder = target.to_string();
        if !is_dangling(key) && (state.name(&placeholder).is_some() || named.contains_key(&placeholder)) {
            settled.push((placeholder, None));
        }
    }
    changes.extend(settled);
    changes
}
