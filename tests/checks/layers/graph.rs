//! Circles among files.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::Arrow;

/// The largest sets of files each of which leads to every other; none of one file alone.
pub fn circles(arrows: &BTreeSet<Arrow>) -> Vec<BTreeSet<&str>> {
    let mut next = BTreeMap::<&str, BTreeSet<&str>>::new();
    for arrow in arrows {
        next.entry(&arrow.from).or_default().insert(&arrow.to);
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> = next.keys().map(|file| (*file, reached_from(file, &next))).collect();
    let mut found: Vec<BTreeSet<&str>> = Vec::new();
    for (file, reach) in &reached {
        if found.iter().any(|circle| circle.contains(file)) {
            continue;
        }
        let leads_back = |other: &&&str| reached.get(**other).is_some_and(|reach| reach.contains(file));
        let circle: BTreeSet<&str> = reach.iter().filter(leads_back).copied().collect();
        if !circle.is_empty() {
            found.push(circle);
        }
    }
    found
}

/// Every file that a file leads to, itself only where it leads back.
fn reached_from<'a>(file: &'a str, next: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut left = vec![file];
    while let Some(at) = left.pop() {
        left.extend(next.get(at).into_iter().flatten().copied().filter(|to| reached.insert(*to)));
    }
    reached
}
