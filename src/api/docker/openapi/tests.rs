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
fn what_is_documented_has_its_route_and_what_is_served_its_document() {
    let name = |route: &Route| format!("{} {}", route.method, route.path);
    let routes: Vec<_> = routes::routes().iter().map(name).collect();
    let documented: Vec<_> =
        operations(&complete()).iter().map(|(method, path, _)| format!("{} {path}", method.to_uppercase())).collect();
    for operation in &documented {
        assert!(routes.contains(operation), "{operation} has no route");
    }
    // What is only refused, because there are no containers, has a route and no document.
    for operation in routes::images().iter().chain(&crate::api::docker::system::routes()).map(name) {
        assert!(documented.contains(&operation), "{operation} is not documented");
    }
}

#[test]
fn every_operation_says_what_a_client_needs() {
    let mut identifiers = std::collections::BTreeSet::new();
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
