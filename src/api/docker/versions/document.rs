//! A document on its way from the newest version to an older one.

use serde_json::{Map, Value, json};

const METHODS: [&str; 7] = ["get", "head", "post", "put", "delete", "patch", "options"];

/// An OpenAPI document, and all that it could hold.
pub struct Document {
    complete: Value,
    present: Value,
}

impl Document {
    /// Starts with everything.
    pub fn new(complete: Value) -> Self {
        Self { present: complete.clone(), complete }
    }

    /// Leaves out properties of a schema.
    pub fn retire(&mut self, schema: &str, properties: &[&str]) {
        let Some(schema) = schema_of(&mut self.present, schema) else { return };
        for property in properties {
            if let Some(all) = object(schema, "properties") {
                all.remove(*property);
            }
            if let Some(Value::Array(required)) = schema.get_mut("required") {
                required.retain(|name| name != property);
            }
        }
        if schema.get("required").is_some_and(|required| *required == json!([])) {
            schema.remove("required");
        }
    }

    /// Takes up properties of a schema that were left out.
    pub fn restore(&mut self, schema: &str, properties: &[&str]) {
        let Some(complete) = schema_of(&mut self.complete, schema).map(|schema| schema.clone()) else { return };
        let Some(present) = schema_of(&mut self.present, schema) else { return };
        let required = |name: &str| {
            complete.get("required").and_then(Value::as_array).is_some_and(|all| all.iter().any(|of| of == name))
        };
        for property in properties {
            let Some(described) = complete.get("properties").and_then(|all| all.get(*property)) else { continue };
            if let Some(all) = object(present, "properties") {
                all.insert((*property).to_owned(), described.clone());
            }
            if required(property) {
                demand(present, property);
            }
        }
    }

    /// Says that properties of a schema are always there.
    pub fn require(&mut self, schema: &str, properties: &[&str]) {
        let Some(schema) = schema_of(&mut self.present, schema) else { return };
        for property in properties {
            demand(schema, property);
        }
    }

    /// Leaves out a parameter of an operation, given as `METHOD /path`.
    pub fn retire_parameter(&mut self, operation: &str, parameter: &str) {
        if let Some(operation) = operation_of(&mut self.present, operation)
            && let Some(Value::Array(parameters)) = operation.get_mut("parameters")
        {
            parameters.retain(|described| described["name"] != parameter);
            if parameters.is_empty() {
                operation.remove("parameters");
            }
        }
    }

    /// Takes up a parameter of an operation that was left out.
    pub fn restore_parameter(&mut self, operation: &str, parameter: &str) {
        let complete = operation_of(&mut self.complete, operation).and_then(|operation| {
            operation.get("parameters")?.as_array()?.iter().find(|described| described["name"] == parameter).cloned()
        });
        if let (Some(described), Some(present)) = (complete, operation_of(&mut self.present, operation))
            && let Value::Array(parameters) = present.entry("parameters").or_insert_with(|| json!([]))
        {
            parameters.push(described);
        }
    }

    /// Describes a parameter of an operation in other words.
    pub fn describe(&mut self, operation: &str, parameter: &str, text: &str) {
        if let Some(described) = parameter_of(&mut self.present, operation, parameter) {
            described["description"] = json!(text);
        }
    }

    /// Says that a parameter that may be repeated may be there once.
    pub fn single(&mut self, operation: &str, parameter: &str) {
        if let Some(described) = parameter_of(&mut self.present, operation, parameter) {
            let one = described["schema"]["items"].take();
            described["schema"] = if one.is_null() { json!({"type": "string"}) } else { one };
            if let Some(Value::Array(examples)) = described.get_mut("example") {
                let first = examples.first().cloned().unwrap_or_default();
                described["example"] = first;
            }
        }
    }

    /// Leaves out media types of the successful response of an operation.
    pub fn retire_media(&mut self, operation: &str, media_types: &[&str]) {
        if let Some(operation) = operation_of(&mut self.present, operation)
            && let Some(Value::Object(content)) =
                operation.get_mut("responses").and_then(|responses| responses.pointer_mut("/200/content"))
        {
            content.retain(|media_type, _| !media_types.contains(&media_type.as_str()));
        }
    }

    /// Leaves out the operations that do not pass.
    pub fn keep_operations(&mut self, keep: impl Fn(&str, &str) -> bool) {
        let Some(paths) = object_of(&mut self.present, "paths") else { return };
        for (path, operations) in paths.iter_mut() {
            if let Value::Object(operations) = operations {
                operations.retain(|method, _| !METHODS.contains(&method.as_str()) || keep(method, path));
            }
        }
        paths.retain(|_, operations| operations != &json!({}));
    }

    /// The document of a minor version, without schemas that nothing in it refers to.
    pub fn finish(mut self, minor: u8) -> Value {
        self.present["info"]["version"] = json!(format!("1.{minor}"));
        self.present["servers"] = json!([{"url": format!("/v1.{minor}")}]);
        loop {
            let text = self.present.to_string();
            let Some(schemas) = self.present.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else {
                break;
            };
            let before = schemas.len();
            schemas.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
            if schemas.len() == before {
                break;
            }
        }
        self.present
    }
}

fn object_of<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Map<String, Value>> {
    value.get_mut(key)?.as_object_mut()
}

fn object<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    map.get_mut(key)?.as_object_mut()
}

fn schema_of<'a>(document: &'a mut Value, name: &str) -> Option<&'a mut Map<String, Value>> {
    document.get_mut("components")?.get_mut("schemas")?.get_mut(name)?.as_object_mut()
}

fn operation_of<'a>(document: &'a mut Value, operation: &str) -> Option<&'a mut Map<String, Value>> {
    let (method, path) = operation.split_once(' ')?;
    document.get_mut("paths")?.get_mut(path)?.get_mut(method.to_ascii_lowercase())?.as_object_mut()
}

fn parameter_of<'a>(document: &'a mut Value, operation: &str, parameter: &str) -> Option<&'a mut Value> {
    let parameters = operation_of(document, operation)?.get_mut("parameters")?.as_array_mut()?;
    parameters.iter_mut().find(|described| described["name"] == parameter)
}

fn demand(schema: &mut Map<String, Value>, property: &str) {
    if let Value::Array(required) = schema.entry("required").or_insert_with(|| json!([]))
        && !required.iter().any(|name| name == property)
    {
        required.push(json!(property));
    }
}
