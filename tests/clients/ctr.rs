//! containerd's own client, reading content.

use std::process::Command;

use super::{is_here, run, start_unpacked, succeed};
use crate::support::daemon::Daemon;
use crate::support::loading::files;

fn ctr(daemon: &Daemon, arguments: &[&str]) -> Command {
    let mut command = Command::new("ctr");
    command.arg("--address").arg(daemon.socket()).args(arguments);
    for name in ["CONTAINERD_ADDRESS", "CONTAINERD_NAMESPACE"] {
        command.env_remove(name);
    }
    command
}

fn digests(daemon: &Daemon) -> Vec<String> {
    let blobs =
        files(&daemon.data_root()).into_iter().filter_map(|file| Some(file.strip_prefix("blobs/")?.replace('/', ":")));
    blobs.collect()
}

#[test]
fn lists_and_reads_content() {
    if !is_here(Command::new("ctr").arg("--version")) {
        return;
    }
    let daemon = start_unpacked();
    let listed = succeed(&mut ctr(&daemon, &["content", "ls"]));
    assert_eq!(listed.err, "", "ctr warns");
    let quiet = succeed(&mut ctr(&daemon, &["content", "ls", "-q"]));
    let mut found: Vec<&str> = quiet.out.lines().collect();
    found.sort_unstable();
    let all = digests(&daemon);
    assert_eq!(found, all);
    assert!(all.iter().all(|digest| listed.out.contains(digest.as_str())));

    for digest in &all {
        let output = run(&mut ctr(&daemon, &["content", "get", digest]));
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let file = daemon.data_root().join("blobs").join(digest.replace(':', "/"));
        assert!(output.stdout == std::fs::read(file).unwrap(), "{digest}");
    }
    let absent = format!("sha256:{}", "0".repeat(64));
    let output = run(&mut ctr(&daemon, &["content", "get", &absent]));
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("not found"));
}

#[test]
fn filters_and_namespaces() {
    if !is_here(Command::new("ctr").arg("--version")) {
        return;
    }
    let daemon = start_unpacked();
    let one = &digests(&daemon)[0];
    let filtered = succeed(&mut ctr(&daemon, &["content", "ls", "-q", &format!("digest=={one}")]));
    assert_eq!(filtered.out.trim(), one);
    for namespace in ["default", "k8s.io", "moby"] {
        let listed = succeed(&mut ctr(&daemon, &["--namespace", namespace, "content", "ls", "-q"]));
        assert_eq!(listed.out.lines().count(), digests(&daemon).len());
    }
    assert_eq!(succeed(&mut ctr(&daemon, &["content", "active"])).err, "");
    let version = succeed(&mut ctr(&daemon, &["version"]));
    assert!(version.out.contains("loadline"), "{}", version.out);
}

#[test]
fn is_refused_where_it_would_write() {
    if !is_here(Command::new("ctr").arg("--version")) {
        return;
    }
    let daemon = start_unpacked();
    let before = digests(&daemon);
    for arguments in [&["content", "rm", &before[0]][..], &["content", "label", &before[0], "a=b"]] {
        let output = run(&mut ctr(&daemon, arguments));
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && said.contains("read-only"), "{arguments:?}: {said}");
    }
    assert_eq!(digests(&daemon), before);
}

/// What `ctr images ls -q` prints.
fn names(daemon: &Daemon) -> Vec<String> {
    succeed(&mut ctr(daemon, &["images", "ls", "-q"])).out.lines().map(str::to_owned).collect()
}

#[test]
fn lists_labels_tags_and_removes_images() {
    if !is_here(Command::new("ctr").arg("--version")) {
        return;
    }
    let daemon = start_unpacked();
    let before = names(&daemon);
    assert!(before.is_sorted() && before.len() >= 2, "{before:?}");
    let app = "registry.example/team/app:1.0";
    let listed = succeed(&mut ctr(&daemon, &["images", "ls"]));
    assert_eq!(listed.err, "", "ctr warns");
    let row = listed.out.lines().find(|line| line.starts_with(app)).unwrap();
    for part in ["application/vnd.oci.image.index.v1+json", "sha256:52a3f311", "linux/amd64", "linux/arm64"] {
        assert!(row.contains(part), "{row}");
    }

    succeed(&mut ctr(&daemon, &["images", "label", app, "who=ctr", "a.b/c=d"]));
    assert!(succeed(&mut ctr(&daemon, &["images", "ls", "labels.who==ctr"])).out.contains("a.b/c=d,who=ctr"));
    succeed(&mut ctr(&daemon, &["images", "label", app, "who="]));
    assert!(!succeed(&mut ctr(&daemon, &["images", "ls"])).out.contains("who="));

    // A name is taken as it is written.
    succeed(&mut ctr(&daemon, &["images", "tag", app, "a:2", "docker.io/library/a:3"]));
    assert_eq!(names(&daemon).len(), before.len() + 2);
    assert!(
        daemon.client().get("/images/a:3/json").status == 200 && daemon.client().get("/images/a:2/json").status == 404
    );
    let again = run(&mut ctr(&daemon, &["images", "tag", app, "a:2"]));
    assert!(String::from_utf8_lossy(&again.stderr).contains("already exists"), "{again:?}");
    succeed(&mut ctr(&daemon, &["images", "tag", "--force", app, "a:2"]));

    let checked = succeed(&mut ctr(&daemon, &["images", "check"]));
    let row = checked.out.lines().find(|line| line.starts_with(app)).unwrap();
    assert!(row.contains("complete"), "{row}");

    succeed(&mut ctr(&daemon, &["images", "rm", "a:2", "docker.io/library/a:3"]));
    assert_eq!(names(&daemon), before);
    for name in &before {
        succeed(&mut ctr(&daemon, &["images", "rm", "--sync", name]));
    }
    assert_eq!((names(&daemon), digests(&daemon)), (vec![], vec![]));
    let absent = run(&mut ctr(&daemon, &["images", "rm", "nope"]));
    let said = String::from_utf8_lossy(&[absent.stdout, absent.stderr].concat()).into_owned();
    assert!(said.contains("not found"), "{said}");
}

#[test]
fn exports_what_docker_loads_again() {
    if !is_here(Command::new("ctr").arg("--version")) {
        return;
    }
    let daemon = start_unpacked();
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("app.tar");
    let app = "registry.example/team/app:1.0";
    succeed(&mut ctr(&daemon, &["images", "export", "--all-platforms", archive.to_str().unwrap(), app]));
    let other = Daemon::start();
    let loaded = crate::support::loading::loaded(&other.client(), std::fs::read(&archive).unwrap());
    assert_eq!(loaded, [app]);
    let id = |daemon: &Daemon| daemon.client().get(&format!("/images/{app}/json")).expect(200).json()["Id"].clone();
    assert_eq!(id(&daemon), id(&other));
}
