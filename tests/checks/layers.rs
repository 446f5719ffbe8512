//! Holds the modules in `src/` to the layers that `src/lib.rs` describes, their files to importing in one direction, and
//! all files to a size that can be read.

mod graph;
mod imports;
mod planted;

use std::collections::{BTreeMap, BTreeSet};

use graph::circles;
use imports::Arrow;
pub use imports::{Source, is_of_tests};

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
    ("cli", 5, &["domain", "verify", "policy", "engine"]),
    (
        "daemon",
        6,
        &["domain", "engine", "api::grpc", "api::docker", "api::containerd", "api::cri", "api::talos", "cli"],
    ),
];

/// The rooms of Docker's facade, from the lowest up: a file imports from its own row and from rows above it in this list.
const DOCKER: &[&[&str]] = &[
    &["answer", "app", "body_error", "dockerfile", "drain_body", "filters", "form", "lines", "query", "words"],
    &["versions"],
    &["render"],
    &["path", "route"],
    &["content", "images", "registry", "system", "unsupported"],
    &["routes"],
    &["facade", "openapi"],
    &["mod"],
];

/// Folders in which files still import one another in circles. The list only shrinks: a folder without circles goes from it.
const KNOWN_CIRCLES: &[&str] = &[];

/// The most lines of a file that is not generated.
const MOST_LINES: usize = 500;

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
    let source = Source::of_the_crate();
    let mut faults: Vec<String> = upward(&source.arrows());
    let homeless = source.files().filter(|file| !lists_only(file) && module_of(file).is_none());
    faults.extend(homeless.map(|file| format!("{file}: its module is not in the table of layers")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn files_do_not_import_one_another_in_circles() {
    let arrows = Source::of_the_crate().arrows();
    let found = circles(&arrows);
    let is_within = |circle: &BTreeSet<&str>, folder: &str| circle.iter().all(|file| file.starts_with(folder));
    let is_known = |circle: &&BTreeSet<&str>| KNOWN_CIRCLES.iter().any(|folder| is_within(circle, folder));
    let new: Vec<String> =
        found.iter().filter(|circle| !is_known(circle)).map(|circle| in_words(circle, &arrows)).collect();
    assert!(new.is_empty(), "files import one another in circles:\n{}", new.join("\n"));
    let has_none = |folder: &&&str| !found.iter().any(|circle| is_within(circle, folder));
    let free: Vec<_> = KNOWN_CIRCLES.iter().filter(has_none).collect();
    assert!(free.is_empty(), "without circles, so take them out of KNOWN_CIRCLES: {free:?}");
}

#[test]
fn dockers_facade_keeps_its_rooms() {
    let rank = |file: &str| {
        let room = file.strip_prefix("src/api/docker/")?.split(['/', '.']).next()?;
        let rank = DOCKER.iter().position(|rooms| rooms.contains(&room));
        Some(rank.unwrap_or_else(|| panic!("{file}: its room is not in the list")))
    };
    let arrows = Source::of_the_crate().arrows();
    let faults: Vec<_> = arrows.iter().filter(|arrow| rank(&arrow.from) < rank(&arrow.to)).collect();
    let faults: Vec<_> = faults.into_iter().filter(|arrow| rank(&arrow.from).is_some()).map(Arrow::to_string).collect();
    assert!(faults.is_empty(), "upwards in api/docker:\n{}", faults.join("\n"));
}

#[test]
fn files_can_be_read_at_a_sitting() {
    let files = ["src", "tests", "benches"].map(rust_files).concat();
    let long = files.into_iter().filter(|file| !is_generated(file)).filter_map(|file| {
        let lines = std::fs::read_to_string(repository(&file)).unwrap().lines().count();
        (lines > MOST_LINES).then(|| format!("{file}: {lines} lines"))
    });
    let long: Vec<String> = long.collect();
    assert!(long.is_empty(), "longer than {MOST_LINES} lines:\n{}", long.join("\n"));
}

/// What imports of a file are not allowed to its module.
fn upward(arrows: &BTreeSet<Arrow>) -> Vec<String> {
    let not_allowed = arrows.iter().filter(|arrow| !lists_only(&arrow.from)).filter_map(|arrow| {
        let (own, import) = (module_of(&arrow.from)?, module_of(&arrow.to)?);
        let allowed = MODULES.iter().find(|module| module.0 == own)?.2;
        (own != import && !allowed.contains(&import)).then(|| format!("{arrow}: {own} may not import {import}"))
    });
    not_allowed.collect()
}

/// These only list and start the layers.
fn lists_only(file: &str) -> bool {
    matches!(file, "src/lib.rs" | "src/main.rs" | "src/api/mod.rs")
}

/// The name that stands for a file in the table; `None` where it has none.
fn module_of(file: &str) -> Option<&'static str> {
    let path = file.strip_prefix("src/")?.strip_suffix(".rs")?.replace('/', "::");
    let within = |name: &&str| path == **name || path.starts_with(&format!("{name}::"));
    MODULES.iter().map(|module| module.0).find(within)
}

/// A circle, and what ties it.
fn in_words(circle: &BTreeSet<&str>, arrows: &BTreeSet<Arrow>) -> String {
    let mut ties = BTreeMap::<(&str, &str), Vec<&str>>::new();
    for Arrow { from, to, by } in arrows {
        if circle.contains(from.as_str()) && circle.contains(to.as_str()) {
            ties.entry((from, to)).or_default().push(by);
        }
    }
    let ties: Vec<String> =
        ties.iter().map(|((from, to), by)| format!("  {from} -> {to}: {}", by.join(", "))).collect();
    format!("{} files:\n{}", circle.len(), ties.join("\n"))
}

fn is_generated(file: &str) -> bool {
    file.contains("/gen/")
}
