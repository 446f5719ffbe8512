//! `POST /images/create?fromSrc=`: images of root file systems, from the body and from URLs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use loadline::domain::{Digest, MediaType};
use serde_json::{Value, json};

use super::load::peak_memory;
use crate::support::daemon::Daemon;
use crate::support::http::{Client, Request};
use crate::support::loading::{comes_to_hold, encode, files, is_whole, lines, load, read};
use crate::support::registry::Registry;
use crate::support::repository;
use crate::support::tar::Tar;

fn rootfs() -> Vec<u8> {
    std::fs::read(repository("tests/fixtures/tiny-rootfs.tar")).unwrap()
}

fn post(query: &str, body: impl Into<Vec<u8>>) -> Request {
    Request::post(&format!("/images/create?{query}")).header("content-type", "application/x-tar").body(body)
}

/// Imports the body and gives the image's digest.
#[track_caller]
fn import(client: &Client, query: &str, body: impl Into<Vec<u8>>) -> String {
    let answer = client.send(&post(&format!("fromSrc=-&{query}"), body)).expect(200);
    let [line] = &lines(&answer)[..] else { panic!("not one line: {}", answer.text()) };
    line["status"].as_str().unwrap_or_else(|| panic!("{line}")).to_owned()
}

#[track_caller]
fn refused(client: &Client, query: &str, body: impl Into<Vec<u8>>, status: u16) -> String {
    let answer = client.send(&post(query, body)).expect(status);
    answer.json()["message"].as_str().unwrap().to_owned()
}

fn inspect(client: &Client, version: &str, name: &str) -> Value {
    client.get(&format!("{version}/images/{name}/json")).expect(200).json()
}

/// The one layer of an image: its descriptor, and its bytes.
fn layer(client: &Client, image: &str) -> (Value, Vec<u8>) {
    let manifest = read(client, image).expect(200).json();
    let layer = manifest["layers"][0].clone();
    let bytes = read(client, layer["digest"].as_str().unwrap()).expect(200).body;
    (layer, bytes)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_image_has_one_layer_and_what_the_changes_say() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let changes = [
        r#"CMD ["sh", "-l"]"#,
        "ENTRYPOINT /init",
        "ENV A=1",
        "ENV B=$A-2",
        "EXPOSE 80",
        "LABEL x=\"y z\"",
        "ONBUILD RUN make",
        "HEALTHCHECK --retries=2 CMD true",
        "STOPSIGNAL 9",
        "USER app",
        "VOLUME /data",
        "WORKDIR /srv",
    ];
    let changes: String = changes.iter().map(|change| format!("&changes={}", encode(change))).collect();
    let image = import(&client, &format!("repo=team/base&tag=1&platform=linux/arm/v6{changes}"), rootfs());

    let seen = inspect(&client, "", "team/base:1");
    assert_eq!((&seen["Id"], &seen["RepoTags"]), (&json!(image), &json!(["team/base:1"])));
    assert_eq!((&seen["Os"], &seen["Architecture"], &seen["Variant"]), (&json!("linux"), &json!("arm"), &json!("v6")));
    assert_eq!(seen["RootFS"]["Layers"], json!([Digest::of(&rootfs()).to_string()]));
    assert_eq!(seen["Comment"], "Imported from -");
    assert_eq!(
        seen["Config"],
        json!({
            "Cmd": ["sh", "-l"], "Entrypoint": ["/bin/sh", "-c", "/init"], "Env": ["A=1", "B=1-2"],
            "ExposedPorts": {"80/tcp": {}}, "Labels": {"x": "y z"}, "OnBuild": ["RUN make"], "StopSignal": "9",
            "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Retries": 2}, "User": "app", "Volumes": {"/data": {}},
            "WorkingDir": "/srv",
        })
    );
    let (descriptor, bytes) = layer(&client, &image);
    assert_eq!(descriptor["mediaType"], MediaType::OCI_LAYER_GZIP.as_str());
    assert_eq!(gunzip(&bytes), rootfs());
    let history = client.get("/images/team/base:1/history").expect(200).json();
    assert_eq!((&history[0]["Comment"], &history[0]["Size"]), (&json!("Imported from -"), &json!(bytes.len())));
    let rows = client.get(&format!("/images/json?filters={}", encode(r#"{"label":["x=y z"]}"#))).expect(200).json();
    assert_eq!(rows[0]["Id"], image);
    is_whole(&daemon);

    // What was answered is still there after a crash, and travels.
    let daemon = daemon.crash_and_restart();
    assert_eq!(inspect(&daemon.client(), "", "team/base:1"), seen);
    let saved = daemon.client().get("/images/team/base:1/get").expect(200).body;
    let other = Daemon::start();
    load(&other.client(), saved);
    assert_eq!(inspect(&other.client(), "", "team/base:1")["Id"], image);
}

#[test]
fn an_imported_image_in_each_versions_form() {
    let daemon = Daemon::start();
    let client = daemon.client();
    import(&client, "repo=app&message=why&changes=CMD%20[%22sh%22]", rootfs());
    let seen = |minor: u8| inspect(&client, &format!("/v1.{minor}"), "app");
    let set = json!({"Cmd": ["sh"]});
    assert_eq!(seen(55)["Config"], set);
    assert_eq!(seen(52)["Config"], set);
    for minor in [50, 51] {
        let expected = json!({"Cmd": ["sh"], "Entrypoint": null, "Env": null, "Labels": null, "OnBuild": null, "User": "",
            "Volumes": null, "WorkingDir": ""});
        assert_eq!(seen(minor)["Config"], expected, "1.{minor}");
    }
    assert_eq!(seen(49)["Config"]["AttachStdin"], false);
    assert_eq!((&seen(51)["Author"], &seen(51)["Comment"]), (&json!(""), &json!("why")));
    assert!(seen(55).get("Author").is_none() && seen(45).get("ContainerConfig").is_none());
    assert!(seen(44).get("ContainerConfig").is_some() && seen(43)["VirtualSize"].is_number());
    assert!(seen(47).get("Descriptor").is_none() && seen(48)["Descriptor"].is_object());

    // Before 1.32, an import is for the host.
    let old = post("fromSrc=-&repo=old&platform=linux/s390x", rootfs());
    client.send(&old).expect(200);
    assert_eq!(inspect(&client, "", "old")["Architecture"], "s390x");
    let old = Request::post("/v1.31/images/create?fromSrc=-&repo=old&platform=linux/s390x").body(rootfs());
    client.send(&old).expect(200);
    assert_ne!(inspect(&client, "", "old")["Architecture"], "s390x");
}

#[test]
fn compressed_archives_stay_as_they_are_where_they_can() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let packed = gzip(&rootfs());
    let image = import(&client, "", packed.clone());
    assert_eq!(layer(&client, &image).1, packed);
    assert_eq!(inspect(&client, "", &image)["RootFS"]["Layers"][0], Digest::of(&rootfs()).to_string());

    let packed = zstd::encode_all(&rootfs()[..], 1).unwrap();
    let image = import(&client, "", packed.clone());
    let (descriptor, bytes) = layer(&client, &image);
    assert_eq!((descriptor["mediaType"].as_str().unwrap(), bytes), (MediaType::OCI_LAYER_ZSTD.as_str(), packed));

    let image = import(&client, "", bzip2(&rootfs()));
    assert_eq!(gunzip(&layer(&client, &image).1), rootfs());
    let packed = std::fs::read(repository("src/archive/rootfs.tar.xz")).unwrap();
    let image = import(&client, "", packed);
    let plain = gunzip(&layer(&client, &image).1);
    assert_eq!(inspect(&client, "", &image)["RootFS"]["Layers"][0], Digest::of(&plain).to_string());

    // `docker import /dev/null` is how people make an image of nothing.
    import(&client, "repo=nothing", Vec::new());
    is_whole(&daemon);
}

#[test]
fn names_move_and_images_without_one_are_kept() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let first = import(&client, "repo=app&tag=1", rootfs());
    let second = import(&client, "repo=app:1", gzip(&rootfs()));
    assert_ne!(first, second);
    assert_eq!(inspect(&client, "", "app:1")["Id"], second);
    let dangling =
        client.get(&format!("/images/json?filters={}", encode(r#"{"dangling":["true"]}"#))).expect(200).json();
    assert_eq!(dangling[0]["Id"], first);
    let third = import(&client, "tag=ignored", rootfs());
    assert_eq!(inspect(&client, "", &third)["RepoTags"], json!([]));
    let events = client.get("/events?since=1&until=1").expect(200);
    assert!(events.body.is_empty());
    let until = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 1;
    let told = lines(&client.get(&format!("/events?since=1&until={until}")).expect(200));
    let told: Vec<_> =
        told.iter().map(|event| (event["Action"].as_str().unwrap(), event["Actor"]["ID"].clone())).collect();
    let both = |image: &str| [("tag", json!(image)), ("import", json!(image))];
    assert_eq!(told, [&both(&first)[..], &both(&second), &both(&third)[1..]].concat());
}

#[test]
fn what_cannot_be_imported_leaves_nothing() {
    let daemon = Daemon::start_unpacked();
    let client = daemon.client();
    import(&client, "repo=kept", rootfs());
    let before = files(&daemon.data_root());
    let large = Tar::default().file("large", &(0..300_000_u32).map(|n| (n ^ n >> 7) as u8).collect::<Vec<_>>()).end();
    let packed = gzip(&large);
    for (what, query, body, why) in [
        ("a change", "fromSrc=-&repo=kept&changes=RUN%20x", rootfs(), "run is not a valid change command"),
        ("an empty change", "fromSrc=-&changes=", rootfs(), "file with no instructions"),
        ("a name", "fromSrc=-&repo=KEPT", rootfs(), "must be lowercase"),
        ("a tag", "fromSrc=-&repo=kept&tag=!", rootfs(), "invalid tag format"),
        ("an algorithm's name", "fromSrc=-&repo=sha256", rootfs(), "ambiguous tag"),
        ("a platform", "fromSrc=-&repo=kept&platform=a/b/c/d", rootfs(), "platform specifier"),
        ("text", "fromSrc=-&repo=kept", b"hello".repeat(1000), "not a tar"),
        ("a part", "fromSrc=-&repo=kept", large[..200_000].to_vec(), "unexpected end"),
        ("a part of gzip", "fromSrc=-&repo=kept", packed[..packed.len() / 2].to_vec(), "unexpected end"),
        (
            "damaged gzip",
            "fromSrc=-&repo=kept",
            {
                let mut bytes = packed.clone();
                bytes[2000] ^= 0xff;
                bytes
            },
            "",
        ),
        ("no source", "repo=kept", rootfs(), "fromSrc"),
        ("a file", "fromSrc=file:///etc/passwd", Vec::new(), "only http and https"),
        ("a user", "fromSrc=http://me:secret@127.0.0.1/x", Vec::new(), "credentials are not sent"),
    ] {
        let text = refused(&client, query, body, 400);
        assert!(text.contains(why) && !text.contains("secret"), "{what}: {text}");
        assert_eq!(files(&daemon.data_root()), before, "{what}");
    }
    // A client that goes away in the middle.
    let mut stream = client.connect().unwrap();
    let head = "POST /images/create?fromSrc=-&repo=gone HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&large).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(50));
    drop(stream);
    comes_to_hold(&daemon.data_root(), &before);
    client.get("/images/gone/json").expect(404);
    is_whole(&daemon);
}

#[test]
fn memory_does_not_follow_the_archive() {
    let daemon = Daemon::start();
    let client = daemon.client();
    import(&client, "", rootfs());
    let before = peak_memory(&daemon);
    let large = Tar::default().file("large", &vec![7; 48 << 20]).end();
    import(&client, "", gzip(&large));
    import(&client, "", large);
    let more = peak_memory(&daemon) - before;
    assert!(more < 24 << 20, "{} MiB more", more >> 20);
}

/// A server that answers every request with the same.
fn server(answer: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_url_is_fetched_with_progress() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let client = daemon.client();
    let archive = Tar::default().file("large", &vec![7; 3 << 20]).end();
    let blob = registry.put_blob("files", &MediaType::OCI_LAYER, archive.clone());
    // A redirect is followed.
    registry.faults().redirect_blobs = Some(registry.url());
    let url = format!("{}/v2/files/blobs/{}?signature=s", registry.url(), blob.digest);
    let answer = client.send(&post(&format!("fromSrc={}&repo=fetched", encode(&url)), Vec::new())).expect(200);
    let told = lines(&answer);
    assert_eq!(told[0], json!({"status": format!("Downloading from {url}")}));
    let progress: Vec<&Value> = told.iter().filter(|line| line["status"] == "Importing").collect();
    assert!(progress.iter().all(|line| line["progressDetail"]["total"] == archive.len()), "{told:?}");
    assert!(!progress.is_empty() && progress.iter().map(|line| line["progressDetail"]["current"].as_u64()).is_sorted());
    let image = inspect(&client, "", "fetched");
    assert_eq!(told.last().unwrap(), &json!({"status": image["Id"]}));
    assert_eq!(image["RootFS"]["Layers"], json!([blob.digest.to_string()]));
    assert_eq!(image["Comment"], format!("Imported from {}/v2/files/blobs/{}", registry.url(), blob.digest));
    assert!(!registry.was_told_a_secret());

    // Without a scheme it is http.
    registry.faults().redirect_blobs = None;
    let plain = format!("{}/v2/files/blobs/{}", registry.host(), blob.digest);
    client.send(&post(&format!("fromSrc={}&repo=plain", encode(&plain)), Vec::new())).expect(200);
    inspect(&client, "", "plain");
}

#[test]
fn a_url_that_fails_leaves_nothing() {
    let (daemon, registry) = (Daemon::start_unpacked(), Registry::start());
    let client = daemon.client();
    let before = files(&daemon.data_root());
    let archive = Tar::default().file("large", &vec![7; 1 << 20]).end();
    let blob = registry.put_blob("files", &MediaType::OCI_LAYER, archive);
    let url = encode(&format!("{}/v2/files/blobs/{}", registry.url(), blob.digest));

    let text = refused(&client, &format!("fromSrc={}/v2/nothing/blobs/x", encode(&registry.url())), Vec::new(), 404);
    assert!(text.starts_with("failed to GET http://") && text.contains("404"), "{text}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = refused(&client, &format!("fromSrc=http://{nobody}/x"), Vec::new(), 500);
    assert!(text.contains("refused"), "{text}");
    let around =
        server("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into());
    let text = refused(&client, &format!("fromSrc=http://{around}/x"), Vec::new(), 500);
    assert!(text.contains("redirects more than"), "{text}");
    let astray = server(
        "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into(),
    );
    refused(&client, &format!("fromSrc=http://{astray}/x"), Vec::new(), 403);

    // What fails later says so in the last line.
    registry.faults().truncate_blobs = Some(100_000);
    let told = lines(&client.send(&post(&format!("fromSrc={url}&repo=gone"), Vec::new())).expect(200));
    assert!(told.last().unwrap()["error"].as_str().unwrap().contains("broke"), "{told:?}");
    comes_to_hold(&daemon.data_root(), &before);

    // A client that hangs up ends the fetch.
    registry.faults().truncate_blobs = None;
    registry.faults().stall_blobs = Some(600_000);
    let mut open = client.open(&post(&format!("fromSrc={url}&repo=gone"), Vec::new())).unwrap();
    assert!(open.body.read(&mut [0; 10]).unwrap() > 0);
    while files(&daemon.data_root()) == before {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    drop(open);
    comes_to_hold(&daemon.data_root(), &before);
    client.get("/images/gone/json").expect(404);
}
