//! Every operation of the REST API and every RPC is asked for by at least one test.

mod calls;

use std::collections::BTreeSet;

use calls::{Call, Calls};
use loadline::api::docker::routes;
use loadline::daemon::wiring;
use loadline::engine::{Engine, Settings};
use prost::Message;
use prost_types::FileDescriptorSet;
use regex_lite::Regex;
use serde_json::Value;

use crate::support::{repository, rust_files};

/// Requests that replay answers of a real engine; `tests/docker/replay.rs` sends each.
const RECORDINGS: [&str; 3] = ["engine.json", "registry.json", "events.json"];

#[test]
fn every_rest_operation_is_asked_for_by_a_test() {
    let mut calls = recorded();
    for file in rust_files("tests").iter().filter(|file| !file.starts_with("tests/checks/")) {
        calls.extend(Calls::of(&source(file)).rest);
    }
    let table = routes::documented();
    let missing = table.iter().filter(|route| {
        let asked = Operation::new(route.method.as_str(), route.path);
        !calls.iter().any(|call| asked.is_asked_by(call))
    });
    let missing: Vec<String> = missing.map(|route| format!("{} {}", route.method, route.path)).collect();
    assert!(missing.is_empty(), "no test asks for {missing:#?}");
}

#[test]
fn every_rpc_is_called_by_a_test() {
    // The services speak over memory in their own tests, and over a socket in the others.
    let own = rust_files("src/api").into_iter().filter(|file| file.contains("/tests"));
    let files: Vec<Calls> = own.chain(rust_files("tests")).map(|file| Calls::of(&source(&file))).collect();
    let mut missing = Vec::new();
    for (service, rpc) in rpcs() {
        let client = client_of(&service);
        let called = |calls: &Calls| {
            calls.paths.iter().any(|path| path.ends_with(&client)) && calls.methods.contains(&snake(&rpc))
        };
        if !files.iter().any(called) {
            missing.push(format!("{service}.{rpc}"));
        }
    }
    assert!(missing.is_empty(), "no test calls {missing:?}");
}

#[test]
fn services_of_one_name_are_told_apart_by_their_packages() {
    let imports = |service: &str, text: &str| {
        let client = client_of(service);
        Calls::of(text).paths.iter().any(|path| path.ends_with(&client))
    };
    let newer = "use x::proto::runtime::v1::{ImageSpec, image_service_client::ImageServiceClient};";
    let older = "use x::proto::runtime::image_service_client::ImageServiceClient as Client;";
    let written_out = "fn connect() -> runtime::v1::image_service_client::ImageServiceClient { todo!() }";
    for (service, text, expected) in [
        ("runtime.v1.ImageService", newer, true),
        ("runtime.ImageService", newer, false),
        ("runtime.v1.ImageService", older, false),
        ("runtime.ImageService", older, true),
        ("runtime.v1.ImageService", written_out, true),
        ("machine.ImageService", newer, false),
    ] {
        assert_eq!(imports(service, text), expected, "{service}: {text}");
    }
}

#[test]
fn an_operation_is_told_by_its_method_and_its_whole_path() {
    let asked = |operation: (&str, &str), text: &str| {
        let operation = Operation::new(operation.0, operation.1);
        Calls::of(text).rest.iter().any(|call| operation.is_asked_by(call))
    };
    let (list, inspect, load) = (("GET", "/images/json"), ("GET", "/images/{name}/json"), ("POST", "/images/load"));
    for (operation, body, expected) in [
        (list, "client.get(\"/images/json?all=1\");", true),
        (list, "client.get(&format!(\"/v1.{minor}/images/json\"));", true),
        (list, "client.get(&format!(\"{version}/images/json?x={}\", 1));", true),
        (list, "assert_eq!(client.get(\"/images/json\").status, 200);", true),
        (list, "client.send(&Request::new(\"GET\", \"/images/json\"));", true),
        (list, "for target in [\"/images/json\", \"/info\"] { client.get(target); }", true),
        (list, "// client.get(\"/images/json\");", false),
        (list, "let text = \"/images/json\";", false),
        (list, "client.post(\"/images/json\", \"\", \"\");", false),
        (list, "client.get(\"/images/jsonx\");", false),
        (list, "client.get(\"/images/a/json\");", false),
        (list, "for target in [\"/images/json\"] { client.delete(target); }", false),
        (inspect, "client.get(&format!(\"/images/{name}/json\"));", true),
        (inspect, "client.get(\"/images/registry.test/a:1/json\");", true),
        (inspect, "client.get(\"/images/json\");", false),
        (load, "Request::post(\"/images/load?quiet=1\");", true),
        (load, "send(&daemon, \"POST\", \"/images/load\");", true),
        (load, "for (method, target) in [(\"POST\", \"/images/load\")] {}", true),
        (load, "send(&daemon, \"GET\", \"/images/load\");", false),
    ] {
        assert_eq!(asked(operation, &format!("fn test() {{ {body}\n }}")), expected, "{operation:?}: {body}");
    }
}

/// A row of the table.
struct Operation<'a> {
    method: &'a str,
    path: Regex,
}

impl<'a> Operation<'a> {
    fn new(method: &'a str, template: &str) -> Self {
        // A parameter stands for anything that a test may put there, a placeholder of `format!` and slashes included.
        let segments: Vec<String> = template
            .split('/')
            .map(|segment| if segment.starts_with('{') { "[^?]+".to_owned() } else { regex_lite::escape(segment) })
            .collect();
        // Before it may stand a version, or a placeholder of one.
        let path = Regex::new(&format!(r"^(?:/v[^/]+|\{{\w*\}})?{}(?:\?.*)?$", segments.join("/"))).unwrap();
        Self { method, path }
    }

    fn is_asked_by(&self, call: &Call) -> bool {
        call.method == self.method && self.path.is_match(&call.target)
    }
}

/// The requests of the recordings.
fn recorded() -> BTreeSet<Call> {
    let mut calls = BTreeSet::new();
    for recording in RECORDINGS {
        let text = source(&format!("tests/recordings/{recording}"));
        let steps: Vec<Value> = serde_json::from_str(&text).unwrap();
        calls.extend(steps.iter().filter_map(|step| Call::new(step["method"].as_str()?, step["path"].as_str()?)));
    }
    calls
}

/// Where the end of a path names the client of a service in generated code: `…::content::v1::content_client::ContentClient`.
fn client_of(service: &str) -> Vec<String> {
    let (package, name) = service.rsplit_once('.').unwrap();
    let modules = package.split('.').map(str::to_owned);
    modules.chain([format!("{}_client", snake(name)), format!("{name}Client")]).collect()
}

/// Every RPC that is served, as the full name of its service and its method, by the descriptors that reflection answers from.
fn rpcs() -> Vec<(String, String)> {
    let root = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let engine = runtime.block_on(Engine::open(Settings::new(root.path().join("data")))).unwrap();
    let mut rpcs = Vec::new();
    for service in wiring::grpc_services(&engine) {
        let descriptors = FileDescriptorSet::decode(service.descriptors()).unwrap();
        let (package, name) = service.name().rsplit_once('.').unwrap();
        let files = descriptors.file.iter().filter(|file| file.package() == package);
        let found = files.flat_map(|file| &file.service).find(|found| found.name() == name);
        let methods = &found.unwrap_or_else(|| panic!("{} is in no descriptor", service.name())).method;
        rpcs.extend(methods.iter().map(|method| (service.name().to_owned(), method.name().to_owned())));
    }
    assert!(!rpcs.is_empty());
    rpcs
}

fn source(file: &str) -> String {
    std::fs::read_to_string(repository(file)).unwrap()
}

/// `ListStatuses` as `list_statuses`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}
