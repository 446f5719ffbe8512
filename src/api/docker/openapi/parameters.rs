//! What is true of parameters and bodies wherever they stand, and what utoipa has no words for.

use serde_json::{Value, json};

/// Flags for which not to be set means something else than false.
const THREE_WAY: [&str; 1] = ["verbose"];

/// Completes the parameters of an operation and its body; `digest` is the schema of digests.
pub(super) fn complete(operation: &mut Value, digest: &Value) {
    // A pull names its platform as people do, all else as JSON.
    let of_pull = operation["operationId"] == "ImageCreate";
    let bodies = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut).into_iter().flatten();
    bodies.for_each(|(_, media)| never_null(&mut media["schema"]));
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        let schema = &mut parameter["schema"];
        never_null(schema);
        if schema["type"] == "boolean" && !THREE_WAY.contains(&name.as_str()) {
            schema["default"] = json!(false);
        }
        if name == "digest" {
            // Not by a reference, which some generators do not follow in a parameter.
            schema["pattern"] = digest["pattern"].clone();
        }
        let content = match name.as_str() {
            "filters" => {
                json!({"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}})
            }
            "platform" | "platforms" if !of_pull => json!({"$ref": "#/components/schemas/OCIPlatform"}),
            _ => continue,
        };
        let text = if schema["type"] == "array" { &mut schema["items"] } else { schema };
        text["contentMediaType"] = json!("application/json");
        text["contentSchema"] = content;
    }
}

/// What is sent is there or not; there is no way to write that it is null.
fn never_null(schema: &mut Value) {
    if let Some(Value::Array(choices)) = schema.get_mut("oneOf") {
        choices.retain(|of| of["type"] != "null");
        if let [only] = choices.as_slice() {
            *schema = only.clone();
        }
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|of| of != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
}
