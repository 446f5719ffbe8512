//! Data roots: which directories are taken for one, and what older versions left.

mod released;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::support::checking::check;
use crate::support::daemon::{Daemon, Place, Process};

#[test]
fn a_mistyped_data_root_is_left_as_it_is() {
    let place = Place::new();
    let root = place.data_root();
    for directory in ["ingest", "partial"] {
        fs::create_dir_all(root.join(directory)).unwrap();
        fs::write(root.join(directory).join("precious"), "data").unwrap();
    }
    fs::write(root.join("notes"), "data").unwrap();
    fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
    let state = || {
        ["", "ingest", "ingest/precious", "partial", "partial/precious", "notes"].map(|part| {
            let metadata = fs::metadata(root.join(part)).unwrap();
            (metadata.mode(), metadata.len(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec())
        })
    };
    let before = state();
    let mut daemon = Process::spawn(&mut place.command());
    assert_eq!(daemon.wait().code(), Some(1));
    let log = daemon.log();
    let refusal = format!("loadline: data root {} is refused: it is neither empty nor a data root", root.display());
    assert!(log.contains(&refusal) && log.contains("it holds notes."), "{log}");
    for arguments in [&[][..], &["--repair"]] {
        let report = check(&root, arguments);
        assert_eq!(report.status, 2);
        assert!(report.errors.contains("is not a data root") && report.errors.contains("--data-root"), "{report:?}");
    }
    assert_eq!(state(), before);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 3);
}

/// How many starts are killed; the last four after they answered.
const KILLS: u32 = 24;

/// Kills one start after the other, each on a new place and a little later, and gives each place to a test.
#[track_caller]
fn after_killed_starts(place: impl Fn() -> Place, test: impl Fn(Place, &str)) {
    let whole = place().start_time();
    for kill in 0..KILLS {
        let after = whole * kill / (KILLS - 4);
        test(place().kill_start(after), &format!("after a kill at {after:?} of {whole:?}"));
    }
}

#[test]
fn a_first_start_that_is_killed_locks_nobody_out() {
    after_killed_starts(Place::new, |place, when| {
        let daemon = Daemon::start_in(place);
        assert_eq!(daemon.client().get("/images/json").expect(200).text().trim(), "[]", "{when}");
        check(&daemon.stop().data_root(), &[]).expect_spotless();
    });
}
