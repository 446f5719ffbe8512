//! Examples in the form of their version: they are written for the newest.

use serde_json::{Map, Value, json};

/// Shows the example of an answer under each of its media types, where they differ in framing only.
pub(super) fn share(operation: &mut Value) {
    for response in operation["responses"].as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        let Some(Value::Object(content)) = response.get_mut("content") else { continue };
        let Some(example) = content.values().find_map(|media| media.get("example")).cloned() else { continue };
        for media in content.values_mut().filter_map(Value::as_object_mut) {
            media.entry("example").or_insert_with(|| example.clone());
        }
    }
}

/// Brings every example that stands beside its schema in `value` into that schema's form.
pub(super) fn fit_all(value: &mut Value, schemas: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(schema) = members.get("schema").cloned()
                && let Some(example) = members.get_mut("example")
            {
                fit(example, &schema, schemas);
            }
            members.values_mut().for_each(|member| fit_all(member, schemas));
        }
        Value::Array(members) => members.iter_mut().for_each(|member| fit_all(member, schemas)),
        _ => {}
    }
}

/// Takes away members that the schema does not have, and adds those that it requires.
fn fit(example: &mut Value, schema: &Value, schemas: &Value) {
    let schema = resolved(schema, schemas);
    match example {
        Value::Array(items) => items.iter_mut().for_each(|item| fit(item, &schema["items"], schemas)),
        Value::Object(members) => {
            let Some(properties) = schema["properties"].as_object() else { return };
            members.retain(|name, _| properties.contains_key(name));
            for (name, member) in members.iter_mut() {
                fit(member, &properties[name], schemas);
            }
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            for name in required.filter(|name| properties.contains_key(*name)) {
                members.entry(name).or_insert_with(|| neutral(&properties[name], schemas));
            }
        }
        _ => {}
    }
}

/// A value for a member of which the example says nothing: the member's own example, or else what says least.
fn neutral(schema: &Value, schemas: &Value) -> Value {
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    let nullable = |of: &Value| of["type"].as_array().is_some_and(|types| types.iter().any(|one| one == "null"));
    let choices = schema["oneOf"].as_array();
    if nullable(schema) || choices.is_some_and(|all| all.iter().any(|one| one["type"] == "null")) {
        return Value::Null;
    }
    let schema = resolved(schema, schemas);
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    match schema["type"].as_str() {
        Some("string") => json!(""),
        Some("integer") => json!(0),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        _ => {
            let mut object = Value::Object(Map::new());
            fit(&mut object, schema, schemas);
            object
        }
    }
}

/// The schema that is meant: what is referred to, or of several the first.
fn resolved<'a>(mut schema: &'a Value, schemas: &'a Value) -> &'a Value {
    if let Some([first, ..]) = schema["oneOf"].as_array().map(Vec::as_slice) {
        schema = first;
    }
    let name = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/components/schemas/"));
    name.and_then(|name| schemas.get(name)).unwrap_or(schema)
}
