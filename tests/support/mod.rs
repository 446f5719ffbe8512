//! What tests stand on. Not every test uses all of it.
#![allow(dead_code)]

pub mod checking;
pub mod daemon;
pub mod http;
pub mod images;
pub mod loading;
pub mod port;
pub mod registry;
pub mod replay;
pub mod tar;

use std::path::{Path, PathBuf};

/// A path inside the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Whether what is generated is to be written: `UPDATE=1`.
pub fn updates() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

/// Says that a test, or a part of it, is skipped for want of something.
///
/// # Panics
/// Where nothing may be skipped: `LOADLINE_REQUIRE_CLIENTS` is set.
#[track_caller]
pub fn skip(missing: &str) {
    assert!(std::env::var_os("LOADLINE_REQUIRE_CLIENTS").is_none(), "missing: {missing}");
    eprintln!("skipped for want of {missing}");
}

/// Every Rust file below a directory of the repository, by its path from the repository's root, sorted.
pub fn rust_files(directory: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![repository(directory)];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(repository("")).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
