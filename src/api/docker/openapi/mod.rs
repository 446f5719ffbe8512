//! The OpenAPI documents: the newest is generated from the code, each older one follows from the next newer.

mod example;
mod failures;
mod parameters;
mod streams;

use serde_json::{Value, json};
use utoipa::OpenApi;

use super::route::Route;
use super::routes::{self, Documents};
use super::unsupported;
use super::versions::document::Document;
use super::versions::retired::retire;
use super::versions::{self, NEWEST, OLDEST, RECORDS};

/// Marks what Docker's API does not have.
const EXTENSION: &str = "x-loadline-extension";

/// What a reader of the document needs to know before any operation.
const DESCRIPTION: &str = include_str!("description.md");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Loadline",
        description = "",
        contact(name = "Loadline maintainers"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    external_docs(
        url = "https://docs.docker.com/reference/api/engine/",
        description = "Docker Engine API, whose image operations Loadline serves",
    ),
    tags(
        (name = "Image", description = "Images, their platforms and their attestations"),
        (name = "Content", description = "Blobs by digest"),
        (name = "Distribution", description = "Images in a registry"),
        (name = "System", description = "The daemon and its host"),
        (name = "Container", description = "Always empty: Loadline does not run containers"),
        (name = "Volume", description = "Always empty: Loadline does not manage volumes"),
        (name = "Network", description = "Always empty: Loadline does not manage networks"),
        (name = "Plugin", description = "Always empty: Loadline does not run plugins"),
    ),
)]
struct Head;

/// The document of a minor version of API 1.x, as OpenAPI 3.1; that of the newest for a version that is not served.
pub fn document(minor: u8) -> Value {
    let minor = if (OLDEST..=NEWEST).contains(&minor) { minor } else { NEWEST };
    let mut document = Document::new(complete());
    retire(&mut document);
    for record in RECORDS.iter().take_while(|record| record.minor > minor) {
        (record.undo_document)(&mut document);
    }
    let routes = routes::routes();
    document.keep_operations(|method, path| {
        let route = |route: &&Route| route.path == path && route.method.as_str().eq_ignore_ascii_case(method);
        routes.iter().find(route).is_some_and(|route| (route.first..=route.last.unwrap_or(NEWEST)).contains(&minor))
    });
    for route in &routes {
        let operation = format!("{} {}", route.method, route.path);
        for parameter in versions::hidden(&operation, minor) {
            document.retire_parameter(&operation, parameter);
        }
    }
    let mut document = document.finish(minor);
    if minor < NEWEST {
        let schemas = document["components"]["schemas"].clone();
        example::fit_all(&mut document["paths"], &schemas);
    }
    streams::describe(&mut document);
    let version = format!("1.{minor}");
    document["info"]["description"] = json!(DESCRIPTION.trim_end().replace("{version}", &version));
    document
}

/// Everything that any version has.
fn complete() -> Value {
    let complete = Head::openapi().merge_from(Documents::openapi());
    // A document of texts and maps always serialises.
    let mut complete = serde_json::to_value(complete).unwrap_or_else(|_| json!({}));
    unwrap_lines(&mut complete);
    let digest = complete["components"]["schemas"]["Digest"].clone();
    let operations =
        complete["paths"].as_object_mut().into_iter().flatten().filter_map(|(_, path)| path.as_object_mut());
    for (method, operation) in operations.flatten() {
        failures::document(method, operation);
        parameters::complete(operation, &digest);
        example::share(operation);
    }
    raise_descriptions(&mut complete["components"]["schemas"]);
    drop_property_names(&mut complete["components"]["schemas"]);
    complete["x-loadline-refused"] = unsupported::refused();
    // Go has one name space for the values of all enumerations, and `image` is a kind of manifest too.
    complete["components"]["schemas"]["UsageType"]["x-enum-varnames"] =
        json!(["USAGE_CONTAINER", "USAGE_IMAGE", "USAGE_VOLUME", "USAGE_BUILD_CACHE"]);
    complete["components"]["schemas"]["StatementDescriptor"][EXTENSION] = json!(true);
    let info = &mut complete["paths"]["/info"]["get"]["responses"]["200"]["content"]["application/json"];
    info["example"] = super::system::info::example();
    complete
}

/// Describes a property that may be null itself, where utoipa describes the one of its types that is not `null`.
fn raise_descriptions(schemas: &mut Value) {
    let properties =
        schemas.as_object_mut().into_iter().flatten().filter_map(|(_, schema)| schema.get_mut("properties"));
    for (_, property) in properties.filter_map(Value::as_object_mut).flatten() {
        let choices = property.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten();
        let raised = choices.filter_map(Value::as_object_mut).find_map(|choice| choice.remove("description"));
        if let Some(description) = raised {
            property["description"] = description;
        }
    }
}

/// Takes away what says of an object that its names are texts, as all names are.
fn drop_property_names(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("propertyNames").is_some_and(|names| *names == json!({"type": "string"})) {
                members.remove("propertyNames");
            }
            members.values_mut().for_each(drop_property_names);
        }
        Value::Array(members) => members.iter_mut().for_each(drop_property_names),
        _ => {}
    }
}

/// Joins the lines of descriptions, which are wrapped as the code is; paragraphs stay apart.
fn unwrap_lines(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "description" => {
                        let paragraphs: Vec<_> =
                            text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
                        *text = paragraphs.join("\n\n");
                    }
                    other => unwrap_lines(other),
                }
            }
        }
        Value::Array(members) => members.iter_mut().for_each(unwrap_lines),
        _ => {}
    }
}

/// The document as it is checked in: indented, with a newline at the end.
pub fn text(minor: u8) -> String {
    format!("{:#}\n", document(minor))
}

#[cfg(test)]
mod tests;
