//! Running `loadline check` on a data root.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::daemon::loadline;

/// What a check printed, and how it ended.
#[derive(Debug)]
pub struct Report {
    pub status: i32,
    pub findings: Vec<Value>,
    pub summary: Value,
    pub errors: String,
}

/// Checks a data root.
#[track_caller]
pub fn check(data_root: &Path, arguments: &[&str]) -> Report {
    let mut command = loadline();
    command.args(["check", "--format", "json", "--data-root"]).arg(data_root).args(arguments);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut findings: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = findings.pop().unwrap_or_default();
    let errors = String::from_utf8(output.stderr).unwrap();
    Report { status: output.status.code().expect("it ends by itself"), findings, summary, errors }
}

impl Report {
    /// `severity kind` of each finding, in order.
    pub fn kinds(&self) -> Vec<String> {
        let word = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        self.findings.iter().map(|finding| format!("{} {}", word(finding, "severity"), word(finding, "kind"))).collect()
    }

    /// Fails where there is a fault. Leftovers are none.
    #[track_caller]
    pub fn expect_sound(self) -> Self {
        assert!(self.status == 0 && self.summary["faultsLeft"] == 0, "{self:#?}");
        assert_eq!(self.errors, "");
        self
    }

    /// Fails where there is anything at all.
    #[track_caller]
    pub fn expect_spotless(self) {
        let sound = self.expect_sound();
        assert!(sound.findings.is_empty(), "{sound:#?}");
    }
}

/// Every entry below a directory, and the bytes of files.
pub fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            let bytes = if kind.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
            found.insert(entry.path(), bytes);
            if kind.is_dir() {
                left.push(entry.path());
            }
        }
    }
    found
}
