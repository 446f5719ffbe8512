//! Every operation of the API is asked for by at least one integration test.

use regex_lite::Regex;
use serde_json::Value;

use crate::support::daemon::loadline;
use crate::support::{repository, rust_files};

#[test]
fn every_rest_operation_is_named_by_a_test() {
    let document = loadline().arg("openapi").output().unwrap();
    let document: Value = serde_json::from_slice(&document.stdout).unwrap();
    let sources = sources();
    let recording = std::fs::read_to_string(repository("tests/recordings/engine.json")).unwrap();
    let mut missing = Vec::new();
    for path in document["paths"].as_object().unwrap().keys() {
        // A parameter stands for anything that a test may put there, a placeholder of `format!` included.
        let segments: Vec<String> = path
            .split('/')
            .map(|segment| if segment.starts_with('{') { r"[^\s]+".to_owned() } else { regex_lite::escape(segment) })
            .collect();
        let asked = Regex::new(&format!(r#"{}["?`']"#, segments.join("/"))).unwrap();
        if !asked.is_match(&sources) && !asked.is_match(&recording) {
            missing.push(path);
        }
    }
    assert!(missing.is_empty(), "no test asks for {missing:?}");
}

#[test]
fn every_rpc_is_named_by_a_test() {
    let sources = sources() + &std::fs::read_to_string(repository("src/api/containerd/tests/discovery.rs")).unwrap();
    let rpc = Regex::new(r"(?m)^\s*rpc (\w+)\(").unwrap();
    let mut missing = Vec::new();
    for service in ["content", "introspection", "version"] {
        let file = format!("proto/containerd/services/{service}/v1/{service}.proto");
        let text = std::fs::read_to_string(repository(&file)).unwrap();
        for found in rpc.captures_iter(&text) {
            let call = Regex::new(&format!(r"\.{}\(", snake(&found[1]))).unwrap();
            if !call.is_match(&sources) {
                missing.push(format!("{service}.{}", &found[1]));
            }
        }
    }
    assert!(missing.is_empty(), "no test calls {missing:?}");
}

/// The integration tests, without this one.
fn sources() -> String {
    let files = rust_files("tests").into_iter().filter(|file| !file.starts_with("tests/checks/"));
    files.map(|file| std::fs::read_to_string(repository(&file)).unwrap()).collect()
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
