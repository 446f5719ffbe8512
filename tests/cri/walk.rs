//! One image through the APIs that share the store: what Docker's clients load, kubelet's removes, and containerd's no
//! longer see.

use std::collections::BTreeSet;

use super::images::Node;
use crate::containerd::content;
use crate::support::daemon::Daemon;
use crate::support::images::Layout;
use crate::support::loading::{loaded, row};

#[tokio::test]
async fn what_docker_loads_kubelet_removes_and_containerd_no_longer_sees() {
    let daemon = Daemon::start();
    let mut node = Node::of(&daemon).await;
    let name = "registry.example/team/app:1";
    let layout = Layout::of_platforms(name, &["linux/amd64", "linux/arm64"]);
    loaded(&daemon.client(), layout.tar());

    let docker = row(&daemon.client(), name);
    let image = node.status(name).await.unwrap();
    let blobs: BTreeSet<String> = content::list(&daemon.socket(), &[]).await.unwrap().into_iter().collect();
    assert_eq!(blobs, layout.digests().into_iter().collect());
    assert!(blobs.contains(docker["Id"].as_str().unwrap()) && blobs.contains(&image.id));
    assert_eq!(image.repo_digests, [format!("registry.example/team/app@{}", docker["Id"].as_str().unwrap())]);
    daemon.client().post("/images/registry.example/team/app:1/tag?repo=other&tag=2", "", "").expect(201);
    assert_eq!(node.status("other:2").await.unwrap().repo_tags, ["docker.io/library/other:2", name]);

    node.remove("other:2").await;
    assert_eq!(daemon.client().get("/images/json").expect(200).json(), serde_json::json!([]));
    daemon.client().get(&format!("/images/{name}/json")).expect(404);
    assert!(content::list(&daemon.socket(), &[]).await.unwrap().is_empty());
    // The answer ends when that second is over.
    let past = format!("/events?since=1&until={}", jiff::Timestamp::now().as_second() + 1);
    let events = daemon.client().get(&past).expect(200).text().to_owned();
    assert_eq!(events.matches(r#""Action":"untag""#).count(), 2, "{events}");
    assert_eq!(events.matches(r#""Action":"delete""#).count(), 1, "{events}");
}
