//! Holds the checked-in OpenAPI documents to the code: `UPDATE=1` rewrites them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use loadline::api::docker::openapi;
use loadline::api::docker::versions::{NEWEST, RECORDS};
use serde_json::Value;

use crate::support::repository;

/// Every file that is generated, by its path from the repository's root.
fn generated() -> BTreeMap<String, String> {
    let mut files: BTreeMap<_, _> = RECORDS
        .iter()
        .map(|record| (format!("api-versions/engine-1.{}.json", record.minor), openapi::text(record.minor)))
        .collect();
    let mut versions = "# The API versions that are served, and what each brought.\n".to_owned();
    for record in &RECORDS {
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
    if std::env::var_os("UPDATE").is_some() {
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
fn the_documents_are_openapi_3_1() {
    for record in &RECORDS {
        let document = openapi::document(record.minor);
        let at = format!("1.{}", record.minor);
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{at}");
        assert_eq!(document["info"]["version"], at.as_str());
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                operation_is_whole(&format!("{at} {method} {path}"), path, operation);
            }
        }
    }
}

/// Holds what generators of clients trip over: undeclared path parameters, parameters twice, answers undescribed.
fn operation_is_whole(at: &str, path: &str, operation: &Value) {
    let parameters: Vec<(String, String)> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| {
            assert!(parameter["schema"].is_object(), "{at}: {parameter}");
            let text = |key: &str| parameter[key].as_str().unwrap().to_owned();
            assert!(text("in") != "path" || parameter["required"] == true, "{at}: {parameter}");
            (text("in"), text("name"))
        })
        .collect();
    for (index, parameter) in parameters.iter().enumerate() {
        assert!(!parameters[..index].contains(parameter), "{at}: {parameter:?} is there twice");
    }
    let in_template: Vec<&str> = path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
    let in_path: Vec<&str> =
        parameters.iter().filter(|(place, _)| place == "path").map(|(_, name)| name.as_str()).collect();
    assert_eq!(in_path, in_template, "{at}");
    for (status, response) in operation["responses"].as_object().unwrap() {
        assert!(!response["description"].as_str().unwrap_or_default().is_empty(), "{at}: {status}");
    }
}
