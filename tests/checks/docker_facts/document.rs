//! A generated OpenAPI document, read as properties with paths like the table's.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A property or a query parameter.
pub struct Property {
    /// The type in the table's words: `string`, `array<object>`, `map<string>?`.
    pub kind: String,
    pub required: bool,
}

pub struct Document(Value);

/// A schema with its references followed, and whether it may be `null`.
struct Schema {
    members: Map<String, Value>,
    nullable: bool,
}

impl Document {
    pub fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("a document"))
    }

    /// The query parameters and the properties of the answer of an operation; absent where the document does not have it.
    pub fn operation(&self, id: &str) -> Option<BTreeMap<String, Property>> {
        let operation = self.operations().find(|operation| operation["operationId"] == id)?;
        let mut all = BTreeMap::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "query") {
            let name = format!("?{}", parameter["name"].as_str().unwrap_or_default());
            let required = parameter["required"].as_bool().unwrap_or(false);
            all.insert(name, Property { kind: self.kind(&parameter["schema"]), required });
        }
        let content = &operation["responses"]["200"]["content"];
        // Of a stream, the objects are what the table describes.
        let schema = match content.get("application/x-ndjson") {
            Some(stream) => &stream["x-itemSchema"],
            None => &content["application/json"]["schema"],
        };
        self.walk(schema, "", &[], &mut all);
        Some(all)
    }

    /// The properties of the bodies of all errors, as if it were one.
    pub fn errors(&self) -> Option<BTreeMap<String, Property>> {
        let mut all = BTreeMap::new();
        for responses in self.operations().filter_map(|operation| operation["responses"].as_object()) {
            for (_, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
                self.walk(&response["content"]["application/json"]["schema"], "", &[], &mut all);
            }
        }
        Some(all)
    }

    fn operations(&self) -> impl Iterator<Item = &Value> {
        let paths = self.0["paths"].as_object().into_iter().flat_map(Map::values);
        paths.filter_map(Value::as_object).flat_map(Map::values)
    }

    fn walk(&self, schema: &Value, path: &str, above: &[&str], into: &mut BTreeMap<String, Property>) {
        let name = schema["$ref"].as_str().unwrap_or_default();
        if above.contains(&name) {
            return;
        }
        let above: Vec<&str> = above.iter().copied().chain((!name.is_empty()).then_some(name)).collect();
        let Schema { members, .. } = self.resolve(schema);
        if let Some(items) = members.get("items") {
            self.walk(items, &format!("{path}[]"), &above, into);
        }
        if let Some(values @ Value::Object(_)) = members.get("additionalProperties") {
            self.walk(values, &format!("{path}{{}}"), &above, into);
        }
        let required = members.get("required").and_then(Value::as_array);
        for (key, value) in members.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let required = required.is_some_and(|required| required.contains(&Value::from(key.as_str())));
            self.walk(value, &below, &above, into);
            into.insert(below, Property { kind: self.kind(value), required });
        }
    }

    fn kind(&self, schema: &Value) -> String {
        let Schema { members, nullable } = self.resolve(schema);
        let has_properties = members.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
        let mut kind = match (members.get("items"), members.get("additionalProperties"), members.get("type")) {
            _ if has_properties => "object".to_owned(),
            (Some(items), ..) => format!("array<{}>", self.kind(items)),
            (_, Some(values @ Value::Object(_)), _) => format!("map<{}>", self.kind(values)),
            (.., Some(Value::String(name))) => name.clone(),
            _ => "any".to_owned(),
        };
        if nullable {
            kind.push('?');
        }
        kind
    }

    /// Follows references, joins `allOf`, and takes `null` out of types and alternatives.
    fn resolve(&self, schema: &Value) -> Schema {
        let mut members = schema.as_object().cloned().unwrap_or_default();
        let mut nullable = false;
        if let Some(name) = members.get("$ref").and_then(Value::as_str) {
            let target = self.0.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{name} is nowhere"));
            return self.resolve(target);
        }
        if let Some(Value::Array(parts)) = members.remove("allOf") {
            for part in parts {
                merge(&mut members, self.resolve(&part).members);
            }
        }
        for alternatives in ["oneOf", "anyOf"] {
            let Some(Value::Array(mut parts)) = members.remove(alternatives) else { continue };
            let before = parts.len();
            parts.retain(|part| part["type"] != "null");
            nullable |= parts.len() < before;
            // What is left of a choice with `null` is one schema; other choices have no like in the table.
            if let [part] = &parts[..] {
                let part = self.resolve(part);
                nullable |= part.nullable;
                merge(&mut members, part.members);
            }
        }
        if let Some(Value::Array(names)) = members.get_mut("type") {
            let before = names.len();
            names.retain(|name| name != "null");
            nullable |= names.len() < before;
            if let [name] = &names[..] {
                let name = name.clone();
                members.insert("type".to_owned(), name);
            }
        }
        Schema { members, nullable }
    }
}

/// Adds members: properties and required names join, of all else the first stays.
fn merge(into: &mut Map<String, Value>, more: Map<String, Value>) {
    for (key, value) in more {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(known)), Value::Object(new)) if key == "properties" => known.extend(new),
            (Some(Value::Array(known)), Value::Array(new)) if key == "required" => known.extend(new),
            (Some(_), _) => {}
            (None, value) => drop(into.insert(key, value)),
        }
    }
}
