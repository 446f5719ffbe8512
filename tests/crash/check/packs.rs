//! The same where blobs are in a pack.

use std::fs;
use std::os::unix::fs::symlink;

use loadline::domain::Digest;

use super::root::*;
use crate::support::checking::check;
use crate::support::daemon::Daemon;
use crate::support::images::Layout;
use crate::support::loading::{files, is_whole, loaded, row};

const PACK: &str = "packs/00000000.pack";

/// The length of the header of an entry.
const HEADER: usize = 48;

impl Root {
    /// Changes the pack, given where in it the header of a blob's entry begins.
    fn change_entry(&self, digest: &Digest, change: impl FnOnce(&mut Vec<u8>, usize)) {
        overwrite(&self.path().join(PACK), |bytes| {
            let hash = bytes.windows(32).position(|window| window == digest.bytes()).unwrap();
            change(bytes, hash + 32 - HEADER);
        });
    }

    /// The daemon starts on it, and with what is loaded again all is there.
    #[track_caller]
    fn heals_again(self) {
        let daemon = Daemon::start_in(self.place);
        loaded(&daemon.client(), self.archive);
        is_whole(&daemon);
        let image = row(&daemon.client(), APP);
        assert!(image["Manifests"].as_array().unwrap().iter().all(|manifest| manifest["Available"] == true), "{image}");
        check(&daemon.stop().data_root(), &["--deep"]).expect_spotless();
    }
}

#[test]
fn what_is_in_order_is_sound() {
    let root = Root::packed();
    assert_eq!(files(&root.path()).iter().collect::<Vec<_>>(), [PACK]);
    for arguments in [&[][..], &["--quick"], &["--deep"], &["--repair"], &["--deep", "--repair"]] {
        check(&root.path(), arguments).expect_spotless();
    }
    // Without its index, a pack says the same.
    fs::remove_file(root.path().join("packs/00000000.idx")).unwrap();
    check(&root.path(), &["--deep"]).expect_spotless();
    let daemon = Daemon::start_in(root.place);
    is_whole(&daemon);
    check(&daemon.stop().data_root(), &["--deep"]).expect_spotless();
}

#[test]
fn a_blob_that_changed_is_forgotten() {
    for without_index in [false, true] {
        let root = Root::packed();
        if without_index {
            fs::remove_file(root.path().join("packs/00000000.idx")).unwrap();
        }
        root.change_entry(&root.config, |bytes, at| bytes[at + HEADER + 10] ^= 1);
        check(&root.path(), &["--quick"]).expect_spotless();
        let found = root.heals(&["fault corrupt-blob"]);
        assert_eq!((&found[0]["subject"], &found[0]["names"][0]), (&root.config.to_string().into(), &APP.into()));
        root.heals_again();
    }
}

#[test]
fn a_start_after_a_crash_finds_out_what_is_lost() {
    let root = Root::packed();
    fs::remove_file(root.path().join("clean")).unwrap();
    fs::remove_file(root.path().join("packs/00000000.idx")).unwrap();
    root.change_entry(&root.config, |bytes, at| bytes[at + HEADER + 10] ^= 1);
    let daemon = Daemon::start_in(root.place);
    let available = row(&daemon.client(), APP)["Manifests"].clone();
    assert_eq!((&available[0]["Available"], &available[1]["Available"]), (&false.into(), &true.into()));
    loaded(&daemon.client(), root.archive);
    is_whole(&daemon);
}

#[test]
fn a_pack_that_is_gone_is_a_loss_of_what_was_in_it() {
    let root = Root::packed();
    fs::remove_file(root.path().join(PACK)).unwrap();
    let found = check(&root.path(), &[]);
    assert!(found.status == 1 && found.kinds().contains(&"fault missing-blob".to_owned()), "{found:#?}");
    check(&root.path(), &["--repair"]).expect_sound();
    root.heals_again();
}

#[test]
fn what_is_no_pack_is_a_stray() {
    let root = Root::packed();
    fs::write(root.path().join("packs/notes"), b"x").unwrap();
    fs::create_dir(root.path().join("packs/00000001.pack.d")).unwrap();
    symlink("/etc/passwd", root.path().join("packs/passwd")).unwrap();
    root.heals(&["fault stray-file", "fault stray-file", "fault stray-file"]);
    root.heals_again();
}

#[test]
fn what_a_crash_cut_short_is_no_fault() {
    let root = Root::packed();
    fs::remove_file(root.path().join("clean")).unwrap();
    let removed = Layout::of_one("registry.test/removed:1");
    let daemon = Daemon::start_in(root.place);
    loaded(&daemon.client(), removed.tar());
    daemon.client().delete("/images/registry.test/removed:1").expect(200);
    let place = daemon.kill();
    overwrite(&place.data_root().join(PACK), |bytes| bytes.extend_from_slice(b"LLb1 torn"));
    let found = check(&place.data_root(), &[]);
    assert_eq!((found.status, found.kinds()), (0, vec!["leftover unclean".to_owned()]), "{found:#?}");
    let daemon = Daemon::start_in(place);
    is_whole(&daemon);
    check(&daemon.stop().data_root(), &["--deep"]).expect_spotless();
}
