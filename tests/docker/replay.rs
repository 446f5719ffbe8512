//! Replays the answers of a real Docker Engine.

use crate::support::daemon::Daemon;
use crate::support::registry::Registry;
use crate::support::replay::Replay;
use crate::support::repository;

/// Steps whose answer differs on purpose: the step, where it differs, and why. A status is named with its value
/// (`status: 400, recorded 200`), so that no other one passes for it; `body.*` is everything below the body.
const DEVIATIONS: &[(&str, &[&str], &str)] = &[
    (
        "version",
        &[
            "body.MinAPIVersion",
            "body.Components",
            "body.Components[0].Details.MinAPIVersion",
            "body.Components[0].Details.Module",
            "body.Components[0].Details.ModuleVersion",
        ],
        "every version from 1.24 on is served, where the recorded engine stops at 1.40; there is no containerd, runc or \
         Go module beside it",
    ),
    (
        "inspect-by-manifest-digest",
        &["status: 200, recorded 404", "body.*"],
        "the digest of a platform's manifest is accepted, as older stores did",
    ),
    (
        "inspect-by-config-digest",
        &["status: 200, recorded 404", "body.*"],
        "the digest of a platform's config is accepted, as older stores did",
    ),
    ("attest-platform-missing", &["body.message"], "the recorded text shows a Go structure; ours is in plain words"),
    (
        "load-garbage",
        &["body.error", "body.errorDetail.message"],
        "the recorded text is that of a library; ours says what is wrong with the archive",
    ),
    (
        "load-empty",
        &["body.error", "body.errorDetail.message"],
        "ours adds to the recorded text that the archive is empty",
    ),
    (
        "create-refused-port",
        &["body.message"],
        "the recorded text is that of a library; ours says in plain words that the registry cannot be reached",
    ),
    (
        "auth-unreachable",
        &["body.message"],
        "the recorded text is that of a library; ours says in plain words that the registry cannot be reached",
    ),
    (
        "tag-no-repo",
        &["status: 400, recorded 200", "header content-type", "stream"],
        "a tag without a repository is refused, where the recorded engine does nothing and says nothing",
    ),
    (
        "get-no-names",
        &["status: 400, recorded 200", "header content-type", "body"],
        "a save of nothing is refused, where the recorded engine answers an archive of no bytes",
    ),
    (
        "search-no-term",
        &["status: 400, recorded 200", "header content-type", "stream"],
        "a limit below zero is refused, where the recorded engine does nothing and says nothing",
    ),
    (
        "inspect-after-delete-platform",
        &[
            "body.Manifests[0].Available",
            "body.Manifests[0].Size.Content",
            "body.Manifests[1].Available",
            "body.Manifests[1].Size.Content",
        ],
        "content that other platforms use stays, where the recorded engine takes their shared layer away",
    ),
];

/// The same for the recording of events.
const EVENTS_DEVIATIONS: &[(&str, &[&str], &str)] = &[(
    "events-1.24",
    &["status: 200, recorded 400", "body"],
    "every version from 1.24 on is served, where the recorded engine stops at 1.40",
)];

/// The same for the recording with a registry.
const REGISTRY_DEVIATIONS: &[(&str, &[&str], &str)] = &[
    ("inspect-pulled", &["body.Identity.Pull[0].Repository"], LOST_PORT),
    ("list-identity", &["body[0].Manifests[0].ImageData.Identity.Pull[0].Repository"], LOST_PORT),
    ("inspect-two-platforms", &["body.Identity.Pull[0].Repository"], LOST_PORT),
    (
        "inspect-docker-schema2",
        &["body.Identity.Pull[0].Repository", "body.Manifests[0].Size.Content"],
        "the port, as above; and the layers in this registry are not compressed by the recorded one's program",
    ),
    ("inspect-not-pulled-platform", &["body.Identity.Pull[0].Repository"], LOST_PORT),
];

const LOST_PORT: &str = "the repository is told with its port, which the recorded engine loses";

#[test]
fn recorded_answers_of_docker_engine() {
    check("engine.json", &[], DEVIATIONS);
}

#[test]
fn recorded_events_of_docker_engine() {
    check("events.json", &[], EVENTS_DEVIATIONS);
}

#[test]
fn recorded_answers_of_docker_engine_with_a_registry() {
    let registry = Registry::start();
    registry.faults().tags_reversed = true;
    let fixture = |name: &str| std::fs::read(repository(&format!("tests/fixtures/{name}"))).unwrap();
    registry.put_layout("team/app", &["1.0", "latest"], &fixture("app-oci.tar"));
    registry.put_docker_archive("legacy/three-layers", "1", &fixture("legacy-docker-archive.tar"));
    check("registry.json", &[("127.0.0.1:5000", &registry.host())], REGISTRY_DEVIATIONS);
}

#[track_caller]
fn check(recording: &str, replaced: &[(&str, &str)], deviations: &[(&str, &[&str], &str)]) {
    let replay = Replay::read_with(&repository(&format!("tests/recordings/{recording}")), replaced);
    let ids: Vec<String> = replay.steps.iter().map(|step| step.id.clone()).collect();
    let daemon = Daemon::start();
    let results = replay.run(&daemon.client());

    let mut faults = Vec::new();
    for (id, differences) in &results {
        let deviation = deviations.iter().find(|(step, ..)| step == id);
        faults
            .extend(judge(differences, deviation.map(|(_, places, _)| *places)).map(|fault| format!("{id}: {fault}")));
    }
    for (listed, ..) in deviations {
        if !ids.iter().any(|id| id == listed) {
            faults.push(format!("{listed}: listed, but not in the recording"));
        }
    }
    assert!(faults.is_empty(), "{} steps or deviations:\n{}", faults.len(), faults.join("\n"));
}

/// What is wrong with a step's differences; `None` if they are what was expected of it.
fn judge(differences: &[String], expected: Option<&[&str]>) -> Option<String> {
    let places = expected.unwrap_or_default();
    if expected.is_some() && places.is_empty() {
        return Some(format!("listed as a deviation of no place: {differences:?}"));
    }
    if let Some(place) = places.iter().find(|place| !differences.iter().any(|line| is_at(line, place))) {
        return Some(format!("listed as a deviation at {place}, but agrees there: {differences:?}"));
    }
    let others: Vec<&str> =
        differences.iter().map(String::as_str).filter(|line| !places.iter().any(|place| is_at(line, place))).collect();
    report(&others)
}

/// Whether a difference is the one that a place names. A status without its value names none.
fn is_at(difference: &str, place: &str) -> bool {
    let at = difference.split(": ").next().unwrap_or_default();
    let named = match place.strip_suffix('*') {
        Some(above) => at.starts_with(above),
        None => at == place && place != "status",
    };
    named || difference == place
}

fn report(differences: &[&str]) -> Option<String> {
    let shown = differences.iter().take(12).map(|line| format!("\n    {line}")).collect::<String>();
    let more = differences.len().saturating_sub(12);
    match differences {
        [] => None,
        _ if more > 0 => Some(format!("{shown}\n    and {more} more")),
        _ => Some(shown),
    }
}

#[test]
fn deviations_are_exact() {
    let found = ["status: 200, recorded 404".to_owned(), "body.a: 1, recorded 2".to_owned()];
    assert_eq!(judge(&[], None), None);
    assert!(judge(&found, None).is_some());
    assert_eq!(judge(&found, Some(&["status: 200, recorded 404", "body.a"])), None);
    assert!(judge(&found, Some(&["status: 500, recorded 404", "body.a"])).is_some());
    assert_eq!(judge(&found, Some(&["status: 200, recorded 404", "body.*"])), None);
    assert!(judge(&found, Some(&["status", "body.a"])).is_some(), "any status would do");
    assert!(judge(&found, Some(&["status: 200, recorded 404"])).is_some());
    assert!(judge(&found[..1], Some(&["status: 200, recorded 404", "body.a"])).is_some());
    assert!(judge(&found, Some(&[])).is_some());
    assert!(judge(&[], Some(&[])).is_some());
}
