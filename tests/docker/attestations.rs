//! `GET /images/{name}/attestations`, and `AttestationData` in list and inspect, where they go beyond Docker Engine.

use loadline::domain::Digest;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::load::peak_memory;
use crate::support::daemon::Daemon;
use crate::support::http::{Client, Request};
use crate::support::images::{
    self, DOCKER_LIST, IN_TOTO, Layout, MANIFEST, PROVENANCE, SBOM, annotated, attesting, digest, with,
};
use crate::support::loading::{encode, is_whole, loaded, read, row, row_of};

const NAME: &str = "registry.test/attested:1";
const AMD64: &str = r#"{"os":"linux","architecture":"amd64"}"#;
const ARM64: &str = r#"{"os":"linux","architecture":"arm64"}"#;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    descriptor: Value,
    predicate_type: String,
    statement: Option<Box<RawValue>>,
}

fn target(platform: &str, rest: &str) -> String {
    format!("/images/{NAME}/attestations?platform={}{rest}", encode(platform))
}

#[track_caller]
fn listed(client: &Client, platform: &str, rest: &str) -> Vec<Listed> {
    let answer = client.get(&target(platform, rest)).expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    serde_json::from_slice(&answer.body).unwrap()
}

#[track_caller]
fn digests(client: &Client, platform: &str) -> Vec<String> {
    listed(client, platform, "").iter().map(|listed| digest(&listed.descriptor).to_owned()).collect()
}

#[track_caller]
fn message(client: &Client, target: &str, status: u16) -> String {
    client.get(target).expect(status).json()["message"].as_str().unwrap().to_owned()
}

/// The statements of each attestation manifest that a row or a detail shows, in order; null where absent.
fn shown(image: &Value) -> Vec<Value> {
    let manifests = image["Manifests"].as_array().unwrap().iter();
    manifests
        .filter(|manifest| manifest["Kind"] == "attestation")
        .map(|manifest| match &manifest["AttestationData"]["Statements"] {
            Value::Array(all) => all.iter().map(|one| one["Descriptor"]["digest"].clone()).collect(),
            absent => absent.clone(),
        })
        .collect()
}

/// A daemon with an image for two platforms; the closure adds evidence about the first and gives what stands in the
/// index beside the images.
fn attested(evidence: impl FnOnce(&mut Layout, &Value) -> Vec<Value>) -> Daemon {
    let daemon = Daemon::start();
    let mut layout = Layout::default();
    let amd64 = layout.image("linux/amd64", "a");
    let arm64 = layout.image("linux/arm64", "b");
    let mut manifests = vec![amd64.clone(), arm64];
    manifests.extend(evidence(&mut layout, &amd64));
    let index = layout.index(&manifests);
    layout.named(&index, NAME);
    assert_eq!(loaded(&daemon.client(), layout.tar()), [NAME]);
    daemon
}

#[test]
fn several_attestation_manifests_count_in_order() {
    let mut expected = Vec::new();
    let daemon = attested(|layout, amd64| {
        let statements: Vec<Value> = (0..4)
            .map(|n| layout.statement(if n % 2 == 0 { PROVENANCE } else { SBOM }, format!("{{\"n\":{n}}}").as_bytes()))
            .collect();
        expected = statements.iter().map(|statement| digest(statement).to_owned()).collect();
        vec![layout.attestation(amd64, &statements[..2]), layout.attestation(amd64, &statements[2..])]
    });
    let client = daemon.client();
    assert_eq!(digests(&client, AMD64), expected);
    assert_eq!(digests(&client, ARM64), Vec::<String>::new());
    let sboms = listed(&client, AMD64, &format!("&type={}&type=%20&type=other", encode(&format!(" {SBOM} "))));
    let found: Vec<&str> = sboms.iter().map(|one| digest(&one.descriptor)).collect();
    assert_eq!(found, [&*expected[1], &*expected[3]]);
    assert!(sboms.iter().all(|one| one.predicate_type == SBOM && one.statement.is_none()));
    assert!(
        listed(&client, AMD64, "&type=https%3A%2F%2Fslsa.dev%2Fprovenance").is_empty(),
        "types match to the letter"
    );

    for image in [row(&client, NAME), client.get(&format!("/images/{NAME}/json?manifests=1")).expect(200).json()] {
        assert_eq!(shown(&image), [json!(&expected[..2]), json!(&expected[2..])]);
        let one = &image["Manifests"][2]["AttestationData"]["Statements"][1];
        assert_eq!(one["PredicateType"], SBOM);
        assert_eq!(one["Descriptor"]["mediaType"], IN_TOTO);
    }
}

#[test]
fn statements_are_shown_from_the_version_that_has_them() {
    let daemon = attested(|layout, amd64| {
        let statement = layout.statement(PROVENANCE, b"{}");
        vec![layout.attestation(amd64, &[statement])]
    });
    let client = daemon.client();
    for (version, there) in [("/v1.54", false), ("/v1.55", true), ("", true)] {
        let list = row_of(&format!("{version}/images/json?manifests=1"), &client, NAME);
        let detail = client.get(&format!("{version}/images/{NAME}/json?manifests=1")).expect(200).json();
        for image in [list, detail] {
            let data = &image["Manifests"][2]["AttestationData"];
            assert_eq!(data["For"], image["Manifests"][0]["ID"]);
            assert_eq!(!data["Statements"].is_null(), there, "{version}: {data}");
        }
    }
    let refusal = message(&client, &format!("/v1.54{}", target(AMD64, "")), 400);
    assert_eq!(refusal, "GET /images/{name:.*}/attestations requires minimum API version 1.55");
}

#[test]
fn manifest_lists_have_attestations_as_indexes_do() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let amd64 = layout.docker_image("linux/amd64", "docker");
    let statement = layout.statement(PROVENANCE, b"{\"in\": \"a list\"}");
    let attestation = layout.attestation(&amd64, std::slice::from_ref(&statement));
    let list = layout.index_of(DOCKER_LIST, &[amd64, attestation]);
    layout.named(&list, NAME);
    loaded(&client, layout.tar());
    assert_eq!(digests(&client, AMD64), [digest(&statement)]);
    assert_eq!(shown(&row(&client, NAME)), [json!([digest(&statement)])]);
    assert_eq!(row(&client, NAME)["Descriptor"]["mediaType"], DOCKER_LIST);
}

#[test]
fn nested_indexes_are_looked_into() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let amd64 = layout.image("linux/amd64", "inner");
    let arm64 = layout.image("linux/arm64", "outer");
    let beside = layout.statement(PROVENANCE, b"{\"beside\": true}");
    let above = layout.statement(SBOM, b"{\"above\": true}");
    let below = layout.statement(SBOM, b"{\"below\": true}");
    let beside_manifest = layout.attestation(&amd64, std::slice::from_ref(&beside));
    let inner = layout.index(&[amd64.clone(), beside_manifest]);
    let below_manifest = layout.attestation(&arm64, std::slice::from_ref(&below));
    let deeper = layout.index(&[below_manifest]);
    let above_manifest = layout.attestation(&amd64, std::slice::from_ref(&above));
    let index = layout.index(&[inner, above_manifest, arm64, deeper]);
    layout.named(&index, NAME);
    loaded(&client, layout.tar());
    assert_eq!(digests(&client, AMD64), [digest(&beside), digest(&above)]);
    assert_eq!(digests(&client, ARM64), [digest(&below)]);
    client.get(&format!("/images/{NAME}/json?platform={}", encode(AMD64))).expect(200);
    assert_eq!(shown(&row(&client, NAME)).len(), 3);
}

#[test]
fn referrers_are_evidence_too() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let amd64 = layout.image("linux/amd64", "referred");
    let inside = layout.statement(PROVENANCE, b"{\"inside\": true}");
    let outside = layout.statement(SBOM, b"{\"outside\": true}");
    let attestation = layout.attestation(&amd64, std::slice::from_ref(&inside));
    let referrer = layout.referrer(&amd64, IN_TOTO, std::slice::from_ref(&outside));
    let plain = layout.blob("text/plain", "no statement");
    let other = layout.referrer(&amd64, "text/plain", &[plain]);
    let index = layout.index(&[amd64.clone(), attestation]);
    layout.named(&index, NAME);
    layout.listed(&referrer);
    layout.listed(&other);
    loaded(&client, layout.tar());
    assert_eq!(digests(&client, AMD64), [digest(&inside), digest(&outside)]);
    // They are about the image, not part of it.
    assert_eq!(shown(&row(&client, NAME)), [json!([digest(&inside)])]);

    // An image for one platform, without an index, has no other evidence.
    let mut single = Layout::default();
    let image = single.image("linux/amd64", "single");
    let statement = single.statement(PROVENANCE, b"{\"single\": true}");
    let referrer = single.referrer(&image, IN_TOTO, std::slice::from_ref(&statement));
    single.named(&image, "registry.test/single:1");
    single.listed(&referrer);
    loaded(&client, single.tar());
    let found = client.get("/images/registry.test/single:1/attestations").expect(200).json();
    assert_eq!(found[0]["Descriptor"]["digest"], digest(&statement));
}

#[test]
fn buildkits_attestation_manifests_that_name_their_subject_count_once() {
    let mut statement = Value::Null;
    let daemon = attested(|layout, amd64| {
        statement = layout.statement(PROVENANCE, b"{\"once\": true}");
        let manifest = layout.referrer(
            amd64,
            "application/vnd.docker.attestation.manifest.v1+json",
            std::slice::from_ref(&statement),
        );
        vec![attesting(&with(&manifest, "platform", json!({"os": "unknown", "architecture": "unknown"})), amd64)]
    });
    assert_eq!(digests(&daemon.client(), AMD64), [digest(&statement)]);
}

#[test]
fn statements_are_the_blobs_own_bytes() {
    let bodies: [&[u8]; 6] = [
        b"{ \"b\" : 1,\n\t\"a\":\"\\u0041\\/ <&> \xe2\x80\xa8\" , \"a\":2}",
        b"{\"number\":1e400,\"long\":123456789012345678901234567890.10}",
        b"\"a text\"",
        b"[ ]",
        b"null",
        b"{}",
    ];
    let daemon = attested(|layout, amd64| {
        let layers: Vec<Value> = bodies.iter().map(|body| layout.statement(PROVENANCE, body)).collect();
        vec![layout.attestation(amd64, &layers)]
    });
    let client = daemon.client();
    let all = listed(&client, AMD64, "&statement=1");
    for (one, body) in all.iter().zip(bodies) {
        // `null` counts as absent to this reader; the text of the whole answer is looked at below.
        let text = one.statement.as_ref().map_or("null", |statement| statement.get());
        assert_eq!(text.as_bytes(), body);
        assert_eq!(Digest::of(text.as_bytes()).to_string(), digest(&one.descriptor));
    }
    assert_eq!(all.len(), bodies.len());
    let answer = client.get(&target(AMD64, "&statement=true")).expect(200);
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
    assert_eq!(answer.text().matches("\"Statement\":").count(), bodies.len());
    for off in ["", "&statement=0", "&statement=false"] {
        assert!(!client.get(&target(AMD64, off)).expect(200).text().contains("\"Statement\""));
    }
}

#[test]
fn white_space_around_a_statement_stays() {
    let body = b"\n  {\"a\": 1}\n\n";
    let daemon = attested(|layout, amd64| {
        let statement = layout.statement(PROVENANCE, body);
        vec![layout.attestation(amd64, &[statement])]
    });
    let answer = daemon.client().get(&target(AMD64, "&statement=1")).expect(200);
    let text = answer.text();
    assert!(text.contains(std::str::from_utf8(body).unwrap()), "{text}");
}

#[test]
fn a_statement_that_is_not_json_is_named() {
    let cases: [&[u8]; 8] = [
        b"not JSON",
        b"",
        b"{\"a\": 1} {\"b\": 2}",
        b"{\"a\": 1",
        b"\xff\xfe",
        b"\"\xff\"",
        b"},{\"Statement\":1",
        b"NaN",
    ];
    for body in cases {
        let (mut bad, mut good) = (Value::Null, Value::Null);
        let daemon = attested(|layout, amd64| {
            good = layout.statement(SBOM, b"{\"good\": true}");
            bad = layout.statement(PROVENANCE, body);
            vec![layout.attestation(amd64, &[good.clone(), bad.clone()])]
        });
        let client = daemon.client();
        let text = message(&client, &target(AMD64, "&statement=1"), 500);
        assert!(text.contains(digest(&bad)) && text.contains("JSON"), "{text}");
        assert_eq!(digests(&client, AMD64), [digest(&good), digest(&bad)]);
        let of_type = format!("&statement=1&type={}", encode(SBOM));
        assert_eq!(listed(&client, AMD64, &of_type).len(), 1);
        assert_eq!(read(&client, digest(&bad)).expect(200).body, body);
    }
}

#[test]
fn a_statement_nested_deeply_is_shown_as_it_is() {
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let daemon = attested(|layout, amd64| {
        let statement = layout.statement(PROVENANCE, &deep);
        vec![layout.attestation(amd64, &[statement])]
    });
    // A reader that goes down a level of its stack with each level of the document would crash.
    let answer = daemon.client().get(&target(AMD64, "&statement=1")).expect(200);
    let deep = String::from_utf8(deep).unwrap();
    assert!(answer.text().contains(&format!("\"Statement\":{deep}")));
    daemon.client().get("/_ping").expect(200);
}

#[test]
fn a_missing_statement_is_named() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let amd64 = layout.image("linux/amd64", "a");
    let present = layout.statement(SBOM, b"{\"here\": true}");
    let missing = layout.statement(PROVENANCE, b"{\"gone\": true}");
    let attestation = layout.attestation(&amd64, &[present.clone(), missing.clone()]);
    let index = layout.index(&[amd64, attestation]);
    layout.named(&index, NAME);
    layout.remove(&missing);
    loaded(&client, layout.tar());
    let text = message(&client, &target(AMD64, "&statement=1"), 404);
    assert_eq!(text, format!("attestation statement {} is not available locally", digest(&missing)));
    assert_eq!(digests(&client, AMD64), [digest(&present), digest(&missing)]);
    assert_eq!(listed(&client, AMD64, &format!("&statement=1&type={}", encode(SBOM))).len(), 1);
    let image = row(&client, NAME);
    assert_eq!(shown(&image), [json!([digest(&present), digest(&missing)])]);
    assert_eq!(image["Manifests"][1]["Available"], false);
    is_whole(&daemon);
}

#[test]
fn a_missing_attestation_manifest_is_named_and_has_no_statements() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let amd64 = layout.image("linux/amd64", "a");
    let arm64 = layout.image("linux/arm64", "b");
    let statement = layout.statement(PROVENANCE, b"{}");
    let missing = layout.attestation(&amd64, &[statement]);
    let empty = layout.attestation(&arm64, &[]);
    let index = layout.index(&[amd64, arm64, missing.clone(), empty]);
    layout.named(&index, NAME);
    layout.remove(&missing);
    loaded(&client, layout.tar());
    let text = message(&client, &target(AMD64, ""), 404);
    assert!(text.contains(digest(&missing)) && !text.contains("No such image"), "{text}");
    assert!(listed(&client, ARM64, "&statement=1").is_empty());
    // `[]` says that there are none; nothing says that it is not known.
    assert_eq!(shown(&row(&client, NAME)), [Value::Null, json!([])]);
    let text = client.get("/images/json?manifests=1").expect(200);
    assert_eq!(text.text().matches("\"Statements\"").count(), 1);
}

#[test]
fn layers_without_a_predicate_type_are_no_statements() {
    let mut statement = Value::Null;
    let daemon = attested(|layout, amd64| {
        let bare = layout.blob(IN_TOTO, "{\"bare\": true}");
        let empty = layout.blob("text/plain", "x");
        let odd = layout.blob("application/octet-stream", "{\"odd\": true}");
        statement = annotated(&odd, "in-toto.io/predicate-type", "");
        vec![layout.attestation(amd64, &[bare, empty, statement.clone()])]
    });
    let found = listed(&daemon.client(), AMD64, "");
    assert_eq!(found.len(), shown(&row(&daemon.client(), NAME))[0].as_array().unwrap().len());
    assert!(found.iter().all(|one| digest(&one.descriptor) == digest(&statement)));
}

#[test]
fn what_looks_like_evidence_and_is_none() {
    let daemon = attested(|layout, amd64| {
        let statement = layout.statement(PROVENANCE, b"{\"stray\": true}");
        let attestation = layout.attestation(amd64, &[statement]);
        let to_nothing = annotated(&attestation, "vnd.docker.reference.digest", "sha256:nothing");
        let other_kind = annotated(&attestation, "vnd.docker.reference.type", "something-else");
        vec![to_nothing, other_kind]
    });
    let client = daemon.client();
    assert!(listed(&client, AMD64, "&statement=1").is_empty());
    let image = row(&client, NAME);
    assert_eq!(image["Manifests"].as_array().unwrap().len(), 4);
    assert_eq!(image["Manifests"][2]["Kind"], "unknown");
}

#[test]
fn hardened_images_without_referrers_have_no_statements() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let amd64 = annotated(&layout.image("linux/amd64", "dhi"), "com.docker.dhi.build.id", "1");
    let index = json!({"schemaVersion": 2, "mediaType": images::INDEX, "manifests": [amd64],
        "annotations": {"org.opencontainers.image.title": "dhi/alpine"}});
    let index = layout.blob(images::INDEX, index.to_string());
    layout.named(&index, NAME);
    loaded(&client, layout.tar());
    assert!(listed(&client, AMD64, "").is_empty());
}

#[test]
fn platforms_are_checked() {
    let daemon = attested(|_, _| vec![]);
    let client = daemon.client();
    let two = message(&client, &target(AMD64, &format!("&platform={}", encode(ARM64))), 400);
    assert_eq!(two, "only one platform value is currently supported");
    for malformed in ["linux/amd64", "{", "[]", "{\"os\":7}"] {
        message(&client, &target(malformed, ""), 400);
    }
    let other = message(&client, &target(r#"{"os":"windows","architecture":"amd64"}"#, ""), 404);
    assert!(other.contains(NAME) && other.contains("windows/amd64"), "{other}");
    assert!(client.get(&format!("/images/{NAME}/attestations?platform=")).expect(200).json().as_array().is_some());
    assert_eq!(message(&client, "/images/registry.test/no:1/attestations", 404), "No such image: registry.test/no:1");
}

#[test]
fn long_statements_are_streamed() {
    const SIZE: usize = 8 << 20;
    let daemon = attested(|layout, amd64| {
        let long = |n: u8| format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(SIZE));
        let layers: Vec<Value> = (0..4).map(|n| layout.statement(SBOM, long(n).as_bytes())).collect();
        vec![layout.attestation(amd64, &layers)]
    });
    let client = daemon.client();
    let before = peak_memory(&daemon);
    let mut open = client.open(&Request::get(&target(AMD64, "&statement=1"))).unwrap();
    assert_eq!(open.status, 200);
    let read = std::io::copy(&mut open.body, &mut std::io::sink()).unwrap();
    assert!(read > 4 * SIZE as u64);
    // The kernel counts in steps, and may find less the second time.
    let more = peak_memory(&daemon).saturating_sub(before);
    assert!(more < 8 << 20, "{} MiB for the answer", more >> 20);
    // A client that leaves in the middle harms nobody.
    for _ in 0..20 {
        drop(client.open(&Request::get(&target(AMD64, "&statement=1"))).unwrap());
    }
    assert_eq!(listed(&client, AMD64, "&statement=1").len(), 4);
}

#[test]
fn an_image_without_an_index_has_no_attestations() {
    let daemon = Daemon::start();
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", "plain");
    layout.named(&image, NAME);
    loaded(&daemon.client(), layout.tar());
    assert_eq!(daemon.client().get(&format!("/images/{NAME}/attestations")).expect(200).text(), "[]");
    assert_eq!(image["mediaType"], MANIFEST);
}
