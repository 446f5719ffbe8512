//! Holds the modules in `src/` to the layers that `src/lib.rs` describes.

use regex_lite::Regex;

use crate::support::{repository, rust_files};

/// Each module, its layer, and what it may import beside itself. A new module must be entered here.
const MODULES: &[(&str, u8, &[&str])] = &[
    ("domain", 0, &[]),
    ("store", 1, &["domain"]),
    ("registry", 2, &["domain", "store"]),
    ("archive", 2, &["domain", "store"]),
    ("verify", 2, &["domain"]),
    ("policy", 2, &["domain"]),
    ("engine", 3, &["domain", "store", "registry", "archive", "verify", "policy"]),
    // What reads blobs goes through the engine, which holds the lease; facades do not know each other.
    ("api::error_table", 4, &["domain"]),
    ("api::grpc", 4, &["domain"]),
    ("api::docker", 4, &["domain", "engine", "api::error_table"]),
    ("api::containerd", 4, &["domain", "engine", "api::error_table", "api::grpc"]),
    ("api::cri", 4, &["domain", "engine", "api::error_table", "api::grpc"]),
    ("api::talos", 4, &["domain", "engine", "api::error_table", "api::grpc"]),
    ("daemon", 5, &["domain", "engine", "api::grpc", "api::docker", "api::containerd", "api::cri", "api::talos"]),
];

#[test]
fn the_table_itself_points_downwards() {
    let layer = |name: &str| MODULES.iter().find(|module| module.0 == name).unwrap().1;
    for (name, own, imports) in MODULES {
        for import in *imports {
            assert!(layer(import) < *own || import.starts_with("api::"), "{name} may not import {import}");
        }
    }
}

#[test]
fn modules_import_from_lower_layers_only() {
    let mut faults = Vec::new();
    for file in rust_files("src") {
        // These two only list and start the layers.
        if matches!(file.as_str(), "src/lib.rs" | "src/main.rs" | "src/api/mod.rs") {
            continue;
        }
        let Some(own) = module_of(&file) else {
            faults.push(format!("{file}: its module is not in the table of layers"));
            continue;
        };
        let allowed = MODULES.iter().find(|module| module.0 == own).unwrap().2;
        let text = std::fs::read_to_string(repository(&file)).unwrap();
        for (line, import) in imports(&text) {
            if import != own && !allowed.contains(&import.as_str()) {
                faults.push(format!("{file}:{line}: {own} may not import {import}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::store::Content;\nuse crate::{domain::Digest, engine};\n// crate::policy\nlet x = crate::api::docker::f();\n\
                use crate::{\n    verify::{self, a},\n    archive,\n};\n";
    let found: Vec<(usize, String)> = imports(text);
    let expected = [(1, "store"), (2, "domain"), (2, "engine"), (4, "api::docker"), (5, "verify"), (5, "archive")];
    let mut found: Vec<(usize, &str)> = found.iter().map(|(line, import)| (*line, import.as_str())).collect();
    found.sort_by_key(|(line, _)| *line);
    assert_eq!(found, expected);
}

/// The name that stands for a file in the table; `None` where it has none.
fn module_of(file: &str) -> Option<&'static str> {
    let path = file.strip_prefix("src/")?.strip_suffix(".rs")?.replace('/', "::");
    let within = |name: &&str| path == **name || path.starts_with(&format!("{name}::"));
    MODULES.iter().map(|module| module.0).find(within)
}

/// What a file takes from other modules of the crate, with the line where it does.
fn imports(text: &str) -> Vec<(usize, String)> {
    let text = without_comments(text);
    let path = Regex::new(r"\bcrate::(?:(\w+)(?:::(\w+))?|\{)").unwrap();
    let mut found = Vec::new();
    for hit in path.captures_iter(&text) {
        let start = hit.get(0).unwrap();
        let line = text[..start.start()].matches('\n').count() + 1;
        match hit.get(1) {
            Some(module) => {
                found.extend(name(module.as_str(), hit.get(2).map(|next| next.as_str())).map(|name| (line, name)))
            }
            None => {
                for item in group(&text[start.end()..]) {
                    let mut parts = item.split("::").map(str::trim);
                    let module = parts.next().unwrap_or_default();
                    found.extend(name(module, parts.next()).map(|name| (line, name)));
                }
            }
        }
    }
    found
}

/// The name by which the table knows a path. Generated code and macros at the crate's root have none.
fn name(module: &str, next: Option<&str>) -> Option<String> {
    match (module, next) {
        ("api", Some(next)) => Some(format!("api::{next}")),
        (module, _) if module.starts_with(|letter: char| letter.is_ascii_lowercase()) => Some(module.to_owned()),
        _ => None,
    }
}

/// The items of a `{…}` group whose brace is already open, without what is nested in them.
fn group(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut depth = 0;
    for letter in text.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            _ if depth == 0 => items.last_mut().unwrap().push(letter),
            _ => {}
        }
    }
    items.into_iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

/// The text with line comments blanked. A `//` inside a string goes too, which hides no import.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}
