use serde_json::json;

use super::*;

fn known() -> Known {
    Known::from_fixtures(&crate::support::repository("tests/fixtures"))
}

fn faults(want: &Value, got: &Value, known: &mut Known) -> Vec<String> {
    let mut out = Vec::new();
    compare(&sorted(want, known), &sorted(got, known), "body", &mut out, known);
    out
}

#[test]
fn volatile_keys_agree_by_type_and_extensions_are_free() {
    let want = json!({"Size": 1, "Name": "a", "x": 1});
    assert!(faults(&want, &json!({"Size": 2, "Name": "b", "x": 1, "Statements": []}), &mut known()).is_empty());
    let found = faults(&want, &json!({"Size": "2", "Name": "b", "x": 2, "y": 0}), &mut known());
    let places: Vec<&str> = found.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(places, ["body.Size", "body.x", "body.y"]);
}

#[test]
fn digests_of_the_daemon_itself_must_stay_the_same() {
    let mut known = known();
    let [ours, theirs, other] = ["a", "b", "c"].map(|letter| format!("sha256:{}", letter.repeat(64)));
    assert!(faults(&json!({"digest": theirs, "size": 1}), &json!({"digest": ours, "size": 2}), &mut known).is_empty());
    assert!(faults(&json!(format!("x@{theirs}")), &json!(format!("x@{ours}")), &mut known).is_empty());
    assert_eq!(faults(&json!(theirs), &json!(other), &mut known).len(), 1);
}

#[test]
fn order_counts_only_where_the_api_has_one() {
    let image = |id: &str, tag: &str| json!({"Id": id, "RepoTags": [tag, "z"]});
    let want = json!([image("1", "a"), image("2", "b")]);
    let got = json!([{"Id": "2", "RepoTags": ["z", "b"]}, image("1", "a")]);
    assert!(faults(&want, &got, &mut known()).is_empty());
    assert_eq!(faults(&json!([1, 2]), &json!([2, 1]), &mut known()).len(), 2);
}

#[test]
fn progress_is_settled() {
    let detail = json!({"current": 1});
    let stream = [
        json!({"status": "Pulling"}),
        json!({"id": "l", "status": "Downloading", "progressDetail": detail}),
        json!({"id": "l", "status": "Pull complete", "progressDetail": {}}),
        json!({"status": "Done"}),
    ];
    let expected = json!([{"status": "Pulling"}, {"status": "Done"}, {"id": "l", "status": "Pull complete"}]);
    assert_eq!(settled(&stream), expected);
}

#[test]
fn a_listed_image_must_add_up() {
    let mut out = Vec::new();
    let image = json!({"Size": 5, "SharedSize": -1, "Manifests": [{"Size": {"Total": 2, "Content": 2}}, {"Size": {"Total": 2}}]});
    check_sums(image.as_object().unwrap(), "body", &mut out);
    assert_eq!(out.len(), 1, "{out:?}");
}

#[test]
fn the_recording_agrees_with_itself() {
    let replay = Replay::read(&crate::support::repository("tests/recordings/engine.json"));
    let mut known = replay.known;
    for step in &replay.steps {
        let found = differences(step, &step.answer, &mut known);
        assert!(found.is_empty(), "{}: {found:?}", step.id);
    }
}
