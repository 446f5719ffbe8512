//! The configuration file: JSON with daemon.json's keys.

use std::fs::File as OpenFile;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::domain::error::{Error, Result};

/// More than any configuration needs; what is larger is not one.
const SIZE_LIMIT: u64 = 1 << 20;

/// What a configuration file says; `None` where it does not.
#[derive(Debug, Default, PartialEq)]
pub struct File {
    pub hosts: Option<Vec<String>>,
    pub data_root: Option<PathBuf>,
    pub log_level: Option<String>,
    pub debug: Option<bool>,
    pub group: Option<String>,
    pub insecure_registries: Option<Vec<String>>,
    pub registry_mirrors: Option<Vec<String>>,
    pub registry_certs_dir: Option<PathBuf>,
    pub max_concurrent_downloads: Option<u32>,
    pub max_concurrent_uploads: Option<u32>,
    pub pull_attestations: Option<String>,
}

impl File {
    /// Reads the file at a path: `None` where there is none.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let file = match OpenFile::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(path, error)),
        };
        let mut text = String::new();
        file.take(SIZE_LIMIT + 1).read_to_string(&mut text).map_err(|error| unreadable(path, error))?;
        if text.len() as u64 > SIZE_LIMIT {
            return Err(Error::invalid(format!("{}: larger than {SIZE_LIMIT} bytes", path.display())));
        }
        Self::parse(&text).map(Some).map_err(|error| error.context(path.display()))
    }

    /// Parses the text of a configuration file. An empty text says nothing; an unknown key is an error that names it.
    pub fn parse(text: &str) -> Result<Self> {
        // Windows editors put a byte order mark before the text; dockerd lets it pass as well.
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let mut keys: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| Error::invalid(format!("not a JSON object: {error}")).with_cause(error))?;
        let file = Self {
            hosts: take(&mut keys, "hosts")?,
            data_root: take(&mut keys, "data-root")?,
            log_level: take(&mut keys, "log-level")?,
            debug: take(&mut keys, "debug")?,
            group: take(&mut keys, "group")?,
            insecure_registries: take(&mut keys, "insecure-registries")?,
            registry_mirrors: take(&mut keys, "registry-mirrors")?,
            registry_certs_dir: take(&mut keys, "registry-certs-dir")?,
            max_concurrent_downloads: take(&mut keys, "max-concurrent-downloads")?,
            max_concurrent_uploads: take(&mut keys, "max-concurrent-uploads")?,
            pull_attestations: take(&mut keys, "pull-attestations")?,
        };
        if !keys.is_empty() {
            let names: Vec<String> = keys.keys().map(|key| format!("{key:?}")).collect();
            return Err(Error::invalid(format!("unknown key: {}", names.join(", "))));
        }
        Ok(file)
    }
}

/// Removes a key and reads its value; `None` where the key is absent or null.
fn take<T: DeserializeOwned>(keys: &mut Map<String, Value>, key: &str) -> Result<Option<T>> {
    let Some(value) = keys.remove(key) else { return Ok(None) };
    Option::<T>::deserialize(value).map_err(|error| Error::invalid(format!("key {key:?}: {error}")).with_cause(error))
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::invalid(format!("{}: {error}", path.display())).with_cause(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read() {
        let file = File::parse(
            r#"{"hosts": ["unix:///run/a.sock"], "data-root": "/data", "log-level": "warn", "debug": true, "group": "staff",
                "insecure-registries": ["10.0.0.0/8"], "registry-mirrors": ["https://mirror.example"],
                "registry-certs-dir": "/certs", "max-concurrent-downloads": 7, "max-concurrent-uploads": 2, "pull-attestations": "all"}"#,
        )
        .unwrap();
        let expected = File {
            hosts: Some(vec!["unix:///run/a.sock".into()]),
            data_root: Some("/data".into()),
            log_level: Some("warn".into()),
            debug: Some(true),
            group: Some("staff".into()),
            insecure_registries: Some(vec!["10.0.0.0/8".into()]),
            registry_mirrors: Some(vec!["https://mirror.example".into()]),
            registry_certs_dir: Some("/certs".into()),
            max_concurrent_downloads: Some(7),
            max_concurrent_uploads: Some(2),
            pull_attestations: Some("all".into()),
        };
        assert_eq!(file, expected);
    }

    #[test]
    fn an_empty_file_and_a_null_say_nothing() {
        for text in ["", " \n", "{}", "\u{feff}{}", r#"{"hosts": null}"#] {
            assert_eq!(File::parse(text).unwrap(), File::default(), "{text:?}");
        }
    }

    #[test]
    fn unknown_keys_are_named() {
        let error = File::parse(r#"{"debug": true, "storage-driver": "overlay2", "colour": 1}"#).unwrap_err();
        assert_eq!(error.public(), r#"unknown key: "colour", "storage-driver""#);
    }

    #[test]
    fn wrong_values_are_errors_that_name_the_key() {
        for (text, expected) in [
            (r#"{"hosts": "unix:///a"}"#, "hosts"),
            (r#"{"max-concurrent-downloads": -1}"#, "max-concurrent-downloads"),
            (r#"{"debug": "yes"}"#, "debug"),
            ("[]", "not a JSON object"),
            ("{", "not a JSON object"),
        ] {
            let error = File::parse(text).unwrap_err();
            assert!(error.public().contains(expected), "{text}: {error}");
        }
    }
}
