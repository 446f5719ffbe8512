//! `loadline check` on data roots that were damaged on purpose: found, repaired, found sound again.

mod packs;
mod root;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use loadline::domain::{Digest, MediaType};
use loadline::store::record::Record;
use loadline::store::{BlobRecord, NameRecord};
use redb::ReadableDatabase;
use serde_json::Value;

use crate::support::checking::{check, contents};
use crate::support::daemon::{Daemon, Place, Process, loadline};
use crate::support::images::{LAYER, Layout, MANIFEST, config, with};
use crate::support::loading::{encode, files, load_with, loaded};
use crate::support::tar::Tar;
use root::*;

#[test]
fn what_is_in_order_is_sound() {
    let root = Root::new();
    for arguments in [&[][..], &["--quick"], &["--deep"], &["--repair"], &["--deep", "--repair"]] {
        check(&root.path(), arguments).expect_spotless();
    }
    let report = check(&root.path(), &[]);
    let size: u64 = files(&root.path()).iter().map(|file| fs::metadata(root.path().join(file)).unwrap().len()).sum();
    assert_eq!((&report.summary["names"], &report.summary["bytesRead"]), (&2.into(), &size.into()));
    assert_eq!(report.summary["blobs"], files(&root.path()).len());
    // An image of which one platform is here is as sound as a whole one.
    let daemon = Daemon::start();
    load_with(
        &daemon.client(),
        &format!("/images/load?platform={}", encode(r#"{"os":"linux","architecture":"arm64"}"#)),
        root.archive.clone(),
    );
    check(&daemon.stop().data_root(), &["--deep"]).expect_spotless();
    root.works();
}

#[test]
fn a_blob_that_changed_is_removed() {
    let root = Root::new();
    overwrite(&root.blob(&root.layer), |bytes| bytes[600] ^= 1);
    // Its size is what it was.
    check(&root.path(), &["--quick"]).expect_spotless();
    let found = root.heals(&["fault corrupt-blob"]);
    assert_eq!(found[0]["subject"], root.layer.to_string());
    assert_eq!(found[0]["names"], serde_json::json!([APP]));
    assert!(!root.blob(&root.layer).exists());
    root.works();
}

#[test]
fn a_blob_that_was_cut_short_is_removed() {
    let root = Root::new();
    overwrite(&root.blob(&root.config), |bytes| bytes.truncate(3));
    assert_eq!(check(&root.path(), &["--quick"]).kinds(), ["fault corrupt-blob"]);
    root.heals(&["fault corrupt-blob"]);
    root.works();
}

#[test]
fn what_takes_the_place_of_a_blob_goes() {
    for what in ["directory", "full directory", "link", "pipe"] {
        let root = Root::new();
        let blob = root.blob(&root.layer);
        let outside = root.place.path().join("outside");
        fs::rename(&blob, &outside).unwrap();
        match what {
            "directory" => fs::create_dir(&blob).unwrap(),
            "full directory" => {
                fs::create_dir(&blob).unwrap();
                fs::write(blob.join("precious"), b"data").unwrap();
            }
            // Even where it leads to the right bytes: whoever owns that file could change them.
            "link" => symlink(&outside, &blob).unwrap(),
            _ => rustix::fs::mknodat(rustix::fs::CWD, &blob, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap(),
        }
        let found = root.heals(&["fault corrupt-blob"]);
        let kind = if what.contains("directory") { "a directory" } else { what };
        assert!(found[0]["detail"].as_str().unwrap().contains(kind), "{found:?}");
        assert!(outside.exists(), "what a link leads to is not touched");
        let aside = root.path().join(format!("lost+found/blobs-sha256-{}.0/precious", root.layer.hex()));
        assert_eq!(aside.exists(), what == "full directory");
        root.works();
    }
}

#[test]
fn a_record_without_a_file_is_dropped() {
    let root = Root::new();
    fs::remove_file(root.blob(&root.layer)).unwrap();
    fs::remove_file(root.blob(&root.config)).unwrap();
    let found = root.heals(&["fault missing-blob", "fault missing-blob"]);
    assert!(found.iter().all(|finding| finding["names"][0] == APP), "{found:?}");
    root.works();
}

#[test]
fn files_that_nothing_knows_are_removed() {
    let root = Root::new();
    let stray = Digest::of(b"stray");
    fs::write(root.blob(&stray), b"stray").unwrap();
    fs::write(root.path().join("blobs/sha256/not a\ndigest"), b"x").unwrap();
    fs::create_dir_all(root.path().join("blobs/md5/full")).unwrap();
    symlink("/etc", root.path().join("blobs/sha512/etc")).unwrap();
    fs::write(root.path().join("ingest/7"), b"half").unwrap();
    fs::create_dir(root.path().join("partial/empty")).unwrap();
    fs::write(root.path().join(format!("partial/sha256-{}", stray.hex())), vec![0; 100_000]).unwrap();
    root.heals(&[
        "fault stray-file",
        "fault stray-file",
        "fault stray-file",
        "fault stray-file",
        "fault stray-file",
        "leftover abandoned-ingest",
    ]);
    assert!(Path::new("/etc/passwd").exists() && root.path().join("lost+found/blobs-md5.0/full").exists());
    root.works();
}

#[test]
fn what_a_crash_leaves_is_no_fault() {
    let root = Root::new();
    fs::remove_file(root.path().join("clean")).unwrap();
    fs::write(root.blob(&Digest::of(b"stray")), b"stray").unwrap();
    fs::write(root.path().join("ingest/7"), b"half").unwrap();
    let download = format!("sha256-{}", Digest::of(b"whole").hex());
    fs::write(root.path().join(format!("ingest/8.{download}")), vec![0; 100_000]).unwrap();
    let report = check(&root.path(), &["--repair"]).expect_sound();
    let [stray, ingest, kept, unclean] = report.findings.as_slice() else { panic!("{report:#?}") };
    assert!(stray["kind"] == "stray-file" && ingest["kind"] == "abandoned-ingest" && unclean["kind"] == "unclean");
    assert!(kept["kind"] == "abandoned-ingest" && kept["repaired"] == false, "a download goes on after a crash");
    assert!(report.findings.iter().all(|finding| finding["severity"] == "leftover"));
    let root = Root { place: Daemon::start_in(root.place).stop(), ..root };
    assert!(root.path().join("partial").join(download).exists());
    check(&root.path(), &[]).expect_spotless();
    root.works();
}

#[test]
fn a_name_that_points_at_nothing_is_dropped() {
    let root = Root::new();
    overwrite(&root.blob(&root.index), |bytes| bytes.push(b' '));
    let report = check(&root.path(), &["--repair"]);
    assert_eq!(report.status, 0);
    assert_eq!(report.kinds()[..2], ["fault corrupt-blob", "fault name-without-content"]);
    // What was under it is sound, and no longer leads anywhere.
    assert!(report.kinds()[2..].iter().all(|kind| kind == "leftover unreferenced-blob"), "{report:?}");
    assert!(root.blob(&root.layer).exists());
    check(&root.path(), &["--repair"]).expect_sound();
    assert!(root.blob(&root.layer).exists(), "a repair takes nothing away that is sound");
    root.works();
}

#[test]
fn names_say_what_is_here() {
    let root = Root::new();
    let mut record = root.name(APP);
    root.set_name(
        "docker.io/library/nothing:1",
        &NameRecord {
            target: loadline::domain::Descriptor::new(MediaType::OCI_MANIFEST, Digest::of(b"nothing"), 7),
            ..record.clone()
        },
    );
    // Any text is a name, unless it is empty or the digest of another image.
    root.set_name("Not a\nDocker name", &record);
    root.set_name("", &record);
    root.set_name(&Digest::of(b"another").to_string(), &record);
    record.target.size += 1;
    root.set_name(APP, &record);
    root.heals(&["fault name-without-content", "fault wrong-name", "fault wrong-name", "fault wrong-name"]);
    record.target.size -= 1;
    assert_eq!(root.name(APP), record);
    assert_eq!(root.name("Not a\nDocker name"), record);
    root.works();
}

#[test]
fn an_image_whose_names_make_no_sense_is_kept_under_its_digest() {
    let root = Root::new();
    let record = root.name(APP);
    root.edit(|write| drop(write.open_table(NAMES).unwrap().remove(APP).unwrap()));
    root.set_name(&Digest::of(b"another").to_string(), &record);
    root.heals(&["fault wrong-name"]);
    assert_eq!(root.name(&root.index.to_string()), record);
    root.works();
}

#[test]
fn what_blobs_were_parsed_to_is_what_they_say() {
    let root = Root::new();
    let documents = {
        let database = redb::Database::open(root.path().join("metadata.redb")).unwrap();
        let table = database.begin_read().unwrap().open_table(DOCUMENTS).unwrap();
        table.get(root.manifest.bytes()).unwrap().unwrap().value().to_vec()
    };
    // An index that was taken for the manifest under it, and a configuration and a manifest that were not parsed at all.
    root.insert(DOCUMENTS, &root.index, &documents);
    root.remove(CONFIGS, &root.config);
    let other = root.name(OTHER).target.digest;
    root.remove(DOCUMENTS, &other);
    root.heals(&["fault wrong-document", "fault wrong-document", "fault wrong-document"]);
    root.works();
}

#[test]
fn records_are_about_something() {
    let root = Root::new();
    root.insert(SOURCES, &Digest::of(b"gone"), &vec!["registry.test/gone".to_owned()].encode().unwrap());
    let wrong = BlobRecord { size: 5, created_at: 7 };
    root.insert(BLOBS, &root.layer, &wrong.encode().unwrap());
    assert_eq!(check(&root.path(), &["--quick"]).kinds(), ["fault wrong-record", "fault orphan-record"]);
    root.heals(&["fault wrong-record", "fault orphan-record"]);
    root.works();
}

#[test]
fn records_that_cannot_be_read_are_made_again() {
    let root = Root::new();
    for (table, digest) in [(BLOBS, &root.layer), (DOCUMENTS, &root.manifest), (CONFIGS, &root.config)] {
        root.insert(table, digest, b"\xff");
    }
    root.insert(SOURCES, &root.index, b"\xff");
    root.edit(|write| drop(write.open_table(NAMES).unwrap().insert(APP, b"\xff".as_slice()).unwrap()));
    // The daemon refuses to guess.
    let mut daemon = Process::spawn(&mut root.place.command());
    assert!(!daemon.wait().success() && daemon.log().contains("loadline check"), "{}", daemon.log());
    let mut kinds = vec!["fault unreadable-record"; 5];
    kinds.push("leftover unclean");
    root.heals(&kinds);
    // The image lost its name, not its content.
    assert_eq!(root.name(&root.index.to_string()).target.media_type, MediaType::OCI_INDEX);
    root.works();
}

#[test]
fn records_of_a_newer_version_are_left_to_it() {
    let root = Root::new();
    for (table, digest) in [(BLOBS, &root.layer), (DOCUMENTS, &root.manifest), (SOURCES, &root.index)] {
        root.insert(table, digest, b"\x63 of a version to come");
    }
    root.edit(|write| drop(write.open_table(NAMES).unwrap().insert(OTHER, b"\x63".as_slice()).unwrap()));
    overwrite(&root.blob(&root.config), |bytes| bytes.truncate(3));
    let mut daemon = Process::spawn(&mut root.place.command());
    assert!(!daemon.wait().success() && daemon.log().contains("loadline check"), "{}", daemon.log());
    let before = contents(&root.path());
    for arguments in [&[][..], &["--repair"], &["--deep", "--repair"]] {
        let report = check(&root.path(), arguments);
        assert_eq!((report.status, report.errors.as_str()), (1, ""), "{report:?}");
        let newer = report.findings.iter().filter(|finding| finding["kind"] == "unreadable-record");
        let details: Vec<&str> = newer.map(|finding| finding["detail"].as_str().unwrap()).collect();
        assert!(details.len() == 4 && details.iter().all(|detail| detail.contains("version 99")), "{report:?}");
        assert!(report.findings.iter().all(|finding| finding["repaired"] == false), "{report:?}");
        assert!(contents(&root.path()) == before, "something was written");
    }
}

#[test]
fn a_damaged_database_is_told_of() {
    let root = Root::new();
    let path = root.path().join("metadata.redb");
    let whole = fs::read(&path).unwrap();
    let wreck = |bytes: &mut Vec<u8>| bytes[512..].iter_mut().for_each(|byte| *byte ^= 0x55);
    type Damage = Box<dyn Fn(&mut Vec<u8>)>;
    let damages: [(&str, Damage); 4] = [
        ("pages", Box::new(wreck)),
        ("cut short", Box::new(|bytes| bytes.truncate(bytes.len() / 2))),
        ("empty", Box::new(Vec::clear)),
        ("no database", Box::new(|bytes| *bytes = b"SQLite format 3\0".repeat(1000))),
    ];
    for (what, damage) in damages {
        fs::write(&path, &whole).unwrap();
        overwrite(&path, damage);
        let before = contents(&root.path());
        for arguments in [&[][..], &["--repair"]] {
            let report = check(&root.path(), arguments);
            assert_eq!(report.status, 2, "{what}: {report:?}");
            assert!(report.errors.contains("loadline: the metadata database is damaged"), "{what}: {report:?}");
        }
        assert_eq!(contents(&root.path()).len(), before.len(), "{what}: no blob is lost");
    }
}

#[test]
fn a_repair_that_is_interrupted_is_done_again() {
    for step in 0..8 {
        let root = Root::new();
        overwrite(&root.blob(&root.layer), |bytes| bytes[600] ^= 1);
        fs::remove_file(root.blob(&root.config)).unwrap();
        for number in 0..200u32 {
            let stray = number.to_le_bytes();
            fs::write(root.blob(&Digest::of(&stray)), stray).unwrap();
        }
        let mut command = loadline();
        command.args(["check", "--repair", "--data-root"]).arg(root.path());
        let mut repair = Process::spawn(&mut command);
        std::thread::sleep(std::time::Duration::from_millis(8) * step);
        repair.signal(rustix::process::Signal::KILL);
        repair.wait();
        check(&root.path(), &["--repair"]).expect_sound();
        let kinds = check(&root.path(), &[]).expect_sound().kinds();
        assert!(kinds.iter().all(|kind| kind == "leftover unclean"), "{kinds:?}");
        root.works();
    }
}

#[test]
fn a_layer_that_unpacks_to_something_else_is_found_when_asked_for() {
    let mut layout = Layout::default();
    let plain = Tar::default().file("file", b"content").end();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &plain).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(plain.as_slice(), 1).unwrap();
    let layers = [
        layout.blob(&format!("{LAYER}+gzip"), gzip.clone()),
        layout.blob(&format!("{LAYER}+zstd"), zstd),
        layout.blob(LAYER, plain),
        layout.blob(&format!("{LAYER}+gzip"), &gzip[..gzip.len() / 2]),
    ];
    let image = |layout: &mut Layout, name: &str, content: &str, layers: &[Value]| {
        let mut config = config("linux/amd64", content);
        config["rootfs"]["diff_ids"] = vec![config["rootfs"]["diff_ids"][0].clone(); layers.len()].into();
        let config = layout.blob(crate::support::images::CONFIG, config.to_string());
        let manifest = layout.manifest(MANIFEST, &config, layers);
        layout.named(&with(&manifest, "platform", crate::support::images::platform("linux/amd64")), name);
    };
    image(&mut layout, "registry.test/right:1", "content", &layers[..3]);
    let daemon = Daemon::start();
    loaded(&daemon.client(), layout.tar());
    let place = daemon.stop();
    check(&place.data_root(), &["--deep"]).expect_spotless();
    image(&mut layout, "registry.test/wrong:1", "other", &layers[..1]);
    image(&mut layout, "registry.test/broken:1", "content", &layers[3..]);
    let daemon = Daemon::start_in(place);
    loaded(&daemon.client(), layout.tar());
    let place = daemon.stop();
    check(&place.data_root(), &[]).expect_spotless();
    // Content is what was published; no repair makes it another.
    for arguments in [&["--deep"][..], &["--deep", "--repair"]] {
        let report = check(&place.data_root(), arguments);
        assert_eq!((report.status, report.kinds()), (1, vec!["fault wrong-diff-id".to_owned(); 2]), "{report:?}");
    }
}

#[test]
fn what_cannot_be_checked_is_an_error_of_its_own() {
    let place = Place::new();
    let root = place.data_root();
    let fails = |path: &Path, text: &str| {
        for arguments in [&[][..], &["--repair"], &["--quick"]] {
            let report = check(path, arguments);
            assert_eq!(report.status, 2, "{report:?}");
            assert!(report.errors.starts_with("loadline: ") && report.errors.contains(text), "{report:?}");
            assert_eq!(report.errors.lines().count(), 1);
        }
    };
    fails(&root, "does not exist");
    fs::create_dir(&root).unwrap();
    fails(&root, "holds no metadata.redb");
    assert!(contents(&root).is_empty());
    fails(Path::new("/etc/passwd"), "is not a directory");
    let daemon = Daemon::start_in(place);
    fails(&root, "in use by another process");
    let place = daemon.stop();
    // Of a daemon that held nothing.
    check(&root, &[]).expect_spotless();
    let usage = loadline().args(["check", "--quick", "--deep"]).output().unwrap();
    assert_eq!(usage.status.code(), Some(2));
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(root.join("blobs/sha256"), fs::Permissions::from_mode(0o0)).unwrap();
        fails(&root, "ermission denied");
        fs::set_permissions(root.join("blobs/sha256"), fs::Permissions::from_mode(0o700)).unwrap();
    }
    drop(place);
}

#[test]
fn text_is_for_people_and_a_bar_for_terminals_only() {
    let root = Root::new();
    overwrite(&root.blob(&root.layer), |bytes| bytes[0] ^= 1);
    let mut command = loadline();
    command.args(["check", "--data-root"]).arg(root.path());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let expected = format!("fault corrupt-blob {}: its content hashes to sha256:", root.layer);
    assert!(lines.len() == 2 && lines[0].starts_with(&expected) && lines[0].contains("needed by"), "{text}");
    assert!(lines[1].contains(": 1 fault left (") && lines[1].contains("--repair"), "{text}");
    assert_eq!((output.status.code(), output.stderr), (Some(1), Vec::new()));
    // `script` gives a command a terminal.
    let mut terminal = std::process::Command::new("script");
    let line = format!("{:?} check --data-root {:?}", command.get_program(), root.path());
    let Ok(output) = terminal.args(["-qec", &line, "/dev/null"]).stdin(std::process::Stdio::null()).output() else {
        return crate::support::skip("script(1)");
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("reading blobs [") && text.contains("fault corrupt-blob"), "{text:?}");
    assert_eq!(output.status.code(), Some(1));
}
