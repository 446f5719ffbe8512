//! The configuration file: JSON with daemon.json's keys.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::error::Category;

use super::settings::{GivenUrl, Settings};
use crate::domain::error::{Error, Result};

/// More than any configuration needs; what is larger is not one.
const SIZE_LIMIT: u64 = 1 << 20;

/// Keys that dockerd reads and that mean nothing here: those of containers, networks and storage drivers.
const OF_DOCKERD: &[&str] = &[
    "allow-direct-routing",
    "allow-nondistributable-artifacts",
    "api-cors-header",
    "authorization-plugins",
    "bip",
    "bip6",
    "bridge",
    "bridge-accept-fwmark",
    "builder",
    "cdi-spec-dirs",
    "cgroup-parent",
    "containerd",
    "containerd-namespace",
    "containerd-plugins-namespace",
    "cpu-rt-period",
    "cpu-rt-runtime",
    "data-dir",
    "default-address-pools",
    "default-cgroupns-mode",
    "default-gateway",
    "default-gateway-v6",
    "default-ipc-mode",
    "default-network-opts",
    "default-runtime",
    "default-shm-size",
    "default-ulimits",
    "dns",
    "dns-opts",
    "dns-search",
    "exec-opts",
    "exec-root",
    "experimental",
    "features",
    "firewall-backend",
    "fixed-cidr",
    "fixed-cidr-v6",
    "graph",
    "host-gateway-ip",
    "host-gateway-ips",
    "icc",
    "init",
    "init-path",
    "ip",
    "ip-forward",
    "ip-forward-no-drop",
    "ip-masq",
    "ip6tables",
    "iptables",
    "ipv6",
    "labels",
    "live-restore",
    "log-driver",
    "log-format",
    "log-opts",
    "metrics-addr",
    "min-api-version",
    "mtu",
    "network-control-plane-mtu",
    "no-new-privileges",
    "node-generic-resources",
    "oom-score-adjust",
    "pidfile",
    "raw-logs",
    "rootless",
    "runtimes",
    "seccomp-profile",
    "selinux-enabled",
    "shutdown-timeout",
    "storage-driver",
    "storage-opts",
    "swarm-default-advertise-addr",
    "tls",
    "tlscacert",
    "tlscert",
    "tlskey",
    "tlsverify",
    "userland-proxy",
    "userland-proxy-path",
    "userns-remap",
    "validate",
];

/// What a configuration file says.
#[derive(Debug, Default, PartialEq)]
pub struct Contents {
    /// The settings.
    pub settings: Settings,
    /// Keys of dockerd that mean nothing here, in order.
    pub ignored: Vec<String>,
}

/// The settings, and those that dockerd has one level deeper than their flags.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct ProxiesJson {
    http_proxy: Option<GivenUrl>,
    https_proxy: Option<GivenUrl>,
    no_proxy: Option<String>,
}

/// What the configuration file at a path says: `None` where there is no file.
///
/// # Errors
/// `InvalidArgument` that names the path where it cannot be read, or as [`parse`] has it.
pub fn read(path: &Path) -> Result<Option<Contents>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(path, &error)),
    };
    let mut text = String::new();
    file.take(SIZE_LIMIT + 1).read_to_string(&mut text).map_err(|error| unreadable(path, &error))?;
    if text.len() as u64 > SIZE_LIMIT {
        return Err(Error::invalid(format!("{}: larger than {SIZE_LIMIT} bytes", path.display())));
    }
    parse(&text).map(Some).map_err(|error| error.context(path.display()))
}

/// Reads the text of a configuration file. An empty text says nothing.
///
/// # Errors
/// `InvalidArgument` for what is no JSON object, for a value that does not fit its key, and for unknown keys; the text
/// names key, line and column.
pub fn parse(text: &str) -> Result<Contents> {
    // Windows editors put a byte order mark before the text; dockerd lets it pass as well.
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Ok(Contents::default());
    }
    // serde reads a struct from a list as well.
    if !text.starts_with('{') {
        return Err(Error::invalid("not a JSON object: write {\"key\": value}"));
    }
    let mut unknown = Vec::new();
    let mut json = serde_json::Deserializer::from_str(text);
    let mut place = serde_path_to_error::Track::new();
    let placed = serde_path_to_error::Deserializer::new(&mut json, &mut place);
    let read = serde_ignored::deserialize(placed, |key| unknown.push(key.to_string()));
    let mut settings: Settings =
        read.and_then(|settings| json.end().map(|()| settings)).map_err(|error| match error.classify() {
            Category::Data => match place.path().to_string() {
                root if root == "." => Error::invalid(error.to_string()),
                key => Error::invalid(format!("key {key:?}: {}", in_words(&error))),
            },
            _ => Error::invalid(format!("not valid JSON: {}", in_words(&error))),
        })?;
    unknown.sort();
    let proxies = match unknown.iter().any(|key| key == "proxies") {
        true => proxies(text, &mut unknown)?,
        false => ProxiesJson::default(),
    };
    settings.http_proxy = proxies.http_proxy.or(settings.http_proxy);
    settings.https_proxy = proxies.https_proxy.or(settings.https_proxy);
    settings.no_proxy = proxies.no_proxy.or(settings.no_proxy);
    let (ignored, unknown): (Vec<_>, Vec<_>) =
        unknown.into_iter().filter(|key| key != "proxies").partition(|key| OF_DOCKERD.contains(&key.as_str()));
    match unknown.is_empty() {
        true => Ok(Contents { settings, ignored }),
        false => Err(Error::invalid(refused(&unknown))),
    }
}

/// dockerd's object `proxies`; what it does not know in it is added to the unknown keys.
fn proxies(text: &str, unknown: &mut Vec<String>) -> Result<ProxiesJson> {
    let whole: serde_json::Value =
        serde_json::from_str(text).map_err(|cause| Error::invalid("not valid JSON").with_cause(cause))?;
    if whole["proxies"].is_null() {
        return Ok(ProxiesJson::default());
    }
    serde_ignored::deserialize(&whole["proxies"], |key| unknown.push(format!("proxies.{key}")))
        .map_err(|error| Error::invalid(format!("key \"proxies\": {}", in_words(&error))))
}

/// What serde says, in JSON's words, with what to write where that is plain.
fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string().replace("expected a sequence", "expected a list, such as [\"VALUE\"],");
    text.replace("trailing comma", "trailing comma (remove the comma before the closing bracket)")
}

/// Which keys are unknown, and which there are.
fn refused(unknown: &[String]) -> String {
    let unknown: Vec<String> = unknown.iter().map(|key| format!("{key:?}")).collect();
    let keys: Vec<String> = Settings::keys().collect();
    format!("unknown key: {}. The keys are {}", unknown.join(", "), keys.join(", "))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::invalid(format!("reading the configuration file {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read() {
        let file = parse(
            r#"{"hosts": ["unix:///run/a.sock"], "data-root": "/data", "log-level": "warn", "debug": true, "group": "staff",
                "insecure-registries": ["10.0.0.0/8"], "registry-mirrors": ["https://mirror.example"],
                "registry-token-services": ["a.example=b.example"], "proxies": {"http-proxy": "http://p", "https-proxy":
                "http://q", "no-proxy": "c.example"}, "max-download-attempts": 3, "mtu": 1400, "bip": "", "log-opts": {"max-size": "1m"},
                "registry-certs-dir": "/certs", "max-concurrent-downloads": 7, "max-concurrent-uploads": 2, "max-packed-blob-size": 0,
                "pinned-images": ["registry.k8s.io/pause:*"], "pull-attestations": "all",
                "verify-rules": "/rules.yaml"}"#,
        )
        .unwrap();
        let expected = Settings {
            hosts: Some(vec!["unix:///run/a.sock".into()]),
            data_root: Some("/data".into()),
            log_level: Some("warn".into()),
            debug: Some(true),
            group: Some("staff".into()),
            insecure_registries: Some(vec!["10.0.0.0/8".into()]),
            registry_mirrors: Some(vec!["https://mirror.example".parse().unwrap()]),
            registry_token_services: Some(vec!["a.example=b.example".into()]),
            registry_certs_dir: Some("/certs".into()),
            http_proxy: Some("http://p".parse().unwrap()),
            https_proxy: Some("http://q".parse().unwrap()),
            no_proxy: Some("c.example".into()),
            max_concurrent_downloads: Some(7),
            max_concurrent_uploads: Some(2),
            pinned_images: Some(vec!["registry.k8s.io/pause:*".into()]),
            max_packed_blob_size: Some(0),
            max_download_attempts: Some(3),
            pull_attestations: Some("all".into()),
            verify_rules: Some("/rules.yaml".into()),
        };
        assert_eq!(file, Contents { settings: expected, ignored: vec!["bip".into(), "log-opts".into(), "mtu".into()] });
    }

    #[test]
    fn an_empty_file_and_a_null_say_nothing() {
        for text in ["", " \n", "{}", "\u{feff}{}", r#"{"hosts": null}"#] {
            assert_eq!(parse(text).unwrap(), Contents::default(), "{text:?}");
        }
    }

    #[test]
    fn unknown_keys_are_named_and_those_that_exist_are_listed() {
        let error =
            parse(r#"{"debug": true, "storage-driver": "overlay2", "colour": 1, "proxies": {"ftp-proxy": ""}}"#)
                .unwrap_err();
        let (unknown, keys) = error.public().split_once(". The keys are ").unwrap();
        let expected = r#"unknown key: "colour", "proxies.ftp-proxy""#;
        assert_eq!(unknown, expected);
        assert!(keys.starts_with("hosts, data-root, ") && keys.ends_with("verify-rules"), "{keys}");
        assert!(OF_DOCKERD.iter().all(|key| Settings::keys().all(|own| own != *key)));
    }

    #[test]
    fn wrong_values_are_errors_that_name_the_key() {
        for (text, expected) in [
            (
                r#"{"hosts": "unix:///a"}"#,
                r#"key "hosts": invalid type: string "unix:///a", expected a list, such as ["VALUE"], at line 1"#,
            ),
            (r#"{"hosts": ["unix:///a", 1]}"#, r#"key "hosts[1]""#),
            (r#"{"max-concurrent-downloads": -1}"#, r#"key "max-concurrent-downloads""#),
            ("{\n \"debug\": \"yes\"\n}", "at line 2 column"),
            (r#"{"debug": "yes"}"#, r#"key "debug""#),
            (r#"{"proxies": "http://p"}"#, r#"key "proxies""#),
            (r#"{"debug": true, "debug": false}"#, "duplicate field `debug`"),
            (
                r#"{"debug": true,}"#,
                "not valid JSON: trailing comma (remove the comma before the closing bracket) at line 1",
            ),
            (r#"{"debug": true} x"#, "not valid JSON: trailing characters"),
            ("[]", "not a JSON object"),
            ("{", "not valid JSON: EOF"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.public().contains(expected), "{text}: {error}");
        }
    }
}
