//! Data roots: which directories are taken for one, and what older versions left.

mod released;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::support::checking::check;
use crate::support::daemon::{Place, Process};

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
