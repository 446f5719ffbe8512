//! Collection: content that nothing refers to is removed.
//!
//! What lives: everything under the target of a name, everything that an operation holds by a lease (of this engine or of
//! another one), and every referrer of something that lives, with what is under it. What only leases keep goes when they
//! end.

use std::collections::HashSet;

use super::reachable::{reachable, reachable_without};
use crate::domain::{Digest, NameKey, Result};
use crate::engine::catalog::State;
use crate::engine::publish::{Decision, Publisher, Report, View};

/// What a collection removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Collected {
    pub(in crate::engine) blobs: HashSet<Digest>,
    pub(in crate::engine) bytes: u64,
}

/// What a collection is to do.
#[derive(Default)]
pub(in crate::engine) struct Sweep {
    /// Look at these blobs only; at all where absent.
    pub(in crate::engine) candidates: Option<HashSet<Digest>>,
    /// Names that go in the same step: no crash leaves one without the other.
    pub(in crate::engine) names: Vec<NameKey>,
    /// Targets that no name points at after that.
    pub(in crate::engine) unnamed: HashSet<Digest>,
    /// A manifest that is to go although the tree under this target holds it.
    pub(in crate::engine) pruned: Option<(Digest, Digest)>,
}

/// Removes names and content. `choose` says which, on the state that the commit is made on, and how that is told; it is
/// asked again where another engine was faster.
pub(in crate::engine) async fn sweep<T: Send + 'static>(
    publisher: &Publisher,
    mut choose: impl FnMut(&State) -> Result<(Sweep, Report, T)> + Send + 'static,
) -> Result<(Collected, T)> {
    let decide = move |view: &View<'_>| {
        let (sweep, report, output) = choose(view.state)?;
        let (decision, collected) = decide(view, sweep, report);
        Ok((decision, (collected, output)))
    };
    let (collected, output) = publisher.change_alone(decide).await?;
    publisher.remove_blobs(collected.blobs.iter().cloned().collect()).await;
    Ok((collected, output))
}

/// Removes what does not live, of the candidates or of everything.
pub(in crate::engine) async fn collect(publisher: &Publisher, candidates: Option<Vec<Digest>>) -> Result<Collected> {
    let candidates: Option<HashSet<Digest>> = candidates.map(|candidates| candidates.into_iter().collect());
    let choose =
        move |_: &State| Ok((Sweep { candidates: candidates.clone(), ..Sweep::default() }, Report::Nothing, ()));
    sweep(publisher, choose).await.map(|(collected, ())| collected)
}

/// Removes what was left because it was held, and is not any more.
pub(in crate::engine) async fn collect_postponed(publisher: &Publisher) -> Result<()> {
    let (leases, mut postponed) = (publisher.leases().clone(), HashSet::new());
    let choose = move |state: &State| {
        postponed.extend(leases.take_postponed());
        // Evidence may have come meanwhile about what was left.
        let candidates = reachable(state, &postponed).into_iter().cloned().collect();
        Ok((Sweep { candidates: Some(candidates), ..Sweep::default() }, Report::Nothing, ()))
    };
    sweep(publisher, choose).await.map(drop)
}

/// Removes what collections had left for leases once these end, for as long as the engine lives.
pub(in crate::engine) fn start(publisher: &Publisher) {
    let (leases, mut publisher) = (publisher.leases().clone(), publisher.downgrade());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = leases.released() => {}
                () = publisher.gone() => return,
            }
            let Some(publisher) = publisher.upgrade() else { return };
            if let Err(error) = collect_postponed(&publisher).await {
                tracing::warn!(error = error.chain(), "could not remove released blobs; the next prune does");
            }
        }
    });
}

fn decide(view: &View<'_>, sweep: Sweep, report: Report) -> (Decision, Collected) {
    let View { state, parents, leases, held_elsewhere, .. } = view;
    let unreachable = match &sweep.candidates {
        // Looking through everything is for nothing where little can be found.
        Some(candidates) if sweep.pruned.is_none() => {
            let is_named = |digest: &Digest| state.is_target(digest) && !sweep.unnamed.contains(digest);
            let unnamed = parents.unreachable(state, candidates, is_named);
            let is_held = |digest: &Digest| leases.holds(digest) || held_elsewhere.contains(digest);
            let unreachable = parents.unreachable(state, &unnamed, is_held);
            leases.postpone(unnamed.difference(&unreachable).cloned().collect(), held_elsewhere);
            unreachable.into_iter().collect()
        }
        _ => unreachable_of_all(view, &sweep),
    };
    // From here on nobody can take hold of these and believe that they stay.
    let doomed = leases.condemn(unreachable);
    let bytes = doomed.iter().filter_map(|digest| state.blob(digest)).map(|record| record.size).sum();
    let collected = Collected { blobs: doomed.iter().cloned().collect(), bytes };
    (Decision::removal(sweep.names, doomed, report), collected)
}

/// What does not live, found from the top down. What only leases keep is postponed.
fn unreachable_of_all(view: &View<'_>, sweep: &Sweep) -> Vec<Digest> {
    let View { state, leases, held_elsewhere, .. } = view;
    let mut held = leases.held();
    held.extend(held_elsewhere.iter().cloned());
    let named = live(state, &[], sweep);
    let unnamed = |digest: &&Digest| !named.contains(*digest) && state.blob(digest).is_some();
    let unreachable: Vec<Digest> = match &sweep.candidates {
        Some(candidates) => candidates.iter().filter(unnamed).cloned().collect(),
        None => state.blobs().map(|(digest, _)| digest).filter(unnamed).cloned().collect(),
    };
    if held.is_empty() || unreachable.is_empty() {
        return unreachable;
    }
    let live = live(state, &held, sweep);
    let (left, unreachable) = unreachable.into_iter().partition(|digest| live.contains(digest));
    leases.postpone(left, held_elsewhere);
    unreachable
}

fn live<'a>(state: &'a State, held: &'a [Digest], sweep: &'a Sweep) -> HashSet<&'a Digest> {
    let Some((target, manifest)) = &sweep.pruned else {
        let targets = state.targets().filter(|target| !sweep.unnamed.contains(target));
        return reachable(state, held.iter().chain(targets));
    };
    let others = state.targets().filter(|other| *other != target);
    let mut live = reachable(state, held.iter().chain(others));
    // What is about the manifest stays with the index that still names it; the manifest itself and what only it uses go.
    live.extend(reachable_without(state, [target], Some(manifest)));
    live
}
