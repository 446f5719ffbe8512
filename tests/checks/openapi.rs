//! Holds the checked-in OpenAPI documents to the code: `UPDATE=1` rewrites them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use loadline::api::docker::openapi;
use loadline::api::docker::versions::{NEWEST, RECORDS};
use serde_json::Value;

use crate::clients::{is_here, succeed};
use crate::support::{repository, updates};

/// Every file that is generated, by its path from the repository's root.
fn generated() -> BTreeMap<String, String> {
    let mut files: BTreeMap<_, _> = RECORDS
        .iter()
        .map(|record| (format!("api-versions/engine-1.{}.json", record.minor), openapi::text(record.minor)))
        .collect();
    let mut versions = "# The API versions that are served, and what each brought.\n".to_owned();
    for record in RECORDS {
        write!(versions, "\n[[version]]\nversion = \"1.{}\"\nnote = {:?}\n", record.minor, record.note).unwrap();
    }
    files.insert("api-versions/versions.toml".into(), versions);
    files.insert("openapi/engine.json".into(), openapi::text(NEWEST));
    files
}

fn checked_in() -> Vec<String> {
    let names = |directory: &str| {
        let entries = std::fs::read_dir(repository(directory)).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.map(|name| format!("{directory}/{name}")).collect::<Vec<_>>()
    };
    [names("api-versions"), names("openapi")].concat()
}

#[test]
fn the_documents_are_those_of_the_code() {
    let files = generated();
    if updates() {
        for (path, text) in &files {
            let path: PathBuf = repository(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }
    let differs =
        |(path, text): &(&String, &String)| std::fs::read_to_string(repository(path)).ok().as_ref() != Some(*text);
    let stale: Vec<_> = files.iter().filter(differs).map(|(path, _)| path).collect();
    assert!(stale.is_empty(), "run `UPDATE=1 cargo test --test main openapi`: {stale:?}");
    let orphans: Vec<_> = checked_in().into_iter().filter(|path| !files.contains_key(path)).collect();
    assert!(orphans.is_empty(), "nothing generates {orphans:?}");
}

#[test]
fn the_documents_say_what_clients_need() {
    for record in RECORDS {
        let document = openapi::document(record.minor);
        let at = format!("1.{}", record.minor);
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{at}");
        assert_eq!(document["info"]["version"], at.as_str());
        for member in ["/info/contact/name", "/info/license/name", "/externalDocs/url"] {
            assert!(document.pointer(member).is_some_and(Value::is_string), "{at}: no {member}");
        }
        let described = text(&at, &document["info"], "description");
        for word in ["Unix socket", &format!("/v{at}/"), "X-Registry-Auth", "x-itemSchema", "x-loadline-refused"] {
            assert!(described.contains(word), "{at}: nothing is said of {word}");
        }
        let mut identifiers = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let at = format!("{at} {method} {path}");
                assert!(
                    identifiers.insert(text(&at, operation, "operationId").to_owned()),
                    "{at}: its id is another's"
                );
                text(&at, operation, "summary");
                parameters_are_whole(&at, path, operation);
                bodies_are_whole(&at, operation);
            }
        }
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            schema_is_whole(&format!("{at} {name}"), schema);
        }
    }
}

/// A member that must be a text and say something.
#[track_caller]
fn text<'a>(at: &str, of: &'a Value, member: &str) -> &'a str {
    let text = of[member].as_str().unwrap_or_default();
    assert!(!text.is_empty(), "{at}: no {member} in {of}");
    text
}

/// Holds what generators of clients trip over: path parameters that are not declared, parameters twice or never described.
fn parameters_are_whole(at: &str, path: &str, operation: &Value) {
    let mut seen = BTreeSet::new();
    let mut in_path = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let (place, name) = (text(at, parameter, "in"), text(at, parameter, "name"));
        let at = format!("{at} {place} {name}");
        assert!(seen.insert((place, name)), "{at} is there twice");
        text(&at, parameter, "description");
        assert!(place != "path" || parameter["required"] == true, "{at} is not required");
        let schema = &parameter["schema"];
        assert!(schema["type"].is_string(), "{at}: {schema}");
        // A flag needs no example, and what can be chosen from is one.
        let chosen = schema["items"]["$ref"].is_string();
        assert!(schema["type"] == "boolean" || chosen || !parameter["example"].is_null(), "{at} has no example");
        if place == "path" {
            in_path.push(name);
        }
    }
    let in_template: Vec<&str> = path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
    assert_eq!(in_path, in_template, "{at}");
}

/// Holds that every answer is described, that those of failures are there, and that JSON is shown by example.
fn bodies_are_whole(at: &str, operation: &Value) {
    let responses = operation["responses"].as_object().unwrap();
    assert!(responses.contains_key("500"), "{at}: nothing is said of failures");
    for (status, response) in responses {
        let at = format!("{at} {status}");
        text(&at, response, "description");
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            text(&format!("{at} {name}"), header, "description");
        }
        let head = at.contains(" head ");
        assert!(head || status.starts_with('2') || status == "304" || response["content"].is_object(), "{at}: no body");
    }
    let contents = responses.iter().map(|(status, response)| (status.as_str(), &response["content"]));
    for (place, content) in contents.chain([("the body", &operation["requestBody"]["content"])]) {
        for (kind, media) in content.as_object().into_iter().flatten() {
            let at = format!("{at} {place} {kind}");
            assert!(media["schema"].is_object(), "{at} has no schema");
            let archive = kind == "application/x-tar" || kind == "application/octet-stream";
            assert!(archive || !media["example"].is_null(), "{at} has no example");
            let stream = ["application/jsonl", "application/x-ndjson", "application/json-seq"].contains(&kind.as_str());
            assert_eq!(
                media["x-itemSchema"]["$ref"].is_string(),
                stream,
                "{at}: a stream shows the schema of its objects"
            );
            assert!(!stream || media["schema"]["format"] == "binary", "{at}: generated clients would parse the stream");
        }
    }
}

/// Holds that a schema and all its properties are described, and that texts are shown by example.
fn schema_is_whole(at: &str, schema: &Value) {
    text(at, schema, "description");
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        text(&format!("{at}.{name}"), property, "description");
        let kind = &property["type"];
        let is =
            |wanted: &str| kind == wanted || kind.as_array().is_some_and(|all| all.iter().any(|one| one == wanted));
        let texts = is("string") || is("array") && property["items"]["type"] == "string";
        assert!(!texts || property.get("example").is_some(), "{at}.{name} has no example");
        assert!(property.get("propertyNames").is_none(), "{at}.{name}: all names are texts");
    }
    let required = schema["required"].as_array().into_iter().flatten();
    for name in required.map(|name| name.as_str().unwrap()) {
        assert!(schema["properties"][name].is_object(), "{at}.{name} is required and not described");
    }
}

#[test]
fn the_documents_are_valid() {
    let mut command = Command::new("python3");
    if is_here(Command::new("python3").args(["-c", "import openapi_spec_validator"])) {
        command.arg(repository("tests/checks/openapi.py"));
        succeed(command.args(checked_in().iter().filter(|path| path.ends_with(".json")).map(|path| repository(path))));
    }
}
