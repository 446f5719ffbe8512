//! containerd, importing what the daemon saved, and the daemon, loading what containerd exports.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{APP, is_here, save, start_unpacked, succeed, target};
use crate::support::daemon::{Daemon, Process};
use crate::support::loading::{is_whole, loaded};
use crate::support::repository;

const LEGACY: &str = "docker.io/legacy/three-layers:1";
const START_LIMIT: Duration = Duration::from_secs(30);

/// A containerd with nothing in it, which runs until it is dropped.
struct Containerd {
    // Before the directory that it writes to.
    process: Process,
    place: TempDir,
}

impl Containerd {
    /// `None` where there is none.
    fn start() -> Option<Self> {
        let here =
            is_here(Command::new("containerd").arg("--version")) && is_here(Command::new("ctr").arg("--version"));
        if !here {
            return None;
        }
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("config.toml");
        let owner =
            format!("uid = {}\ngid = {}\n", rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let config =
            format!("version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n{owner}[ttrpc]\n{owner}");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("containerd");
        command.arg("--config").arg(&file);
        for (option, name) in [("--address", "socket"), ("--root", "root"), ("--state", "state")] {
            command.arg(option).arg(place.path().join(name));
        }
        let process = Process::spawn(command.stdin(Stdio::null()));
        let mut containerd = Self { process, place };
        containerd.wait_until_ready();
        Some(containerd)
    }

    fn wait_until_ready(&mut self) {
        let start = Instant::now();
        while !self.ctr(&["version"]).output().is_ok_and(|output| output.status.success()) {
            assert!(self.process.status().is_none(), "containerd ended at its start");
            assert!(start.elapsed() < START_LIMIT, "containerd does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn ctr(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.place.path().join("socket")).args(arguments);
        command.env_remove("CONTAINERD_ADDRESS").env_remove("CONTAINERD_NAMESPACE");
        command
    }

    /// A row of a table, in words.
    #[track_caller]
    fn row(&self, list: &[&str], name: &str) -> Vec<String> {
        let table = succeed(&mut self.ctr(list)).out;
        let row = table.lines().find(|line| line.split_whitespace().next() == Some(name));
        row.unwrap_or_else(|| panic!("{name} is not in {table}")).split_whitespace().map(str::to_owned).collect()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn imports_what_was_saved_and_gives_it_back() {
    let Some(containerd) = Containerd::start() else { return };
    let daemon = start_unpacked();
    loaded(&daemon.client(), std::fs::read(repository("tests/fixtures/legacy-docker-archive.tar")).unwrap());
    let legacy = daemon.client().get(&format!("/images/{LEGACY}/json")).expect(200).json();
    let images = [(APP, target(&daemon)), (LEGACY, legacy["Id"].as_str().unwrap().to_owned())];
    let archive = containerd.place.path().join("saved.tar");
    save(&daemon, &[APP, LEGACY], &archive);
    succeed(&mut containerd.ctr(&["images", "import", "--no-unpack", "--all-platforms", text(&archive)]));
    for (name, digest) in &images {
        let row = containerd.row(&["images", "ls"], name);
        assert_eq!(row[2], *digest, "{row:?}");
        let row = containerd.row(&["images", "check"], name);
        assert!(row[2] == *digest && row[3] == "complete", "{row:?}");
    }
    // Every blob of the image arrived, the statements too.
    let content = succeed(&mut containerd.ctr(&["content", "ls", "-q"])).out;
    for file in std::fs::read_dir(daemon.data_root().join("blobs/sha256")).unwrap() {
        let name = file.unwrap().file_name();
        assert!(content.contains(name.to_str().unwrap()), "{name:?} is not in {content}");
    }

    let exported = containerd.place.path().join("exported.tar");
    succeed(&mut containerd.ctr(&["images", "export", "--all-platforms", text(&exported), APP, LEGACY]));
    let other = Daemon::start();
    let mut names = loaded(&other.client(), std::fs::read(&exported).unwrap());
    names.sort();
    assert_eq!(names, [LEGACY.trim_start_matches("docker.io/"), APP]);
    assert_eq!(target(&other), target(&daemon));
    is_whole(&other);
}
