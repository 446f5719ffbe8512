//! What images take, and taking it back.

use super::Cli;
use crate::clients::{APP, start};
use crate::support::daemon::Daemon;
use crate::support::images::Layout;
use crate::support::loading::{files, loaded};

/// A daemon with the fixture, an image of another name, and one that lost its name.
fn full() -> Daemon {
    let daemon = start();
    let client = daemon.client();
    loaded(&client, Layout::of_one("registry.test/kept:1").tar());
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", "nameless");
    layout.listed(&image);
    loaded(&client, layout.tar());
    daemon
}

/// Fails where a data root still holds a blob or an ingest.
#[track_caller]
fn is_empty(daemon: &Daemon) {
    assert_eq!(files(&daemon.data_root()), std::collections::BTreeSet::new());
}

#[test]
fn shows_what_images_take() {
    let daemon = full();
    let Some(cli) = Cli::new(&daemon) else { return };
    let table = cli.says(&["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}"]).out;
    let images = table.lines().next().unwrap();
    assert!(images.starts_with("Images 3 0 3.0") && images.ends_with("MB"), "{table}");
    assert!(table.contains("Containers 0 0 0B") && table.contains("Build Cache 0 0 0B"), "{table}");
    let detail = cli.says(&["system", "df", "-v"]).out;
    for part in ["registry.test/kept", "<none>", "SHARED SIZE", "Build cache usage: 0B"] {
        assert!(detail.contains(part), "{part}: {detail}");
    }
}

#[test]
fn prunes_images() {
    let daemon = full();
    let Some(cli) = Cli::new(&daemon) else { return };
    let before = files(&daemon.data_root());
    for filter in ["until=200000h", "label=nope"] {
        let said = cli.says(&["image", "prune", "-a", "-f", "--filter", filter]).out;
        assert_eq!(said, "Total reclaimed space: 0B\n", "{filter}");
    }
    assert!(cli.refused(&["image", "prune", "-f", "--filter", "colour=red"]).contains("colour"));
    assert_eq!(files(&daemon.data_root()), before);
    let said = cli.says(&["image", "prune", "-f"]).out;
    assert!(said.contains("deleted: sha256:") && !said.contains("untagged: registry"), "{said}");
    assert_eq!(cli.says(&["images", "-q", "--filter", "dangling=true"]).out, "");
    let said = cli.says(&["image", "prune", "-a", "-f", "--filter", "label=org.opencontainers.image.version"]).out;
    assert!(said.contains(&format!("untagged: {APP}")) && said.contains("Total reclaimed space: 3.0"), "{said}");
    assert_eq!(cli.says(&["images", "--format", "{{.Repository}}"]).out, "registry.test/kept\n");
    cli.says(&["image", "prune", "-a", "-f"]);
    is_empty(&daemon);
}

#[test]
fn prunes_the_whole_system() {
    let daemon = full();
    let Some(cli) = Cli::new(&daemon) else { return };
    let said = cli.says(&["system", "prune", "-f"]).out;
    assert!(said.contains("deleted: sha256:") && !said.contains("untagged: registry"), "{said}");
    let said = cli.says(&["system", "prune", "-a", "-f", "--volumes"]).out;
    assert!(said.contains(&format!("untagged: {APP}")) && said.contains("Total reclaimed space: 3.0"), "{said}");
    is_empty(&daemon);
    assert_eq!(cli.says(&["system", "prune", "-a", "-f"]).out, "Total reclaimed space: 0B\n");
    assert!(cli.says(&["builder", "prune", "-a", "-f"]).out.contains("Total"));
}
