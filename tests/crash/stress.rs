//! Everything at once, again and again cut short: sixteen clients on images that share layers, `kill -9`, a check, a restart.
//!
//! Whatever a client reads hashes to what it asked for; a refusal is one that the client's request explains; after each end
//! the data root is sound, and after an orderly one nothing is left of what had been under way. It runs for
//! `LOADLINE_STRESS_SECONDS`, 15 where that is not set.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use loadline::api::containerd::proto::containerd::services::content::v1::ReadContentRequest;
use loadline::api::containerd::proto::containerd::services::content::v1::content_client::ContentClient;
use loadline::domain::{Digest, MediaType};
use serde_json::{Value, json};
use tonic::Code;
use tonic::transport::Endpoint;

use crate::support::checking::check;
use crate::support::daemon::Daemon;
use crate::support::http::{Answer, Client, Request};
use crate::support::images::{CONFIG, LAYER, Layout, MANIFEST, PROVENANCE, config, digest, platform, with};
use crate::support::loading::{encode, files};
use crate::support::registry::Registry;

const CLIENTS: u64 = 16;

/// How many images there are of each kind.
const IMAGES: usize = 4;

/// How long clients work between two ends of the daemon.
const ROUND: Duration = Duration::from_millis(2500);

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// Layers that images share, the last ones rarely.
fn layers() -> Vec<Vec<u8>> {
    let sizes = [700, 3_000, 20_000, 20_000, 60_000, 150_000, 300_000];
    let bytes = |seed: usize, size: usize| (0..size).map(|at| (at * 31 + seed * 97 + at / 251) as u8).collect();
    sizes.iter().enumerate().map(|(seed, size)| bytes(seed, *size)).collect()
}

/// What there is to load, and to pull.
struct Material {
    archives: Vec<Vec<u8>>,
    registry: Registry,
}

impl Material {
    fn new() -> Self {
        let layers = layers();
        let layers_of = |number: usize| {
            layers.iter().enumerate().filter(move |(at, _)| !(at + number).is_multiple_of(3)).map(|(_, layer)| layer)
        };
        let archive = |number: usize| {
            let mut layout = Layout::default();
            let mut manifests = Vec::new();
            for name in PLATFORMS {
                let descriptors: Vec<Value> =
                    layers_of(number).map(|layer| layout.blob(LAYER, layer.clone())).collect();
                let mut config = config(name, &format!("archive {number}"));
                config["rootfs"]["diff_ids"] =
                    layers_of(number).map(|layer| json!(Digest::of(layer).to_string())).collect();
                let config = layout.blob(CONFIG, config.to_string());
                let image = with(&layout.manifest(MANIFEST, &config, &descriptors), "platform", platform(name));
                let statement =
                    layout.statement(PROVENANCE, format!("{{\"about\":\"{}\"}}", digest(&image)).as_bytes());
                let attestation = layout.attestation(&image, &[statement]);
                manifests.extend([image, attestation]);
            }
            let signature = layout.blob("application/vnd.dev.sigstore.bundle.v0.3+json", "{}");
            let referrer =
                layout.referrer(&manifests[0], "application/vnd.dev.sigstore.bundle.v0.3+json", &[signature]);
            let index = layout.index(&manifests);
            layout.named(&index, &format!("stress.test/loaded:{number}"));
            layout.listed(&referrer);
            layout.tar()
        };
        let registry = Registry::start();
        for number in 0..IMAGES {
            let own: Vec<Vec<u8>> = layers_of(number).cloned().chain([number.to_string().into_bytes()]).collect();
            let image = registry.put_image("stress/pulled", None, &own);
            let other = registry.put_image("stress/pulled", None, &own[..2]);
            let entry = |image: &loadline::domain::Descriptor, name: &str| {
                with(&json!(image.json()), "platform", platform(name))
            };
            let body = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX.as_str(),
                "manifests": [entry(&image, PLATFORMS[0]), entry(&other, PLATFORMS[1])]});
            registry.put_manifest("stress/pulled", Some(&number.to_string()), &MediaType::OCI_INDEX, &body);
        }
        Self { archives: (0..IMAGES).map(archive).collect(), registry }
    }

    /// A name that some client may have given an image.
    fn name(&self, random: &mut Random) -> String {
        let number = random.below(IMAGES as u64);
        match random.below(3) {
            0 => format!("stress.test/loaded:{number}"),
            1 => format!("{}/stress/pulled:{number}", self.registry.host()),
            _ => format!("stress.test/tagged:{}", random.below(8)),
        }
    }
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// What all clients share.
struct Stage {
    client: Client,
    socket: std::path::PathBuf,
    material: Material,
    /// Held for reading by who works, for writing by who wants quiet.
    gate: RwLock<()>,
    /// Odd while the daemon is being ended.
    epoch: AtomicU64,
    over: AtomicBool,
    counts: Mutex<BTreeMap<String, u64>>,
}

/// What came of one thing that a client did: what to call it, or nothing where the daemon ended meanwhile.
type Outcome = io::Result<String>;

impl Stage {
    fn work(&self, seed: u64) {
        let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ (seed + 1).wrapping_mul(0xD134_2543_DE82_EF95));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        while !self.over.load(Ordering::Relaxed) {
            // Where the lock is poisoned, another thread tells what went wrong.
            let Ok(gate) = self.gate.read() else { return };
            let before = self.epoch.load(Ordering::SeqCst);
            let (what, outcome) = self.act(&mut random, &runtime);
            let told = match outcome {
                Ok(told) => told,
                // Nothing but its end excuses a daemon that does not answer; and it never just stops answering.
                Err(error) => {
                    let hangs = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                    let ended = before % 2 == 1 || self.epoch.load(Ordering::SeqCst) != before;
                    assert!(ended && !hangs, "{what}: {error}");
                    // Until the daemon is back there is nothing to do.
                    std::thread::sleep(Duration::from_millis(20));
                    "cut off".to_owned()
                }
            };
            drop(gate);
            *self.counts.lock().unwrap().entry(format!("{what}: {told}")).or_default() += 1;
        }
    }

    fn act(&self, random: &mut Random, runtime: &tokio::runtime::Runtime) -> (&'static str, Outcome) {
        let name = self.material.name(random);
        match random.below(20) {
            0..3 => ("pull", self.pull(random)),
            3..6 => ("load", self.load(random)),
            6..8 => ("tag", self.tag(&name, random)),
            8..10 => ("delete", self.delete(&name, random)),
            10 => ("prune", self.prune(random)),
            11..13 => ("save", self.save(&name, random)),
            13..15 => ("read", self.read(random, |digest| self.rest(digest))),
            15..17 => ("grpc", self.read(random, |digest| runtime.block_on(self.grpc(digest)))),
            _ => ("look", self.look(&name, random)),
        }
    }

    fn pull(&self, random: &mut Random) -> Outcome {
        let host = self.material.registry.host();
        let platform = match random.below(3) {
            0 => "&platform=linux/arm64",
            _ => "&platform=linux/amd64",
        };
        let target =
            format!("/images/create?fromImage={host}/stress/pulled&tag={}{platform}", random.below(IMAGES as u64));
        if random.below(4) == 0 {
            return self.give_up(&Request::post(&target), &[], random);
        }
        let answer = self.client.try_send(&Request::post(&target))?;
        Ok(self.streamed("pull", &answer))
    }

    fn load(&self, random: &mut Random) -> Outcome {
        let archive = &self.material.archives[random.below(IMAGES as u64) as usize];
        let target = match random.below(4) {
            0 => format!("/images/load?platform={}", encode(r#"{"os":"linux","architecture":"arm64"}"#)),
            _ => "/images/load".to_owned(),
        };
        let request = Request::post(&target).body(archive.as_slice());
        if random.below(4) == 0 {
            let part = random.below(archive.len() as u64) as usize;
            return self.give_up(&request, &archive[..part], random);
        }
        let answer = self.client.try_send(&request)?;
        Ok(self.streamed("load", &answer))
    }

    /// What the last line of a pull or load says.
    fn streamed(&self, what: &str, answer: &Answer) -> String {
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        let lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let last = lines.last().unwrap_or_else(|| panic!("{what} says nothing"));
        let Some(error) = last["error"].as_str() else { return "done".to_owned() };
        // Somebody else's delete may come between; nothing else may go wrong.
        assert!(error.contains("try again"), "{what}: {error}");
        "try again".to_owned()
    }

    /// Begins a request and hangs up.
    fn give_up(&self, request: &Request, part: &[u8], random: &mut Random) -> Outcome {
        let mut stream = self.client.connect()?;
        stream.write_all(request.head().as_bytes())?;
        stream.write_all(part)?;
        std::thread::sleep(Duration::from_millis(random.below(30)));
        Ok("given up".to_owned())
    }

    fn tag(&self, name: &str, random: &mut Random) -> Outcome {
        let target = format!("/images/{name}/tag?repo=stress.test/tagged&tag={}", random.below(8));
        let answer = self.client.try_send(&Request::post(&target))?;
        Ok(one_of(&target, &answer, &[201, 404]))
    }

    fn delete(&self, name: &str, random: &mut Random) -> Outcome {
        let query = match random.below(4) {
            0 => format!("?force=1&platforms={}", encode(r#"{"os":"linux","architecture":"arm64"}"#)),
            1 => String::new(),
            _ => "?force=1".to_owned(),
        };
        let target = format!("/images/{name}{query}");
        let answer = self.client.try_send(&Request::new("DELETE", &target))?;
        Ok(one_of(&target, &answer, &[200, 404, 409]))
    }

    fn prune(&self, random: &mut Random) -> Outcome {
        let target = match random.below(3) {
            0 => format!("/images/prune?filters={}", encode(r#"{"dangling":["false"]}"#)),
            _ => "/images/prune".to_owned(),
        };
        let answer = self.client.try_send(&Request::post(&target))?;
        Ok(one_of(&target, &answer, &[200]))
    }

    fn save(&self, name: &str, random: &mut Random) -> Outcome {
        let target = format!("/images/{name}/get");
        if random.below(5) == 0 {
            return self.give_up(&Request::get(&target), &[], random);
        }
        let answer = self.client.try_send(&Request::get(&target))?;
        if answer.status == 200 {
            is_whole_archive(&answer.body);
        }
        // What is asked for was removed before, is not here as a whole, or is being removed just now.
        if answer.status == 503 {
            assert!(answer.text().contains("try again"), "{target}: {}", answer.text());
        }
        Ok(one_of(&target, &answer, &[200, 404, 503]))
    }

    /// Reads blobs of an image that is listed as being here.
    fn read(&self, random: &mut Random, read: impl Fn(&str) -> io::Result<Option<Vec<u8>>>) -> Outcome {
        let listed = self.client.try_send(&Request::get("/images/json?manifests=1"))?;
        assert_eq!(listed.status, 200, "{}", listed.text());
        let rows = listed.json();
        let manifests =
            rows.as_array().unwrap().iter().flat_map(|row| row["Manifests"].as_array().into_iter().flatten());
        let here: Vec<&str> = manifests
            .filter(|manifest| manifest["Available"] == true)
            .map(|manifest| manifest["ID"].as_str().unwrap())
            .collect();
        if here.is_empty() {
            return Ok("nothing here".to_owned());
        }
        let id = here[random.below(here.len() as u64) as usize];
        let Some(manifest) = read(id)? else { return Ok("gone".to_owned()) };
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        for child in manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]) {
            let Some(bytes) = read(digest(child))? else { return Ok("gone".to_owned()) };
            assert_eq!(json!(bytes.len()), child["size"]);
        }
        Ok("read".to_owned())
    }

    /// A blob over REST; `None` where it is not here.
    fn rest(&self, digest: &str) -> io::Result<Option<Vec<u8>>> {
        let answer = self.client.try_send(&Request::get(&format!("/content/{digest}")))?;
        if answer.status == 404 {
            return Ok(None);
        }
        assert_eq!(answer.status, 200, "{digest}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(Digest::of(&answer.body).to_string(), digest);
        Ok(Some(answer.body))
    }

    /// The same over gRPC.
    async fn grpc(&self, digest: &str) -> io::Result<Option<Vec<u8>>> {
        let socket = self.socket.clone();
        let connector = tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { tokio::net::UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://localhost").timeout(Duration::from_secs(60));
        let channel = endpoint.connect_with_connector(connector).await.map_err(io::Error::other)?;
        let request = ReadContentRequest { digest: digest.to_owned(), offset: 0, size: 0 };
        let read = async {
            let mut stream = ContentClient::new(channel).read(request).await?.into_inner();
            let mut data = Vec::new();
            while let Some(message) = stream.message().await? {
                data.extend_from_slice(&message.data);
            }
            Ok(data)
        };
        match read.await {
            Ok(data) => {
                assert_eq!(Digest::of(&data).to_string(), digest);
                Ok(Some(data))
            }
            Err(status) if tonic::Status::code(&status) == Code::NotFound => Ok(None),
            Err(status) if status.code() == Code::DeadlineExceeded => panic!("{digest}: {status}"),
            // Forgiven only where the daemon ended.
            Err(status) => Err(io::Error::other(status.to_string())),
        }
    }

    fn look(&self, name: &str, random: &mut Random) -> Outcome {
        let target = match random.below(6) {
            0 => "/images/json?shared-size=1".to_owned(),
            1 => "/system/df".to_owned(),
            2 => format!("/images/{name}/json?manifests=1"),
            3 => format!("/images/{name}/history"),
            4 => format!("/images/{name}/attestations?statement=1"),
            _ => "/images/json?manifests=1&identity=1".to_owned(),
        };
        let answer = self.client.try_send(&Request::get(&target))?;
        Ok(one_of(&target, &answer, &[200, 404]))
    }

    /// What must hold whenever nobody else asks for anything: every name leads to content, and what is listed as being here
    /// can be read and saved.
    fn verify(&self, daemon: &Daemon) {
        settles("an ingest that nobody writes", || {
            !files(&daemon.data_root()).iter().any(|file| file.starts_with("ingest/"))
        });
        let read = |digest: &str| self.rest(digest).unwrap().unwrap_or_else(|| panic!("{digest} is not here"));
        let rows = self.client.get("/images/json?manifests=1").expect(200).json();
        for row in rows.as_array().unwrap() {
            let id = row["Id"].as_str().unwrap();
            read(id);
            let manifests = row["Manifests"].as_array().into_iter().flatten();
            let here: Vec<&Value> = manifests.filter(|manifest| manifest["Available"] == true).collect();
            for manifest in &here {
                let manifest: Value = serde_json::from_slice(&read(manifest["ID"].as_str().unwrap())).unwrap();
                for child in manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]) {
                    read(digest(child));
                }
            }
            if here.iter().any(|manifest| manifest["Kind"] == "image") {
                is_whole_archive(&self.client.get(&format!("/images/{id}/get")).expect(200).body);
            }
        }
    }
}

/// A status that may be, as text.
#[track_caller]
fn one_of(what: &str, answer: &Answer, expected: &[u16]) -> String {
    assert!(expected.contains(&answer.status), "{what}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    answer.status.to_string()
}

/// Every blob of an archive is what its path says, and all that its index leads to is there.
fn is_whole_archive(archive: &[u8]) {
    let mut blobs = BTreeMap::new();
    let mut next = Vec::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if path == "index.json" {
            next = serde_json::from_slice::<Value>(&bytes).unwrap()["manifests"].as_array().unwrap().clone();
        } else if let Some(hex) = path.strip_prefix("blobs/sha256/").filter(|hex| !hex.is_empty()) {
            assert_eq!(Digest::of(&bytes).hex(), hex);
            blobs.insert(format!("sha256:{hex}"), bytes);
        }
    }
    assert!(!next.is_empty(), "an archive of nothing");
    while let Some(descriptor) = next.pop() {
        let bytes = blobs.get(digest(&descriptor)).unwrap_or_else(|| panic!("the archive lacks {descriptor}"));
        let kind = descriptor["mediaType"].as_str().unwrap();
        if kind.contains("index") || kind.contains("manifest.v") {
            let document: Value = serde_json::from_slice(bytes).unwrap();
            for list in ["manifests", "layers"] {
                next.extend(document[list].as_array().cloned().unwrap_or_default());
            }
            next.extend(document.get("config").cloned());
        }
    }
}

#[track_caller]
fn settles(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn everything_at_once_and_cut_short() {
    let seconds = std::env::var("LOADLINE_STRESS_SECONDS").ok().map_or(15, |text| text.parse().expect("a number"));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut daemon = Daemon::start();
    let stage = Stage {
        client: daemon.client(),
        socket: daemon.socket(),
        material: Material::new(),
        gate: RwLock::new(()),
        epoch: AtomicU64::new(0),
        over: AtomicBool::new(false),
        counts: Mutex::default(),
    };
    let rounds = std::thread::scope(|scope| {
        // Whatever ends this thread ends the clients, or the scope would wait for them.
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _over = Over(&stage.over);
        let stage = &stage;
        let clients: Vec<_> = (0..CLIENTS).map(|seed| scope.spawn(move || stage.work(seed))).collect();
        let mut rounds = 0;
        while Instant::now() < end {
            // Not at the same moment of each round.
            std::thread::sleep(ROUND + Duration::from_millis(rounds * 37 % 200));
            assert!(clients.iter().all(|client| !client.is_finished()), "a client failed");
            rounds += 1;
            let last = Instant::now() >= end;
            daemon = if rounds % 3 == 0 || last { orderly(stage, daemon, last) } else { crash(stage, daemon, rounds) };
        }
        stage.over.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("a client failed");
        }
        drop(daemon);
        rounds
    });
    let counts = stage.counts.into_inner().unwrap();
    eprintln!("{rounds} rounds: {counts:#?}");
    let done: HashSet<&str> = counts.keys().map(|what| what.split(':').next().unwrap()).collect();
    assert!(done.len() == 9, "not everything was done: {counts:?}");
}

/// Kills the daemon in the middle of everything, and checks what is left before and after its next start.
fn crash(stage: &Stage, daemon: Daemon, round: u64) -> Daemon {
    stage.epoch.fetch_add(1, Ordering::SeqCst);
    let place = daemon.kill();
    // Every client has noticed.
    let gate = stage.gate.write().unwrap();
    let arguments = if round.is_multiple_of(2) { &["--repair"][..] } else { &[] };
    check(&place.data_root(), arguments).expect_sound();
    let daemon = Daemon::start_in(place);
    stage.epoch.fetch_add(1, Ordering::SeqCst);
    stage.verify(&daemon);
    drop(gate);
    daemon
}

/// Waits until nobody asks for anything, and ends the daemon in order: nothing is left of what was under way.
fn orderly(stage: &Stage, daemon: Daemon, last: bool) -> Daemon {
    let gate = stage.gate.write().unwrap();
    stage.verify(&daemon);
    if last {
        // What a lease held by mistake would stay.
        settles("content that is held for nobody", || {
            let all = format!("/images/prune?filters={}", encode(r#"{"dangling":["false"]}"#));
            stage.client.send(&Request::post(&all)).expect(200);
            let partials = std::fs::read_dir(daemon.data_root().join("partial")).unwrap().count();
            files(&daemon.data_root()).is_empty() && partials == 0
        });
    }
    let place = daemon.stop();
    check(&place.data_root(), &["--deep"]).expect_spotless();
    let daemon = Daemon::start_in(place);
    drop(gate);
    daemon
}
