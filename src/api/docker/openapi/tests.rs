use std::collections::BTreeSet;

use super::*;

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap();
        methods.iter().map(move |(method, operation)| (method.clone(), path.clone(), operation.clone()))
    });
    each.collect()
}

#[test]
fn every_row_of_the_table_is_what_its_handler_documents() {
    let rows: BTreeSet<_> =
        routes::documented().iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    let documented: BTreeSet<_> =
        operations(&complete()).into_iter().map(|(method, path, _)| (method.to_uppercase(), path)).collect();
    assert_eq!(rows, documented);
}

#[test]
fn every_operation_is_routed_once() {
    let routes = routes::routes();
    let unique: BTreeSet<_> = routes.iter().map(|route| (route.method.as_str(), route.path)).collect();
    assert_eq!(unique.len(), routes.len());
}

#[test]
fn every_operation_says_what_a_client_needs() {
    let mut identifiers = BTreeSet::new();
    for (method, path, operation) in operations(&complete()) {
        let at = format!("{method} {path}");
        assert!(identifiers.insert(operation["operationId"].as_str().unwrap().to_owned()), "{at}");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{at}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("500"), "{at}");
        let example = method == "head" || operation["responses"].to_string().contains("\"example\"");
        assert!(example, "{at} has no example");
    }
}

#[test]
fn every_reference_has_its_schema() {
    for minor in OLDEST..=NEWEST {
        let document = document(minor);
        let text = document.to_string();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "1.{minor}: {name}");
        }
    }
}

#[test]
fn older_documents_lack_what_came_later() {
    let has = |minor, pointer: &str| document(minor).pointer(pointer).is_some();
    let property = |schema, name| format!("/components/schemas/{schema}/properties/{name}");
    for (pointer, first) in [
        ("/paths/~1images~1{name}~1attestations".to_owned(), 55),
        (property("AttestationData", "Statements"), 55),
        (property("ImageSummary", "Manifests"), 47),
        (property("ImageSummary", "Descriptor"), 48),
        (property("ImageInspect", "Manifests"), 48),
        (property("ImageInspect", "Descriptor"), 48),
        ("/components/schemas/ImageManifestSummary".to_owned(), 47),
    ] {
        assert!(has(first, &pointer) && !has(first - 1, &pointer), "{pointer}");
    }
    for (pointer, last) in [
        (property("ImageSummary", "VirtualSize"), 43),
        (property("ImageInspect", "Container"), 44),
        (property("ImageInspect", "GraphDriver"), 51),
        (property("ImageConfig", "Hostname"), 49),
    ] {
        assert!(has(last, &pointer) && !has(last + 1, &pointer), "{pointer}");
    }
    let parameters = |minor| document(minor)["paths"]["/images/json"]["get"]["parameters"].to_string();
    assert!(parameters(24).contains("\"filter\"") && !parameters(25).contains("\"filter\""));
    assert!(parameters(47).contains("\"manifests\"") && !parameters(46).contains("\"manifests\""));
}

#[test]
fn streams_are_bytes_with_the_schema_of_their_objects_beside() {
    let stream = |minor, pointer: &str, media: &str| {
        document(minor).pointer(&format!("/paths/{pointer}/responses/200/content"))?.get(media).cloned()
    };
    for minor in [OLDEST, 51, 52, NEWEST] {
        for (operation, schema) in [
            ("~1images~1create/post", "TransferMessage"),
            ("~1images~1{name}~1push/post", "TransferMessage"),
            ("~1images~1load/post", "LoadMessage"),
            ("~1events/get", "EventMessage"),
        ] {
            let media = stream(minor, operation, "application/x-ndjson").unwrap();
            assert_eq!(media["schema"], json!({"type": "string", "format": "binary"}), "1.{minor} {operation}");
            assert_eq!(media["x-itemSchema"]["$ref"], format!("#/components/schemas/{schema}"));
            let lines: Vec<&str> = media["example"].as_str().unwrap().lines().collect();
            assert!(lines.len() > 1 && lines.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()));
            assert!(stream(minor, operation, "application/json").is_none(), "1.{minor} {operation}");
        }
        let sequence = stream(minor, "~1events/get", "application/json-seq");
        assert_eq!(sequence.is_some(), minor >= 52);
        assert!(sequence.is_none_or(|media| media["example"].as_str().unwrap().starts_with('\u{1e}')));
    }
}

#[test]
fn operations_that_are_only_refused_are_named_with_their_status() {
    let refused = &document(NEWEST)["x-loadline-refused"];
    for (status, operation) in [("404", "GET /containers/{name}/json"), ("501", "POST /build"), ("503", "GET /swarm")] {
        assert!(refused[status].as_array().unwrap().contains(&json!(operation)), "{operation}");
    }
    let named: usize = refused.as_object().unwrap().values().map(|all| all.as_array().unwrap().len()).sum();
    assert_eq!(named, routes::routes().len() - routes::documented().len());
}

#[test]
fn digests_and_versions_have_patterns() {
    let document = document(NEWEST);
    let reference = |schema: &str, property: &str| {
        document["components"]["schemas"][schema]["properties"][property]["$ref"].clone()
    };
    for (schema, property) in [("OCIDescriptor", "digest"), ("ImageSummary", "Id"), ("AttestationData", "For")] {
        assert_eq!(reference(schema, property), "#/components/schemas/Digest", "{schema}.{property}");
    }
    assert_eq!(reference("SystemVersion", "ApiVersion"), "#/components/schemas/ApiVersion");
    for name in ["Digest", "ImageReference", "ApiVersion"] {
        assert!(document["components"]["schemas"][name]["pattern"].is_string(), "{name}");
    }
    let parameter = &document["paths"]["/content/{digest}"]["get"]["parameters"][0]["schema"];
    assert_eq!(parameter["pattern"], document["components"]["schemas"]["Digest"]["pattern"]);
}
