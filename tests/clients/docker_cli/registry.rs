//! `docker pull`, `push` and `login` with a registry.

use loadline::domain::Digest;

use super::super::{APP, start, target};
use super::Cli;
use crate::support::daemon::Daemon;
use crate::support::registry::Registry;

fn registry() -> Registry {
    let registry = Registry::start();
    for (tag, seed) in [("1", 1), ("2", 2)] {
        registry.put_image("team/app", Some(tag), &[vec![seed; 300_000], b"shared".to_vec()]);
    }
    registry
}

#[test]
fn pulls_by_tag_by_digest_and_all() {
    let (daemon, registry) = (Daemon::start(), registry());
    let Some(cli) = Cli::new(&daemon) else { return };
    let repository = format!("{}/team/app", registry.host());
    let digest = Digest::of(&registry.manifest("team/app", "1").unwrap().1);

    let said = cli.says(&["pull", &format!("{repository}:1")]).out;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "1: Pulling from team/app", "{said}");
    assert_eq!(lines.iter().filter(|line| line.ends_with(": Pull complete")).count(), 2, "{said}");
    let end = [
        format!("Digest: {digest}"),
        format!("Status: Downloaded newer image for {repository}:1"),
        format!("{repository}:1"),
    ];
    assert_eq!(lines[lines.len() - 3..], end, "{said}");
    let again = cli.says(&["pull", &format!("{repository}:1")]).out;
    assert!(again.contains(&format!("Status: Image is up to date for {repository}:1")), "{again}");
    assert_eq!(cli.says(&["pull", "-q", &format!("{repository}:1")]).out.trim(), format!("{repository}:1"));

    let by_digest = format!("{repository}@{digest}");
    let said = cli.says(&["pull", &by_digest]).out;
    assert!(said.contains(&format!("{by_digest}\n")), "{said}");
    assert_eq!(
        cli.says(&["inspect", "--type", "image", "--format", "{{.Id}}", &by_digest]).out.trim(),
        digest.to_string()
    );

    let said = cli.says(&["pull", "-a", &repository]).out;
    assert!(said.contains("1: Pulling from team/app") && said.contains("2: Pulling from team/app"), "{said}");
    let format = ["--format", "{{.Repository}}:{{.Tag}}"];
    let listed = cli.says(&[&["images"][..], &format].concat()).out;
    for tag in ["1", "2"] {
        assert!(listed.lines().any(|line| line == format!("{repository}:{tag}")), "{listed}");
    }
    let said = cli.says(&["pull", "--platform", "linux/amd64", &format!("{repository}:2")]).out;
    assert!(said.contains("Image is up to date"), "{said}");
}

#[test]
fn is_told_what_cannot_be_pulled_or_pushed() {
    let (daemon, registry) = (Daemon::start(), registry());
    let Some(cli) = Cli::new(&daemon) else { return };
    let name = format!("{}/team/app", registry.host());
    let said = cli.refused(&["pull", &format!("{name}:nope")]);
    let text = format!("failed to resolve reference \"{name}:nope\": {name}:nope: not found");
    assert!(said.contains(&format!("Error response from daemon: {text}")), "{said}");
    let said = cli.refused(&["pull", "127.0.0.1:1/a/b"]);
    assert!(said.contains("127.0.0.1:1"), "{said}");
    let said = cli.refused(&["push", &format!("{name}:nope")]);
    assert!(said.contains(&format!("tag does not exist: {name}:nope")), "{said}");
    let said = cli.refused(&["push", "-a", &name]);
    assert!(said.contains("An image does not exist locally with the tag"), "{said}");
    registry.faults().truncate_blobs = Some(1000);
    registry.faults().no_range = true;
    // The layers' own lines go to standard output before the error.
    assert!(!cli.refused(&["pull", &format!("{name}:1")]).is_empty());
}

#[test]
fn pushes_what_comes_back_the_same() {
    let (daemon, other, registry) = (start(), Daemon::start(), Registry::start());
    let (Some(cli), Some(others)) = (Cli::new(&daemon), Cli::new(&other)) else { return };
    let name = format!("{}/pushed/app", registry.host());
    for tag in ["1", "2"] {
        cli.says(&["tag", APP, &format!("{name}:{tag}")]);
    }
    let said = cli.says(&["push", &format!("{name}:1")]).out;
    assert!(said.starts_with(&format!("The push refers to repository [{name}]\n")), "{said}");
    assert!(
        said.contains(": Pushed") && said.contains(&format!("1: digest: {} size: 2385", target(&daemon))),
        "{said}"
    );
    let said = cli.says(&["push", "-a", &name]).out;
    assert!(said.contains(": Layer already exists") && said.contains("2: digest: "), "{said}");
    assert_eq!(others.says(&["pull", "-q", &format!("{name}:2")]).out.trim(), format!("{name}:2"));
    let format = ["--type", "image", "--format", "{{.Id}}"];
    let pulled = others.says(&[&["inspect"][..], &format, &[&format!("{name}:2")]].concat()).out;
    assert_eq!(pulled.trim(), target(&daemon));
    // Only one platform is there: it goes in place of the index, and the client says so.
    others.says(&["tag", &format!("{name}:2"), &format!("{name}:3")]);
    let said = others.says(&["push", &format!("{name}:3")]);
    assert!(said.out.contains("3: digest: "), "{}", said.out);
    if cli.has(&["push"], "--platform") {
        let said = cli.says(&["push", "--platform", "linux/arm64", &format!("{name}:1")]).out;
        assert!(said.contains("1: digest: ") && !said.contains(&target(&daemon)), "{said}");
    }
}

#[test]
fn logs_in_and_out() {
    let (daemon, registry) = (Daemon::start(), registry());
    let Some(cli) = Cli::new(&daemon) else { return };
    registry.faults().token_user = Some(("ann".into(), "secret".into()));
    let (host, name) = (registry.host(), format!("{}/team/app:1", registry.host()));
    assert!(cli.refused(&["pull", &name]).contains("pull access denied"));
    assert!(!cli.refused(&["login", "-u", "ann", "-p", "wrong", &host]).contains("Login Succeeded"));
    assert!(cli.says(&["login", "-u", "ann", "-p", "secret", &host]).out.contains("Login Succeeded"));
    cli.says(&["pull", &name]);
    cli.says(&["push", &name]);
    cli.says(&["logout", &host]);
    assert!(cli.refused(&["pull", &name]).contains("pull access denied"));
}
