use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::store::Stores;
use crate::store::blocking::wait;
use crate::store::local::open;

/// The mode, size and times of everything in a directory, itself included.
fn state(directory: &Path) -> BTreeMap<PathBuf, (u32, u64, i64, i64, i64)> {
    let (mut found, mut left) = (BTreeMap::new(), vec![directory.to_owned()]);
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let times = (metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec());
        found.insert(path, (metadata.mode(), metadata.size(), times.0, times.1, times.2));
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn close(stores: &Stores) {
    wait(stores.blobs.close()).unwrap();
    wait(stores.metadata.close()).unwrap();
}

#[track_caller]
fn refuses(path: &Path, part: &str) {
    let before = state(path);
    let error = open(path).err().expect("it is refused");
    assert_eq!(error.kind(), Kind::InvalidArgument);
    let text = error.public();
    let named = format!("data root {} is refused: ", path.display());
    assert!(text.starts_with(&named) && text.contains(part) && text.contains("--data-root"), "{text}");
    assert_eq!(state(path), before);
}

#[test]
fn a_directory_of_somebody_else_is_refused_and_left_alone() {
    let outside = tempfile::tempdir().unwrap();
    let path = outside.path().join("photos");
    for below in ["ingest", "partial", "blobs/sha256"] {
        fs::create_dir_all(path.join(below)).unwrap();
        fs::write(path.join(below).join("1"), "precious").unwrap();
    }
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    for name in ["d", "c", "b", "a"] {
        fs::write(path.join(name), "precious").unwrap();
    }
    refuses(&path, "it holds a, b, c and 1 more");
    for name in ["d", "c", "b", "a"] {
        fs::remove_file(path.join(name)).unwrap();
    }
    // With names that are ours: whatever has files and no database is not taken for new.
    refuses(&path, "but no metadata.redb");
    refuses(&path.join("ingest/1"), "it is not a directory");
}

#[test]
fn names_of_ours_must_be_what_we_make() {
    type Make = fn(&Path) -> std::io::Result<()>;
    let cases: [(&str, Make); 6] = [
        ("lost+found", |path| fs::write(path, "")),
        ("blobs", |path| fs::write(path, "")),
        ("ingest", |path| symlink("/tmp", path)),
        ("lock", |path| fs::write(path, "not empty")),
        ("partial", |path| symlink("/nowhere", path)),
        (".hidden", |path| fs::create_dir(path)),
    ];
    for (name, make) in cases {
        let path = tempfile::tempdir().unwrap();
        make(&path.path().join(name)).unwrap();
        refuses(path.path(), &format!("it holds {name}"));
    }
}

#[test]
fn a_root_is_made_where_there_is_none() {
    let outside = tempfile::tempdir().unwrap();
    // Nothing there; a new file system; one whose daemon has its socket inside.
    let (missing, mounted, shared) = (outside.path().join("a/b"), outside.path().join("c"), outside.path().join("d"));
    fs::create_dir_all(mounted.join("lost+found")).unwrap();
    fs::write(mounted.join("lost+found/#7"), "a file without a name").unwrap();
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join(".loadline.sock.lock"), "").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(shared.join("loadline.sock")).unwrap();
    for path in [missing, mounted, shared] {
        let first = open(&path).unwrap();
        assert!(!first.metadata.was_interrupted());
        assert_eq!(mode(&path), 0o700);
        let identity = first.metadata.identity().to_owned();
        drop(first);
        // From now on it is a root, whatever else is put into it.
        fs::write(path.join("notes"), "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        let again = open(&path).unwrap();
        assert_eq!((again.metadata.identity(), mode(&path)), (identity.as_str(), 0o700));
    }
}

#[test]
fn a_first_start_that_was_killed_is_done_again() {
    let whole = tempfile::tempdir().unwrap();
    open(whole.path()).unwrap();
    let database = fs::read(database::path(whole.path())).unwrap();
    let all = &["ingest", "partial", "blobs/sha256", "blobs/sha512"][..];
    // What is there step by step, and what a database is that was cut short.
    type File<'a> = (&'a str, &'a [u8]);
    let steps: [(&[&str], &[File]); 6] = [
        (&[], &[]),
        (&all[..1], &[]),
        (all, &[]),
        (all, &[("lock", b"")]),
        (all, &[("lock", b""), (database::UNFINISHED, &[0; 4096])]),
        (all, &[("lock", b""), (database::UNFINISHED, &database)]),
    ];
    for (directories, files) in steps {
        let path = tempfile::tempdir().unwrap();
        for directory in directories {
            fs::create_dir_all(path.path().join(directory)).unwrap();
        }
        for (name, bytes) in files {
            fs::write(path.path().join(name), bytes).unwrap();
        }
        open(path.path()).unwrap();
        assert!(!path.path().join(database::UNFINISHED).exists());
        open(path.path()).unwrap();
    }
}

#[test]
fn a_root_without_its_database_is_not_taken_for_new() {
    let root = tempfile::tempdir().unwrap();
    close(&open(root.path()).unwrap());
    let blob = root.path().join("blobs/sha256/0123");
    fs::write(&blob, "content").unwrap();
    for lose in [|path: &Path| fs::write(path, ""), |path: &Path| fs::remove_file(path)] {
        lose(&database::path(root.path())).unwrap();
        refuses(root.path(), "but no metadata.redb");
    }
    fs::remove_file(&blob).unwrap();
    open(root.path()).unwrap();
}
