//! The way down from what is kept: everything that stays with it.

use std::collections::HashSet;

use crate::domain::Digest;
use crate::engine::catalog::State;
use crate::engine::graph::closure::Closure;

/// Everything under the roots, their referrers, and what is under those; the roots themselves included, whether they are
/// stored or not. There is no limit to it: what was not reached would be removed.
pub(in crate::engine) fn reachable<'a>(
    state: &'a State,
    roots: impl IntoIterator<Item = &'a Digest>,
) -> HashSet<&'a Digest> {
    reachable_without(state, roots, None)
}

/// The same as it would be without one manifest: nothing is reached through it but its referrers.
pub(in crate::engine) fn reachable_without<'a>(
    state: &'a State,
    roots: impl IntoIterator<Item = &'a Digest>,
    without: Option<&'a Digest>,
) -> HashSet<&'a Digest> {
    let mut closure = Closure::of(roots);
    while let Some(digest) = closure.next() {
        if let Some(document) = state.document(digest).filter(|_| without != Some(digest)) {
            let is_index = document.is_index();
            let children = document.children().filter(|child| !is_index || state.counts_as_child(child));
            closure.add(children.map(|child| &child.digest));
        }
        closure.add(state.referrers(digest));
    }
    let mut reached = closure.into_visited();
    if let Some(without) = without {
        reached.remove(without);
    }
    reached
}
