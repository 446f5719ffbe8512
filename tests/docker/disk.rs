//! A full disk: an error that says so, nothing left behind, and work that goes on when there is room.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::pull::{eventually, ingests, last, layer, pull};
use crate::support::daemon::{Daemon, Place, UNPACKED};
use crate::support::http::Request;
use crate::support::images::{CONFIG, LAYER, Layout, MANIFEST, config};
use crate::support::loading::{files, is_whole, loaded, refused, row};
use crate::support::registry::Registry;
use crate::support::skip;

/// A file system of its own for a data root, in memory; taken away when dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None` where this process may not mount, and tests may be skipped.
    #[track_caller]
    fn mount(path: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "loadline-test"])
            .arg(path)
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(path.to_owned())),
            other => {
                skip(&format!("the right to mount a file system of a limited size: {other:?}"));
                None
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        // What held the mount point could not be removed with it.
        let _ = self.0.parent().map(std::fs::remove_dir_all);
    }
}

/// An image with a layer of a size, and many small ones.
fn image(name: &str, size: usize, small: usize) -> Vec<u8> {
    let mut layout = Layout::default();
    let mut layers = vec![layout.blob(LAYER, (0..size).map(|n| (n % 249) as u8).collect::<Vec<_>>())];
    layers.extend((0..small).map(|n| layout.blob(LAYER, format!("{name} {n}"))));
    let config = layout.blob(CONFIG, config("linux/amd64", name).to_string());
    let image = layout.manifest(MANIFEST, &config, &layers);
    layout.named(&image, name);
    layout.tar()
}

#[test]
fn what_is_too_large_leaves_the_room_that_there_was() {
    let place = Place::with(UNPACKED, &[]);
    let root = place.data_root();
    let Some(_disk) = Disk::mount(&root, "24m") else { return };
    let daemon = Daemon::start_in(place);
    let client = daemon.client();
    loaded(&client, image("registry.test/fits:1", 1 << 20, 3));
    let held = files(&root);
    let mut junk = Layout::of_one("registry.test/junk:1");
    junk.blob("application/octet-stream", vec![5; 40 << 20]);
    for (what, archive) in [
        ("a large layer", image("registry.test/large:1", 64 << 20, 0)),
        ("many small layers", image("registry.test/small:1", 0, 20_000)),
        ("what nothing names", junk.tar()),
    ] {
        let text = refused(&client, archive);
        assert!(text.contains("no space left"), "{what}: {text}");
        assert_eq!(files(&root), held, "{what}");
        assert_eq!(row(&client, "registry.test/fits:1")["Manifests"][0]["Available"], true);
    }
    // Half of the disk still fits.
    loaded(&client, image("registry.test/next:1", 12 << 20, 20));
    is_whole(&daemon);
}

#[test]
fn a_disk_that_others_filled_is_used_again_when_there_is_room() {
    for arguments in [&[], UNPACKED] {
        is_used_again(Place::with(arguments, &[]));
    }
}

fn is_used_again(place: Place) {
    let root = place.data_root();
    let Some(_disk) = Disk::mount(&root, "24m") else { return };
    let daemon = Daemon::start_in(place);
    let client = daemon.client();
    loaded(&client, image("registry.test/fits:1", 1 << 20, 3));
    let held = files(&root);
    let filler = root.join("filler");
    for round in 0..3 {
        let mut file = std::fs::File::create(&filler).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        drop(file);
        for (size, small) in [(500_000, 5), (5000, 0), (0, 200)] {
            let text = refused(&client, image("registry.test/none:1", size, small));
            assert!(text.contains("no space left"), "round {round}, {size} {small}: {text}");
            assert_eq!(files(&root), held);
        }
        assert_eq!(row(&client, "registry.test/fits:1")["Manifests"][0]["Available"], true);
        std::fs::remove_file(&filler).unwrap();
        loaded(&client, image("registry.test/fits:1", 1 << 20, 3));
        assert_eq!(files(&root), held);
    }
    loaded(&client, image("registry.test/room:1", 1 << 20, 20));
    let daemon = daemon.crash_and_restart();
    is_whole(&daemon);
    assert_eq!(daemon.client().get("/images/json").expect(200).json().as_array().unwrap().len(), 2);
}

#[test]
fn a_pull_that_does_not_fit_keeps_what_there_was_and_is_forgotten() {
    let place = Place::with(UNPACKED, &[]);
    let root = place.data_root();
    let Some(_disk) = Disk::mount(&root, "24m") else { return };
    let (daemon, registry) = (Daemon::start_in(place), Registry::start());
    let client = daemon.client();
    loaded(&client, image("registry.test/fits:1", 1 << 20, 3));
    let held = files(&root);
    registry.put_image("large", Some("1"), &[layer(5 << 20, 1), layer(40 << 20, 2)]);
    registry.put_image("good", Some("1"), &[layer(16 << 20, 3)]);
    let query = |name: &str| format!("fromImage={}/{name}:1", registry.host());
    let said = pull(&client, &query("large"));
    assert!(last(&said).contains("no space left"), "{said:?}");
    eventually("something is left", || files(&root) == held);
    // What was kept of a pull that was given up makes room for what is needed now.
    registry.faults().stall_blobs = Some(10 << 20);
    let open = client.open(&Request::post(&format!("/images/create?{}", query("large")))).unwrap();
    let partial = root.join("partial");
    let size = |directory: &Path| {
        let files = std::fs::read_dir(directory).unwrap().flatten();
        files.filter_map(|file| Some(file.metadata().ok()?.len())).sum::<u64>()
    };
    eventually("nothing is fetched", || size(&root.join("ingest")) > 14 << 20);
    drop(open);
    eventually("the pull goes on", || ingests(&daemon) == 0);
    assert!(size(&partial) > 1 << 20, "nothing is kept");
    registry.faults().stall_blobs = None;
    let said = pull(&client, &query("good"));
    assert!(last(&said).starts_with("Status: Downloaded newer image"), "{said:?}");
    assert_eq!(size(&partial), 0);
    is_whole(&daemon);
}
