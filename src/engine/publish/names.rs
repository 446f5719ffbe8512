//! Names: which one will point where, and what becomes of an image that loses its last one.

use std::collections::{HashMap, HashSet};

use super::admission::{Admitted, Allowed};
use super::candidate::Candidate;
use super::decision::{Content, Decision, Publication, View};
use super::report::Report;
use crate::domain::{Digest, NameKey, StringMap};
use crate::engine::catalog::State;
use crate::store::{Changes, NameRecord, Sources, Verdict};

/// Names that are set, or removed where the record is absent.
type NameChanges = Vec<(String, Option<NameRecord>)>;

/// What the names of admitted images change.
pub(super) fn decide(view: &View<'_>, admitted: &Admitted, publication: &Publication) -> Decision {
    let Publication { content, pulled_from, report, .. } = publication;
    let Content { blobs, documents, configs } = content.clone();
    let sources = match pulled_from {
        Some(repository) => admitted
            .images()
            .filter_map(|(image, _)| with_source(view.state, &image.target.digest, repository))
            .collect(),
        None => Vec::new(),
    };
    let names = name_changes(view.state, admitted, report, view.now);
    let changes = Changes { blobs, documents, configs, names, sources, ..Changes::default() };
    let depends_on =
        admitted.images().flat_map(|(image, _)| [image.name.to_string(), image.target.digest.to_string()]).collect();
    Decision { changes, depends_on, ..Decision::nothing(report.clone()) }
}

/// Where an image comes from once it was also pulled from a repository; `None` where that is recorded already.
fn with_source(state: &State, target: &Digest, repository: &str) -> Option<(Digest, Sources)> {
    let mut sources = state.sources(target).to_vec();
    if sources.iter().any(|known| known == repository) {
        return None;
    }
    sources.push(repository.to_owned());
    Some((target.clone(), sources))
}

/// The names that images get, and what becomes of those that pointed elsewhere: an image that loses its last name is kept
/// under its digest, and one that gets a name no longer needs that.
fn name_changes(state: &State, admitted: &Admitted, report: &Report, now: i64) -> NameChanges {
    let mut changes = NameChanges::new();
    let mut named: HashMap<NameKey, Digest> = HashMap::new();
    for (image, allowed) in admitted.images() {
        let digest = &image.target.digest;
        let key = &image.name;
        if key.is_unnamed() && !state.names_of(digest).is_empty() {
            continue;
        }
        let old = state.name(key.as_str());
        // A name that points there already stays as it is.
        if matches!(report, Report::Tag { .. }) && old.is_some_and(|old| old.target.digest == *digest) {
            continue;
        }
        let mut record = record(image, allowed, now);
        if let Some(old) = old {
            // What clients have noted beside the name is about the name.
            (record.created_at, record.labels) = (old.created_at, old.labels.clone());
        }
        changes.push((key.to_string(), Some(record)));
        named.insert(key.clone(), digest.clone());
    }
    let targets: HashSet<&Digest> = named.values().collect();
    let mut placeholders = Vec::new();
    for key in named.keys() {
        let Some(old) = state.name(key.as_str()) else { continue };
        let keeps_another = state.names_of(&old.target.digest).iter().any(|name| !named.contains_key(name.as_str()));
        let gets_another = targets.contains(&old.target.digest);
        if !keeps_another && !gets_another {
            let kept = NameRecord { updated_at: now, labels: StringMap::default(), ..old.as_ref().clone() };
            placeholders.push((old.target.digest.to_string(), Some(kept)));
        }
    }
    for (key, target) in &named {
        let placeholder = target.to_string();
        if !key.is_unnamed() && (state.name(&placeholder).is_some() || named.contains_key(placeholder.as_str())) {
            placeholders.push((placeholder, None));
        }
    }
    changes.extend(placeholders);
    changes
}

fn record(image: &Candidate, allowed: Option<&Allowed>, now: i64) -> NameRecord {
    let verdict = allowed.map(|Allowed { rule, reason }| {
        Box::new(Verdict { rule: rule.clone(), reason: reason.clone(), decided_at: now })
    });
    NameRecord { verdict, ..NameRecord::new(image.target.clone(), now) }
}
