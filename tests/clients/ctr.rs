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
