//! A test file that nothing declares is never compiled, and so never fails.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex_lite::Regex;

use crate::support::{repository, rust_files};

#[test]
fn every_test_file_is_declared() {
    let mut reached = BTreeSet::new();
    let mut left = vec![PathBuf::from("tests/main.rs")];
    let declaration = Regex::new(r#"(?m)^\s*(?:#\[path = "([^"]+)"\]\s*)?(?:pub(?:\([a-z]+\))? )?mod (\w+);"#).unwrap();
    while let Some(file) = left.pop() {
        let text = std::fs::read_to_string(repository(file.to_str().unwrap())).unwrap();
        for found in declaration.captures_iter(&text) {
            left.extend(module_file(&file, found.get(1).map(|path| path.as_str()), &found[2]));
        }
        reached.insert(file.to_str().unwrap().to_owned());
    }
    let all: BTreeSet<String> = rust_files("tests").into_iter().collect();
    let lost: Vec<&String> = all.difference(&reached).collect();
    assert!(lost.is_empty(), "no `mod` leads to {lost:?}");
}

/// Where the module that a file declares is; `None` where it is not, which the compiler reports.
fn module_file(file: &Path, path: Option<&str>, name: &str) -> Option<PathBuf> {
    let directory = file.parent().unwrap();
    let stem = file.file_stem().unwrap().to_str().unwrap();
    let own = if matches!(stem, "main" | "mod") { directory.to_owned() } else { directory.join(stem) };
    let places = match path {
        Some(path) => vec![directory.join(path)],
        None => vec![own.join(format!("{name}.rs")), own.join(name).join("mod.rs")],
    };
    places.into_iter().find(|place| repository(place.to_str().unwrap()).is_file())
}
