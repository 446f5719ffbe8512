//! Names: which one will point where, and what becomes of an image that loses its last one.

use std::collections::{HashMap, HashSet};

use super::admission::{Admitted, Allowed, allowed_as_recorded};
use super::candidate::Candidate;
use super::decision::{Content, Decision, Publication, RecordTerms, View};
use super::recorded::recorded;
use super::report::Report;
use crate::domain::{Digest, NameKey, StringMap};
use crate::engine::catalog::State;
use crate::store::{Changes, NameRecord, Sources, Verdict};

/// Names that are set, or removed where the record is absent.
type NameChanges = Vec<(String, Option<NameRecord>)>;

/// What the names of admitted images change.
pub(super) fn decide(view: &View<'_>, admitted: &Admitted, publication: &Publication) -> Decision {
    let Publication { content, pulled_from, report, record, .. } = publication;
    let Content { blobs, documents, configs } = content.clone();
    let sources = match pulled_from {
        Some(repository) => admitted
            .images()
            .filter_map(|(image, _)| with_source(view.state, &image.target.digest, repository))
            .collect(),
        None => Vec::new(),
    };
    let names = name_changes(view, admitted, report, record);
    let changes = Changes { blobs, documents, configs, names, sources, ..Changes::default() };
    let depends_on =
        admitted.images().flat_map(|(image, _)| [image.name.to_string(), image.target.digest.to_string()]).collect();
    Decision { changes, depends_on, ..Decision::nothing(report.clone()) }
}

/// What stands beside a name changes, and not what it points at. There is a record of the name.
pub(super) fn note(view: &View<'_>, name: &NameKey, labels: StringMap, at: Option<i64>) -> Decision {
    let noted = view.state.name(name.as_str()).map(|old| {
        let updated_at = at.unwrap_or(view.now);
        (name.to_string(), Some(NameRecord { labels, updated_at, ..old.as_ref().clone() }))
    });
    let changes = Changes { names: noted.into_iter().collect(), ..Changes::default() };
    Decision { changes, ..Decision::nothing(Report::Nothing) }
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
fn name_changes(view: &View<'_>, admitted: &Admitted, report: &Report, terms: &RecordTerms) -> NameChanges {
    let (state, at) = (view.state, terms.at.unwrap_or(view.now));
    let mut changes = NameChanges::new();
    let mut named: HashMap<NameKey, Digest> = HashMap::new();
    for (image, allowed) in admitted.images() {
        let digest = &image.target.digest;
        let key = &image.name;
        if key.is_unnamed() && !state.names_of(digest).is_empty() {
            continue;
        }
        let old = state.name(key.as_str());
        let mut record = record(image, allowed, view.now, at);
        record.evidence = admitted.evidence().unwrap_or_else(|| recorded(state, digest));
        // A name that points there already stays as it is, but for what now lets it do so.
        if let Some(old) = old.filter(|old| matches!(report, Report::Tag { .. }) && old.target.digest == *digest) {
            if !allowed_as_recorded(allowed, old.verdict.as_deref()) {
                let renewed = NameRecord { verdict: record.verdict, ..old.as_ref().clone() };
                changes.push((key.to_string(), Some(renewed)));
            }
            continue;
        }
        if let Some(old) = old {
            // What clients have noted beside the name is about the name.
            (record.created_at, record.labels) = (old.created_at, old.labels.clone());
        }
        if let Some(labels) = &terms.labels {
            record.labels = labels.clone();
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
            let kept = NameRecord { updated_at: view.now, labels: StringMap::default(), ..old.as_ref().clone() };
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

fn record(image: &Candidate, allowed: Option<&Allowed>, now: i64, at: i64) -> NameRecord {
    let verdict = allowed.map(|Allowed { rule, reason }| {
        Box::new(Verdict { rule: rule.clone(), reason: reason.clone(), decided_at: now })
    });
    NameRecord { verdict, ..NameRecord::new(image.target.clone(), at) }
}
