//! `GET /images/{name}/json` and `GET /images/{name}/history`: how an image is found, and what is shown of it.

use std::collections::HashMap;

use loadline::api::docker::versions::{NEWEST, NEWEST_TEXT, OLDEST};
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::images::{self, Layout, digest, with};
use crate::support::loading::{encode, loaded};

fn id(daemon: &Daemon, name: &str) -> Result<String, String> {
    let answer = daemon.client().get(&format!("/images/{name}/json"));
    match answer.status {
        200 => Ok(answer.json()["Id"].as_str().unwrap().to_owned()),
        404 => Err(answer.json()["message"].as_str().unwrap().to_owned()),
        status => panic!("{name}: {status} {}", answer.text()),
    }
}

#[test]
fn an_image_is_found_by_whatever_names_it() {
    let daemon = Daemon::start();
    let mut layout = Layout::default();
    let amd64 = layout.image("linux/amd64", "a");
    let arm64 = layout.image("linux/arm64", "b");
    let index = layout.index(&[amd64.clone(), arm64.clone()]);
    for name in ["registry.test/team/app:1.0", "docker.io/library/short:latest", "docker.io/user/repo:x"] {
        layout.named(&index, name);
    }
    loaded(&daemon.client(), layout.tar());
    let target = digest(&index).to_owned();
    let hex = target.strip_prefix("sha256:").unwrap();
    let config: Value = serde_json::from_slice(layout.bytes(&arm64)).unwrap();
    for name in [
        "registry.test/team/app:1.0",
        "registry.test%2Fteam%2Fapp:1.0",
        "short",
        "short:latest",
        "library/short",
        "docker.io/short",
        "index.docker.io/library/short",
        "user/repo:x",
        &format!("short@{target}"),
        &format!("registry.test/team/app@{target}"),
        &format!("registry.test/team/app:1.0@{target}"),
        &target,
        hex,
        &hex[..12],
        &format!("sha256:{}", &hex[..9]),
        digest(&amd64),
        digest(&arm64),
        digest(&config["config"]),
    ] {
        assert_eq!(id(&daemon, name).as_deref(), Ok(&*target), "{name}");
    }
    for name in [
        "short:1",
        "shor",
        "app",
        "team/app:1.0",
        "registry.test/team/app",
        "registry.test:5000/team/app:1.0",
        &format!("other@{target}"),
        &format!("short@sha256:{}", "0".repeat(64)),
        &digest(&amd64)[..20],
        digest(&config["layers"][0]),
    ] {
        let text = id(&daemon, name).expect_err(name);
        assert!(text.starts_with("No such image: "), "{name}: {text}");
    }
}

#[test]
fn a_name_goes_before_an_id() {
    let daemon = Daemon::start();
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", "by ID");
    layout.named(&image, "registry.test/by-id:1");
    let hex = &digest(&image)[7..19];
    let other = layout.image("linux/amd64", "by name");
    layout.named(&other, &format!("docker.io/library/{hex}:latest"));
    loaded(&daemon.client(), layout.tar());
    assert_eq!(id(&daemon, hex).as_deref(), Ok(digest(&other)));
    assert_eq!(id(&daemon, &format!("sha256:{hex}")).as_deref(), Ok(digest(&image)));
}

#[test]
fn an_ambiguous_prefix_is_said_to_be_one() {
    let daemon = Daemon::start();
    let mut layout = Layout::default();
    // Of a thousand images, two IDs start with the same four characters; the search always finds the same two.
    let mut known: HashMap<String, Value> = HashMap::new();
    let (first, second) = (0..1000)
        .find_map(|number| {
            let image = Layout::default().image("linux/amd64", &number.to_string());
            let prefix = digest(&image)[..11].to_owned();
            let content = with(&image, "content", number.to_string().into());
            known.insert(prefix, content.clone()).map(|earlier| (earlier, content))
        })
        .unwrap();
    for image in [&first, &second] {
        let content = image["content"].as_str().unwrap();
        let again = layout.image("linux/amd64", content);
        layout.named(&again, &format!("registry.test/n:{content}"));
    }
    loaded(&daemon.client(), layout.tar());
    let prefix = &digest(&first)[..11];
    for name in [prefix, &prefix[7..]] {
        let text = id(&daemon, name).expect_err(name);
        assert!(text.contains("ambiguous"), "{text}");
    }
    for image in [&first, &second] {
        assert_eq!(id(&daemon, &digest(image)[..20]).as_deref(), Ok(digest(image)));
    }
}

#[test]
fn names_that_are_none_are_refused() {
    let daemon = Daemon::start();
    for (name, says) in [
        ("UPPER", "must be lowercase"),
        ("a:b:c", "invalid reference format"),
        ("%20", "cannot be blank"),
        ("-a", "invalid reference format"),
        ("a%00b", "control characters"),
        ("%FF", "not UTF-8"),
        (&"x".repeat(300), "more than 255 characters"),
    ] {
        let answer = daemon.client().get(&format!("/images/{name}/json")).expect(400).json();
        assert!(answer["message"].as_str().unwrap().contains(says), "{name}: {answer}");
    }
}

#[test]
fn the_platform_asked_for_is_shown() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let images: Vec<Value> =
        ["linux/amd64", "linux/arm64", "linux/arm/v6", "linux/arm/v7"].map(|p| layout.image(p, p)).into();
    let absent = with(&images[0], "platform", images::platform("linux/s390x"));
    let absent = with(&absent, "digest", json!(format!("sha256:{}", "5".repeat(64))));
    let index = layout.index(&[images.clone(), vec![absent.clone()]].concat());
    layout.named(&index, "registry.test/multi:1");
    loaded(&client, layout.tar());
    let ask = |platform: &str| client.get(&format!("/images/registry.test/multi:1/json?platform={}", encode(platform)));
    for (platform, expected) in [
        (r#"{"os":"linux","architecture":"amd64"}"#, &images[0]),
        (r#"{"os":"linux","architecture":"x86_64"}"#, &images[0]),
        (r#"{"os":"linux","architecture":"arm64","variant":"v8"}"#, &images[1]),
        (r#"{"os":"linux","architecture":"aarch64"}"#, &images[1]),
        (r#"{"os":"linux","architecture":"arm","variant":"v7"}"#, &images[3]),
        (r#"{"os":"linux","architecture":"arm","variant":"v6"}"#, &images[2]),
    ] {
        let shown = ask(platform).expect(200).json();
        assert_eq!(shown["Descriptor"]["digest"], digest(expected), "{platform}");
        let name = shown["Config"]["Labels"]["content"].as_str().unwrap();
        assert_eq!(images::platform(name)["architecture"], shown["Architecture"]);
    }
    // A platform that the image has, and that is not here.
    let shown = ask(r#"{"os":"linux","architecture":"s390x"}"#).expect(200).json();
    assert_eq!((&shown["Config"], &shown["RootFS"], &shown["Size"]), (&json!({}), &json!({}), &json!(0)));
    assert_eq!(shown["Descriptor"]["digest"], digest(&absent));
    let text = ask(r#"{"os":"windows","architecture":"amd64"}"#).expect(404).json()["message"].to_string();
    assert!(text.contains("does not provide the specified platform"), "{text}");
    for malformed in ["linux/amd64", "{", "7", r#"{"os":"linux"}"#] {
        assert!(ask(malformed).expect(400).json()["message"].is_string());
    }
    client
        .get(&format!(
            "/images/registry.test/multi:1/json?manifests=1&platform={}",
            encode(r#"{"os":"linux","architecture":"amd64"}"#)
        ))
        .expect(400);
    let history = client.get(&format!(
        "/images/registry.test/multi:1/history?platform={}",
        encode(r#"{"os":"linux","architecture":"arm64"}"#)
    ));
    assert_eq!(history.expect(200).json()[0]["CreatedBy"], "COPY file /");
    let absent = client.get(&format!(
        "/images/registry.test/multi:1/history?platform={}",
        encode(r#"{"os":"linux","architecture":"s390x"}"#)
    ));
    absent.expect(404);
}

#[test]
fn an_image_of_which_nothing_is_here_still_shows() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", "away");
    let index = layout.index(std::slice::from_ref(&image));
    layout.named(&index, "registry.test/away:1");
    layout.remove(&image);
    loaded(&client, layout.tar());
    let shown = client.get("/images/registry.test/away:1/json?manifests=1").expect(200).json();
    assert_eq!((&shown["Id"], &shown["Manifests"][0]["Available"]), (&json!(digest(&index)), &json!(false)));
    assert_eq!(shown["RepoTags"], json!(["registry.test/away:1"]));
    assert_eq!(client.get("/images/registry.test/away:1/history").expect(200).json(), json!([]));
}

#[test]
fn configurations_of_odd_types_show_what_they_can() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let mut layout = Layout::default();
    let odd = json!({"os": "linux", "architecture": "amd64", "variant": 7, "created": "yesterday", "author": ["a"],
        "config": {"Labels": {"good": "1", "bad": 2, "worse": null}, "Env": "A=B", "Cmd": {"a": 1}, "User": 0,
            "ExposedPorts": [], "Volumes": "none", "WorkingDir": null, "Entrypoint": "sh", "Healthcheck": "x"},
        "rootfs": {"type": 1, "diff_ids": "none"}, "history": [1, {"created": 5, "created_by": []}, null]});
    for (number, config) in
        [odd, json!({"config": []}), json!({"config": null, "rootfs": [], "history": {}}), json!({})].iter().enumerate()
    {
        let image = layout.image_of(config, &format!("odd {number}"));
        layout.named(&image, &format!("registry.test/odd:{number}"));
    }
    assert_eq!(loaded(&client, layout.tar()).len(), 4);
    for number in 0..4 {
        for version in ["", "/v1.24", "/v1.43", "/v1.50"] {
            let shown = client.get(&format!("{version}/images/registry.test/odd:{number}/json")).expect(200).json();
            assert!(shown["RepoTags"].is_array());
            client.get(&format!("{version}/images/registry.test/odd:{number}/history")).expect(200);
        }
    }
    let shown = client.get("/images/registry.test/odd:0/json").expect(200).json();
    assert_eq!((&shown["Architecture"], &shown["Os"]), (&json!("amd64"), &json!("linux")));
    assert_eq!(client.get("/images/json").expect(200).json().as_array().unwrap().len(), 4);
}

#[test]
fn versions_have_their_own_shapes() {
    let daemon = Daemon::start();
    let client = daemon.client();
    loaded(&client, Layout::of_platforms("registry.test/shape:1", &["linux/amd64", "linux/arm64"]).tar());
    let shown = |version: &str| {
        client.get(&format!("/v{version}/images/registry.test/shape:1/json?manifests=1")).expect(200).json()
    };
    for (version, member, there) in [
        ("1.24", "VirtualSize", true),
        ("1.43", "VirtualSize", true),
        ("1.44", "VirtualSize", false),
        ("1.47", "Descriptor", false),
        ("1.48", "Descriptor", true),
        ("1.48", "Manifests", true),
        ("1.47", "Manifests", false),
        (NEWEST_TEXT, "Manifests", true),
    ] {
        assert_eq!(shown(version).get(member).is_some(), there, "{member} in {version}");
    }
    // What clients of every age read must be there in every version.
    for minor in OLDEST..=NEWEST {
        let shown = shown(&format!("1.{minor}"));
        for member in ["Id", "RepoTags", "RepoDigests", "Created", "Architecture", "Os", "Size", "RootFS", "Config"] {
            assert!(!shown[member].is_null(), "{member} in 1.{minor}");
        }
    }
}
