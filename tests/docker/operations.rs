//! What the log says of operations that ended well: one line each, with image, digest, client and duration.

use crate::support::daemon::Daemon;
use crate::support::http::Request;
use crate::support::loading::{lines, load};
use crate::support::registry::Registry;
use crate::support::repository;

const INDEX: &str = "sha256:52a3f31150ff3df0b6890a3170c7bb8f9b9be1f70b047fd4b905b544bd9979f7";

/// The one line of the log that holds a text, once it is there.
#[track_caller]
fn line(daemon: &Daemon, text: &str) -> String {
    let log = daemon.log_with(text);
    let found: Vec<&str> = log.lines().filter(|line| line.contains(text)).collect();
    let [line] = found[..] else { panic!("{} lines with {text:?}: {found:?}", found.len()) };
    let client = format!("client{{pid={} uid={}}}", std::process::id(), rustix::process::geteuid().as_raw());
    assert!(line.contains("INFO") && line.contains(&client) && line.contains("duration_ms="), "{line}");
    line.to_owned()
}

#[test]
fn every_change_leaves_one_line() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let (client, host) = (daemon.client(), registry.host());
    load(&client, std::fs::read(repository("tests/fixtures/app-oci.tar")).unwrap());
    let loaded = line(&daemon, "loaded an archive");
    assert!(loaded.contains("registry.example/team/app:1.0") && loaded.contains(INDEX), "{loaded}");

    let tag = format!("/images/registry.example/team/app:1.0/tag?repo={host}/copy&tag=1");
    client.send(&Request::post(&tag)).expect(201);
    let image = format!("image.name={host}/copy:1 image.digest={INDEX}");
    assert!(line(&daemon, "tagged an image").contains(&image));

    lines(&client.send(&Request::post(&format!("/images/{host}/copy:1/push"))).expect(200));
    assert!(line(&daemon, "pushed an image").contains(&image));

    client.delete(&format!("/images/{host}/copy:1")).expect(200);
    assert!(line(&daemon, "untagged an image").contains(&image));

    lines(&client.send(&Request::post(&format!("/images/create?fromImage={host}/copy:1"))).expect(200));
    assert!(line(&daemon, "pulled an image").contains(&image));

    let rootfs = std::fs::read(repository("tests/fixtures/tiny-rootfs.tar")).unwrap();
    let import = Request::post("/images/create?fromSrc=-&repo=imported").body(rootfs);
    lines(&client.send(&import).expect(200));
    assert!(line(&daemon, "imported an image").contains("image.name=imported:latest image.digest=sha256:"));

    client.delete("/images/imported").expect(200);
    assert!(line(&daemon, "removed an image").contains("image.name=imported:latest image.digest=sha256:"));

    client.post("/images/prune", "application/json", "").expect(200);
    assert!(line(&daemon, "pruned").contains("images=0 bytes="));
}
