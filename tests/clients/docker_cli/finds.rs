//! Images from elsewhere: root file systems that become images, and an index that is searched.

use std::fs::File;

use serde_json::Value;

use super::Cli;
use crate::clients::{index, save};
use crate::support::daemon::Daemon;
use crate::support::loading::{is_whole, loaded};
use crate::support::repository;

#[test]
fn imports_root_file_systems() {
    let daemon = Daemon::start();
    let Some(cli) = Cli::new(&daemon) else { return };
    let archive = repository("tests/fixtures/tiny-rootfs.tar");
    let file = archive.to_str().unwrap();
    let said = cli.says(&["import", "-c", "CMD [\"/bin/true\"]", "-c", "ENV A=b", "-m", "a note", file, "imported:1"]);
    let id = said.out.trim().to_owned();
    let shown: Value = serde_json::from_str(&cli.says(&["image", "inspect", "imported:1"]).out).unwrap();
    assert_eq!(shown[0]["Id"], id);
    assert_eq!(shown[0]["Config"]["Cmd"], serde_json::json!(["/bin/true"]));
    assert_eq!(shown[0]["Config"]["Env"], serde_json::json!(["A=b"]));
    assert_eq!(shown[0]["Comment"], "a note");
    assert!(cli.says(&["history", "--format", "{{.Comment}}", "imported:1"]).out.contains("a note"));

    let mut piped = cli.command(&["import", "-", "imported:piped"]);
    assert!(piped.stdin(File::open(&archive).unwrap()).output().unwrap().status.success());
    if cli.has(&["import"], "--platform") {
        cli.says(&["import", "--platform", "linux/arm64", file, "imported:arm"]);
        assert_eq!(cli.says(&["inspect", "--format", "{{.Architecture}}", "imported:arm"]).out.trim(), "arm64");
    }
    assert!(cli.refused(&["import", "-c", "RUN true", file]).contains("run is not a valid change command"));
    is_whole(&daemon);

    // What was imported is an image like others.
    let directory = tempfile::tempdir().unwrap();
    let saved = directory.path().join("saved.tar");
    save(&daemon, &["imported:1"], &saved);
    let other = Daemon::start();
    assert_eq!(loaded(&other.client(), std::fs::read(saved).unwrap()), ["imported:1"]);
    assert_eq!(other.client().get("/images/imported:1/json").expect(200).json()["Id"], id);
}

#[test]
fn searches_an_index() {
    let (daemon, index) = (Daemon::start(), index());
    let Some(cli) = Cli::new(&daemon) else { return };
    let term = format!("{}/app", index.host());
    let table = cli.says(&["search", &term]).out;
    assert!(table.contains("team/app") && table.contains("what team/app is"), "{table}");
    let format = ["--format", "{{.Name}} {{.StarCount}} {{.IsOfficial}}"];
    assert_eq!(cli.says(&[&["search", &term][..], &format].concat()).out, "app 100 [OK]\nteam/app 3 \n");
    for options in [["--filter", "stars=50"], ["--filter", "is-official=true"], ["--limit", "1"]] {
        assert_eq!(
            cli.says(&[&["search", &term][..], &options, &format].concat()).out,
            "app 100 [OK]\n",
            "{options:?}"
        );
    }
    assert!(cli.refused(&["search", "--filter", "colour=red", &term]).contains("colour"));
}
