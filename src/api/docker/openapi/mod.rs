//! The OpenAPI documents: the newest is generated from the code, each older one follows from the next newer.

mod example;
mod parameters;

use serde_json::{Value, json};
use utoipa::OpenApi;

use super::route::Route;
use super::routes::{self, Documents};
use super::versions::document::Document;
use super::versions::retired::retire;
use super::versions::{self, NEWEST, OLDEST, RECORDS};

/// Marks what Docker's API does not have.
const EXTENSION: &str = "x-loadline-extension";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Loadline",
        description = "A Docker-compatible API for images, and for who attested them. What is marked `x-loadline-extension` \
            is not part of Docker's API.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "Image", description = "Images, their platforms and their attestations"),
        (name = "Content", description = "Blobs"),
        (name = "Distribution", description = "Images in their registries"),
        (name = "System", description = "The daemon"),
        (name = "Container", description = "Containers, of which there are none"),
        (name = "Volume", description = "Volumes, of which there are none"),
        (name = "Network", description = "Networks, of which there are none"),
        (name = "Plugin", description = "Plugins, of which there are none"),
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
    document
}

/// Everything that any version has.
fn complete() -> Value {
    let complete = Head::openapi().merge_from(Documents::openapi());
    // A document of texts and maps always serialises.
    let mut complete = serde_json::to_value(complete).unwrap_or_else(|_| json!({}));
    unwrap_lines(&mut complete);
    let operations =
        complete["paths"].as_object_mut().into_iter().flatten().filter_map(|(_, path)| path.as_object_mut());
    for (method, operation) in operations.flatten() {
        add_failure(method, operation);
        parameters::complete(operation);
        example::share(operation);
    }
    raise_descriptions(&mut complete["components"]["schemas"]);
    complete["components"]["schemas"]["StatementDescriptor"][EXTENSION] = json!(true);
    let info = &mut complete["paths"]["/info"]["get"]["responses"]["200"]["content"]["application/json"];
    info["example"] = super::system::info::example();
    complete
}

/// Any operation can fail through the daemon's fault.
fn add_failure(method: &str, operation: &mut Value) {
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    responses.entry("500").or_insert_with(|| {
        let mut failure = json!({"description": "The daemon failed"});
        if method != "head" {
            failure["content"] = json!({"application/json": {
                "schema": {"$ref": "#/components/schemas/ErrorResponse"},
                "example": {"message": "the daemon failed to answer the request"},
            }});
        }
        failure
    });
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
