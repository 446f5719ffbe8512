//! The list of cases, and how one is run.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::fixture::Fixture;
use super::{blobs, concurrent, leases, records, removal, reopening};
use crate::domain::Result;

/// One promise.
pub struct Case {
    pub name: &'static str,
    run: fn(Arc<dyn Fixture>) -> BoxFuture<'static, Result<()>>,
}

impl Case {
    /// Tries the promise on stores of a new fixture.
    ///
    /// # Errors
    /// Those of the stores.
    ///
    /// # Panics
    /// Where the promise is not kept. Must be called on a runtime of tokio that has its timer.
    pub async fn run(&self, fixture: Arc<dyn Fixture>) -> Result<()> {
        (self.run)(fixture).await
    }
}

/// Every case, in no order that matters.
pub fn cases() -> &'static [Case] {
    &CASES
}

/// Runs one case on a runtime of its own, and waits for it.
///
/// # Panics
/// Where the promise is not kept, the stores fail, or there is no such case.
pub fn run(name: &str, fixture: impl Fixture) {
    let case = CASES.iter().find(|case| case.name == name);
    let Some(case) = case else { panic!("there is no case {name:?}") };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    if let Err(error) = runtime.block_on(case.run(Arc::new(fixture))) {
        panic!("{name}: {}", error.chain());
    }
}

macro_rules! list {
    ($($room:ident: $($case:ident)+;)+) => {
        [$($(Case { name: stringify!($case), run: |fixture| Box::pin($room::$case(fixture)) },)+)+]
    };
}

static CASES: [Case; 33] = list! {
    blobs:
        a_blob_is_seen_once_it_is_placed
        a_blob_is_placed_again
        a_wrong_digest_is_refused
        both_algorithms_are_served
        an_empty_blob_is_one
        many_blobs_are_placed_at_once
        ingests_are_listed_while_they_are_written
        what_was_set_aside_is_resumed
        partials_are_discarded;
    removal:
        only_what_is_condemned_is_removed
        what_is_removed_may_come_back
        an_open_blob_outlives_its_removal;
    records:
        a_new_store_holds_nothing
        every_kind_of_record_is_kept
        changes_are_made_in_order
        a_commit_on_another_revision_is_a_conflict
        an_operation_is_carried_out_once
        an_answer_that_was_lost_can_be_asked_for
        what_changed_is_read_since_a_revision
        everything_is_read_where_the_past_is_unknown
        many_records_are_read_in_batches;
    leases:
        a_lease_holds_what_it_was_told
        there_is_one_lease_of_an_id
        a_lease_ends_by_itself
        a_lease_is_renewed;
    concurrent:
        one_commit_wins_each_revision
        a_watch_comes_to_the_newest_revision
        ingests_run_side_by_side
        a_blob_is_placed_by_many
        a_removal_spares_what_was_placed_after_it_was_announced;
    reopening:
        what_was_recorded_is_there_after_a_crash
        what_was_only_staged_is_gone_after_a_crash
        what_was_closed_is_opened_again;
};

/// Makes a test of each [case](crate::store::conformance::cases()). The argument is an expression for a new
/// [fixture](crate::store::conformance::Fixture).
#[macro_export]
macro_rules! store_conformance {
    ($fixture:expr) => {
        $crate::store_conformance! {
            $fixture =>
            a_blob_is_seen_once_it_is_placed
            a_blob_is_placed_again
            a_wrong_digest_is_refused
            both_algorithms_are_served
            an_empty_blob_is_one
            many_blobs_are_placed_at_once
            ingests_are_listed_while_they_are_written
            what_was_set_aside_is_resumed
            partials_are_discarded
            only_what_is_condemned_is_removed
            what_is_removed_may_come_back
            an_open_blob_outlives_its_removal
            a_new_store_holds_nothing
            every_kind_of_record_is_kept
            changes_are_made_in_order
            a_commit_on_another_revision_is_a_conflict
            an_operation_is_carried_out_once
            an_answer_that_was_lost_can_be_asked_for
            what_changed_is_read_since_a_revision
            everything_is_read_where_the_past_is_unknown
            many_records_are_read_in_batches
            a_lease_holds_what_it_was_told
            there_is_one_lease_of_an_id
            a_lease_ends_by_itself
            a_lease_is_renewed
            one_commit_wins_each_revision
            a_watch_comes_to_the_newest_revision
            ingests_run_side_by_side
            a_blob_is_placed_by_many
            a_removal_spares_what_was_placed_after_it_was_announced
            what_was_recorded_is_there_after_a_crash
            what_was_only_staged_is_gone_after_a_crash
            what_was_closed_is_opened_again
        }
    };
    ($fixture:expr => $($case:ident)+) => {
        $(
            #[test]
            fn $case() {
                $crate::store::conformance::run(stringify!($case), $fixture);
            }
        )+

        #[test]
        fn no_case_is_left_out() {
            let names: Vec<&str> = $crate::store::conformance::cases().iter().map(|case| case.name).collect();
            assert_eq!(names, [$(stringify!($case)),+]);
        }
    };
}
