//! The docker CLI, of any version from 20.10 on.

mod changes;
mod finds;
mod registry;
mod space;

use std::process::Command;

use loadline::api::docker::versions::NEWEST_TEXT;
use serde_json::Value;
use tempfile::TempDir;

use super::{APP, Said, fixture, is_here, start, succeed, target};
use crate::support::daemon::Daemon;
use crate::support::images::{Layout, docker_archive};

struct Cli<'a> {
    daemon: &'a Daemon,
    home: TempDir,
}

impl<'a> Cli<'a> {
    /// `None` where there is no docker CLI.
    fn new(daemon: &'a Daemon) -> Option<Self> {
        is_here(Command::new("docker").arg("--version")).then(|| Self { daemon, home: tempfile::tempdir().unwrap() })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.arg("--host").arg(format!("unix://{}", self.daemon.socket().display())).args(arguments);
        // Nothing of this user's settings, and nobody else's daemon.
        command.env("HOME", self.home.path()).env("DOCKER_CONFIG", self.home.path()).env("NO_COLOR", "1");
        for name in
            ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_API_VERSION", "DOCKER_TLS_VERIFY", "DOCKER_DEFAULT_PLATFORM"]
        {
            command.env_remove(name);
        }
        command
    }

    #[track_caller]
    fn says(&self, arguments: &[&str]) -> Said {
        succeed(&mut self.command(arguments))
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(!output.status.success(), "docker {arguments:?} succeeds");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Whether a subcommand has an option.
    fn has(&self, subcommand: &[&str], option: &str) -> bool {
        let help = self.command(&[subcommand, &["--help"]].concat()).output().unwrap();
        let here = String::from_utf8_lossy(&help.stdout).contains(option);
        if !here {
            eprintln!("skipped: this docker has no {subcommand:?} {option}");
        }
        here
    }
}

#[test]
fn loads_and_lists() {
    let daemon = Daemon::start();
    let Some(cli) = Cli::new(&daemon) else { return };
    let archive = fixture();
    let said = cli.says(&["load", "-i", archive.to_str().unwrap()]).out;
    assert_eq!(said, format!("Loaded image: {APP}\nLoaded image: 127.0.0.1:5000/team/app:1.0\n"));
    let id = target(&daemon);

    let format = ["--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"];
    let mut images: Vec<String> =
        cli.says(&[&["images"][..], &format].concat()).out.lines().map(str::to_owned).collect();
    images.sort();
    assert_eq!(images, [format!("127.0.0.1:5000/team/app:1.0 {id}"), format!("{APP} {id}")]);
    assert!(cli.says(&["images"]).out.contains("registry.example/team/app"));
    assert_eq!(cli.says(&["images", "-q", "--no-trunc", "registry.example/team/app"]).out.trim(), id);
    assert!(cli.says(&["images", "--digests", "--filter", "reference=registry.example/*/*"]).out.contains(&id));
    assert_eq!(cli.says(&["images", "-q", "--filter", "dangling=true"]).out, "");
    assert!(cli.refused(&["images", "--filter", "colour=red"]).contains("colour"));
}

#[test]
fn saves_what_loads_again() {
    let (daemon, other) = (start(), Daemon::start());
    let (Some(cli), Some(others)) = (Cli::new(&daemon), Cli::new(&other)) else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("saved.tar");
    let file = path.to_str().unwrap();
    cli.says(&["save", "-o", file, APP]);
    assert_eq!(others.says(&["load", "-i", file]).out, format!("Loaded image: {APP}\n"));
    assert_eq!(target(&other), target(&daemon));
    assert!(cli.refused(&["save", "-o", file, "nope"]).contains("No such image: nope"));
    if cli.has(&["save"], "--platform") {
        cli.says(&["save", "--platform", "linux/arm64", "-o", file, APP]);
        others.says(&["load", "-i", file]);
        assert_eq!(others.says(&["inspect", "--format", "{{.Architecture}}", APP]).out.trim(), "arm64");
    }
}

#[test]
fn shows_platforms_as_a_tree() {
    let daemon = start();
    let Some(cli) = Cli::new(&daemon) else { return };
    if cli.has(&["image", "ls"], "--tree") {
        let tree = cli.says(&["image", "ls", "--tree"]).out;
        for platform in ["linux/amd64", "linux/arm64"] {
            assert!(tree.contains(platform), "{tree}");
        }
    }
}

#[test]
fn inspects_one_platform() {
    let daemon = start();
    let Some(cli) = Cli::new(&daemon) else { return };
    let shown: Value = serde_json::from_str(&cli.says(&["image", "inspect", APP]).out).unwrap();
    assert_eq!(shown[0]["Id"], target(&daemon));
    assert_eq!(shown[0]["RepoTags"].as_array().unwrap().len(), 2);
    assert!(cli.refused(&["image", "inspect", "nope"]).contains("No such image: nope"));
    assert_eq!(cli.says(&["inspect", "--type", "image", "--format", "{{.Os}}", APP]).out.trim(), "linux");
    cli.refused(&["inspect", "--type", "container", APP]);
    if cli.has(&["image", "inspect"], "--platform") {
        let shown: Value =
            serde_json::from_str(&cli.says(&["image", "inspect", "--platform", "linux/arm64", APP]).out).unwrap();
        assert_eq!(shown[0]["Architecture"], "arm64");
        assert!(cli.refused(&["image", "inspect", "--platform", "linux/s390x", APP]).contains("s390x"));
    }
    if cli.has(&["load"], "--platform") {
        let archive = fixture();
        cli.says(&["load", "--platform", "linux/arm64", "-i", archive.to_str().unwrap()]);
    }
}

#[test]
fn shows_history() {
    let daemon = start();
    let Some(cli) = Cli::new(&daemon) else { return };
    assert!(cli.says(&["history", "--no-trunc", APP]).out.contains("COPY"));
    if cli.has(&["history"], "--platform") {
        assert!(cli.says(&["history", "--platform", "linux/arm64", APP]).out.contains("COPY"));
    }
}

#[test]
fn asks_who_answers() {
    let daemon = start();
    let Some(cli) = Cli::new(&daemon) else { return };
    let version =
        cli.says(&["version", "--format", "{{.Server.APIVersion}} {{.Server.MinAPIVersion}} {{.Server.Os}}"]).out;
    assert_eq!(version.trim(), format!("{NEWEST_TEXT} 1.24 linux"));
    assert!(cli.says(&["version"]).out.contains("Server"));
    let info = cli.says(&["info"]);
    assert!(info.out.contains("Images: 1") && info.out.contains("overlayfs"), "{}", info.out);
    assert!(!info.out.contains("ERROR") && !info.err.contains("ERROR"), "{} {}", info.out, info.err);
}

#[test]
fn finds_nothing_else() {
    let daemon = start();
    let Some(cli) = Cli::new(&daemon) else { return };
    for list in [["ps", "-a", "-q"], ["volume", "ls", "-q"], ["network", "ls", "-q"], ["plugin", "ls", "-q"]] {
        assert_eq!(cli.says(&list).out, "", "{list:?}");
    }
    for prune in [["container", "prune", "-f"], ["volume", "prune", "-f"], ["network", "prune", "-f"]] {
        cli.says(&prune);
    }
    assert!(cli.refused(&["logs", "nope"]).contains("No such container: nope"));
    for (arguments, says) in [
        (&["node", "ls"][..], "swarm"),
        (&["inspect", "--type", "container", "nope"], "No such container"),
        (&["volume", "inspect", "nope"], "such volume"),
    ] {
        let said = cli.refused(arguments);
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}

#[test]
fn is_told_what_loadline_does_not_do() {
    let daemon = start();
    let Some(cli) = Cli::new(&daemon) else { return };
    for _ in 0..20 {
        for arguments in
            [&["volume", "create", "x"][..], &["network", "create", "x"], &["create", APP], &["commit", "x", "y"]]
        {
            let said = cli.refused(arguments);
            assert!(said.contains("Loadline"), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn does_not_build() {
    let daemon = start();
    let Some(cli) = Cli::new(&daemon) else { return };
    let context = tempfile::tempdir().unwrap();
    std::fs::write(context.path().join("Dockerfile"), format!("FROM {APP}\n")).unwrap();
    let mut command = cli.command(&["build", context.path().to_str().unwrap()]);
    let output = command.env("DOCKER_BUILDKIT", "0").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("Loadline"), "{said}");
}

#[test]
fn speaks_pinned_versions() {
    let daemon = start();
    let Some(cli) = Cli::new(&daemon) else { return };
    // The oldest that this client itself still speaks.
    for version in ["1.24", "1.41", "1.44", "1.47"] {
        let mut command = cli.command(&["images", "-q", "--no-trunc"]);
        let output = command.env("DOCKER_API_VERSION", version).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() && err.contains("client version") {
            assert!(!err.contains("Minimum supported API version is 1.24"), "the daemon refuses {version}: {err}");
            continue;
        }
        assert!(out.contains(&target(&daemon)), "{version}: {out} {err}");
    }
}

#[test]
fn says_why_an_archive_does_not_load() {
    let daemon = start();
    let Some(cli) = Cli::new(&daemon) else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("archive.tar");
    let file = path.to_str().unwrap();
    std::fs::write(&path, b"garbage".repeat(500)).unwrap();
    assert!(cli.refused(&["load", "-i", file]).contains("not a tar"));
    let whole = Layout::of_one("registry.test/cut:1").tar();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(cli.refused(&["load", "-i", file]).contains("end of the archive"));
    std::fs::write(&path, docker_archive(&["registry.test/archive:1"], &["one", "two"])).unwrap();
    assert_eq!(cli.says(&["load", "-q", "-i", file]).out.trim(), "Loaded image: registry.test/archive:1");
}
