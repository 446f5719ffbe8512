//! What the daemon runs with: flags, then the configuration file, then defaults.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use super::file;
use super::flags::Flags;
use super::rules::RulesFile;
use super::settings::{GivenUrl, Settings};
use crate::domain::error::{Error, Kind, Result};
use crate::domain::filter::ReferencePattern;
use crate::engine::{
    InsecureRegistry, LARGEST_PACKED_BLOB, MAX_PACKED_BLOB_SIZE, Proxies, PullAttestations, TokenService,
};

/// Where the configuration is looked for if no flag says otherwise; it need not exist.
pub const DEFAULT_CONFIG_FILE: &str = "/etc/loadline/daemon.json";

/// Where Docker keeps the certificates of registries; it need not exist.
const DEFAULT_CERTS_DIR: &str = "/etc/docker/certs.d";

/// The group that may use the socket if nothing else is said and the group exists.
const DEFAULT_GROUP: &str = "docker";

/// Everything the daemon was told, checked. Plain data: nothing here is open, locked or listening.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The sockets to listen on, without repetitions, at least one.
    pub sockets: Vec<PathBuf>,
    /// The directory that holds the images.
    pub data_root: PathBuf,
    /// How much to log.
    pub log_level: LogLevel,
    /// The group of the sockets; the daemon's own where `None`.
    pub group: Option<SocketGroup>,
    /// Registries that may be reached without TLS.
    pub insecure_registries: Vec<InsecureRegistry>,
    /// Token services of another domain that may have a registry's credential.
    pub registry_token_services: Vec<TokenService>,
    /// Mirrors of Docker Hub: http or https URLs that end with a slash, first one first.
    pub registry_mirrors: Vec<String>,
    /// The directory with the certificates of single registries.
    pub registry_certs_dir: PathBuf,
    /// How many layers are fetched at a time, in all pulls together.
    pub max_concurrent_downloads: NonZeroU32,
    /// How many layers are sent at a time, in all pushes together.
    pub max_concurrent_uploads: NonZeroU32,
    /// Which images collections of unused images leave alone.
    pub pinned_images: Vec<ReferencePattern>,
    /// The largest blob, in bytes, that is kept in a file with others.
    pub max_packed_blob_size: u32,
    /// How often a request to a registry is sent, repetitions included.
    pub max_download_attempts: NonZeroU32,
    /// Whose attestations a pull fetches.
    pub pull_attestations: PullAttestations,
    /// The proxies to reach registries through.
    pub proxies: Proxies,
    /// The rules that images have to meet; absent where every image may come in.
    pub verify_rules: Option<RulesFile>,
    /// What was found in the settings that somebody should know.
    pub warnings: Vec<String>,
}

/// The group that may use the sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketGroup {
    /// As it was asked for.
    pub name: String,
    /// Its number.
    pub gid: u32,
    /// Whether it was asked for: then failing to use it is an error; the default group is only tried.
    pub required: bool,
}

/// How much to log; each level includes those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

/// What the configuration takes from its surroundings, as a value, so that tests need none.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Whether the daemon runs as root.
    pub root: bool,
    /// `XDG_RUNTIME_DIR`; `None` where unset, empty or relative, as the XDG base directory specification has it.
    pub runtime_dir: Option<PathBuf>,
    /// `XDG_DATA_HOME`, likewise.
    pub data_home: Option<PathBuf>,
    /// `HOME`, likewise.
    pub home: Option<PathBuf>,
    /// `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, or their names in lower case.
    pub proxies: Proxies,
    /// The text of `/etc/group`; empty where it cannot be read.
    pub groups: String,
    /// Where the configuration is if no flag says so.
    pub config_file: PathBuf,
}

impl Environment {
    /// The environment of this process. The only place that reads environment variables.
    pub fn of_process() -> Self {
        let directory = |name: &str| std::env::var_os(name).and_then(absolute);
        Self {
            root: rustix::process::geteuid().is_root(),
            runtime_dir: directory("XDG_RUNTIME_DIR"),
            data_home: directory("XDG_DATA_HOME"),
            home: directory("HOME"),
            proxies: Proxies::from_environment(|name| std::env::var(name).ok()),
            groups: std::fs::read_to_string("/etc/group").unwrap_or_default(),
            config_file: DEFAULT_CONFIG_FILE.into(),
        }
    }

    /// The number of a group by name or, as dockerd allows, by number; `None` where there is no such group.
    fn group(&self, name: &str) -> Option<u32> {
        let listed = self.groups.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then(|| fields.nth(1).and_then(|gid| gid.parse().ok()))?
        });
        // The largest number means "leave unchanged" to chown(2).
        listed.or_else(|| name.parse().ok()).filter(|gid| *gid != u32::MAX)
    }
}

impl Config {
    /// Joins flags, configuration file, environment and defaults, and checks all of it.
    ///
    /// # Errors
    /// [`Kind::InvalidArgument`] with a text that names the flag or key: a value that does not parse, an unknown key, wrong rules, a
    /// setting given both as flag and in the file, an explicit file that does not exist, an explicit group that does not
    /// exist, or no place for socket or data.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self> {
        let path = flags.config_file.as_ref().unwrap_or(&environment.config_file);
        let file = read_file(path, flags.config_file.is_some())?;
        let mut warnings = Vec::new();
        if !file.ignored.is_empty() {
            let keys = file.ignored.join(", ");
            warnings.push(format!("{}: keys of dockerd that mean nothing here are ignored: {keys}", path.display()));
        }
        let settings = flags.settings.clone().or(file.settings).map_err(|both| {
            let (path, both) = (path.display(), both.join(", "));
            Error::invalid(format!("{path}: set both as a flag and in the configuration file, remove one: {both}"))
        })?;
        Self::new(settings, environment, warnings)
    }

    /// Fills what the settings leave open with defaults, and checks all of it.
    fn new(settings: Settings, environment: &Environment, mut warnings: Vec<String>) -> Result<Self> {
        let level = settings.log_level.map_or(Ok(LogLevel::Info), |text| LogLevel::parse(&text))?;
        Ok(Self {
            sockets: sockets(&settings.hosts.unwrap_or_default(), environment)?,
            data_root: given_data_root(settings.data_root, environment)?,
            log_level: if settings.debug.unwrap_or(false) { LogLevel::Debug } else { level },
            group: socket_group(settings.group, environment)?,
            insecure_registries: each(settings.insecure_registries, |registry| {
                without_scheme(registry, &mut warnings).parse()
            })?,
            registry_token_services: each(settings.registry_token_services, |service| service.parse())?,
            registry_mirrors: each(settings.registry_mirrors, normal_mirror)?,
            registry_certs_dir: match settings.registry_certs_dir {
                Some(path) if path.as_os_str().is_empty() => {
                    return Err(Error::invalid("registry-certs-dir must not be empty"));
                }
                Some(path) => path,
                None => DEFAULT_CERTS_DIR.into(),
            },
            max_concurrent_downloads: at_least_one(
                "max-concurrent-downloads",
                settings.max_concurrent_downloads.unwrap_or(3),
            )?,
            max_concurrent_uploads: at_least_one(
                "max-concurrent-uploads",
                settings.max_concurrent_uploads.unwrap_or(5),
            )?,
            pinned_images: each(settings.pinned_images, |pattern| pinned_image(pattern))?,
            max_packed_blob_size: match settings.max_packed_blob_size {
                None => MAX_PACKED_BLOB_SIZE,
                Some(size) if size <= LARGEST_PACKED_BLOB => size,
                Some(_) => {
                    let most = LARGEST_PACKED_BLOB;
                    return Err(Error::invalid(format!("max-packed-blob-size must be at most {most}")));
                }
            },
            max_download_attempts: at_least_one("max-download-attempts", settings.max_download_attempts.unwrap_or(5))?,
            pull_attestations: pull_attestations(settings.pull_attestations)?,
            proxies: Proxies {
                http: settings.http_proxy.map(|url| proxy("http-proxy", &url)).transpose()?,
                https: settings.https_proxy.map(|url| proxy("https-proxy", &url)).transpose()?,
                none: settings.no_proxy,
            }
            .or(environment.proxies.clone()),
            verify_rules: settings.verify_rules.as_deref().map(RulesFile::read).transpose()?,
            warnings,
        })
    }
}

impl LogLevel {
    fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "debug" => Self::Debug,
            "info" => Self::Info,
            "warn" => Self::Warn,
            "error" => Self::Error,
            "fatal" => Self::Fatal,
            _ => {
                return Err(Error::invalid(format!(
                    "invalid log level {text:?}: write debug, info, warn, error or fatal"
                )));
            }
        })
    }
}

fn pull_attestations(text: Option<String>) -> Result<PullAttestations> {
    match text.as_deref() {
        None => Ok(PullAttestations::default()),
        Some("platform") => Ok(PullAttestations::Platform),
        Some("all") => Ok(PullAttestations::All),
        Some(other) => {
            Err(Error::invalid(format!("invalid value {other:?} of pull-attestations: write platform or all")))
        }
    }
}

fn pinned_image(pattern: &str) -> Result<ReferencePattern> {
    match ReferencePattern::parse(pattern) {
        Ok(_) if pattern.trim().is_empty() => Err(Error::invalid("pinned-image must not be empty")),
        parsed => parsed.map_err(|error| error.context(format!("invalid value {pattern:?} of pinned-images"))),
    }
}

fn absolute(value: OsString) -> Option<PathBuf> {
    Some(PathBuf::from(value)).filter(|path| path.is_absolute())
}

/// What a list holds, each item read.
fn each<T, U>(list: Option<Vec<T>>, read: impl FnMut(&T) -> Result<U>) -> Result<Vec<U>> {
    list.unwrap_or_default().iter().map(read).collect()
}

/// What the configuration file says; nothing where it is not there and nobody named it.
fn read_file(path: &Path, named: bool) -> Result<file::Contents> {
    match file::read(path)? {
        None if named => Err(Error::invalid(format!("{}: no such configuration file", path.display()))),
        settings => Ok(settings.unwrap_or_default()),
    }
}

fn sockets(hosts: &[String], environment: &Environment) -> Result<Vec<PathBuf>> {
    if hosts.is_empty() {
        return default_socket(environment).map(|path| vec![path]);
    }
    let mut sockets = Vec::new();
    for host in hosts {
        let path = socket(host, environment)?;
        if !sockets.contains(&path) {
            sockets.push(path);
        }
    }
    Ok(sockets)
}

fn socket(host: &str, environment: &Environment) -> Result<PathBuf> {
    let refused = |why: &str| Error::invalid(format!("invalid host {host:?}: {why}"));
    match host.trim().split_once("://") {
        Some(("unix", "")) => default_socket(environment),
        Some(("unix", path)) if path.ends_with('/') => Err(refused("a directory, not a socket")),
        Some(("unix", path)) => Ok(path.into()),
        Some((scheme @ ("tcp" | "fd"), _)) => {
            let text = format!("invalid host {host:?}: {scheme}:// is not supported yet, use unix://");
            Err(Error::new(Kind::InvalidArgument, text))
        }
        // dockerd takes what has no scheme for a TCP address, a path too; a guess would only hide the mistake.
        _ => Err(refused("write unix:///path/to/socket")),
    }
}

fn default_socket(environment: &Environment) -> Result<PathBuf> {
    if environment.root {
        return Ok("/run/loadline.sock".into());
    }
    let directory = environment.runtime_dir.as_ref();
    directory.map(|path| path.join("loadline.sock")).ok_or_else(|| {
        Error::invalid(
            "no place for the socket: XDG_RUNTIME_DIR is not set; name one with --host unix:///path/to/socket",
        )
    })
}

/// The data root that a flag, or else the configuration file, names; or the default.
///
/// # Errors
/// [`Kind::InvalidArgument`] where there is no place for data, or the configuration file is wrong or not there.
pub fn data_root(flag: Option<PathBuf>, config_file: Option<&Path>, environment: &Environment) -> Result<PathBuf> {
    if flag.is_some() {
        return given_data_root(flag, environment);
    }
    let path = config_file.unwrap_or(&environment.config_file);
    given_data_root(read_file(path, config_file.is_some())?.settings.data_root, environment)
}

fn given_data_root(given: Option<PathBuf>, environment: &Environment) -> Result<PathBuf> {
    match given {
        Some(path) if path.as_os_str().is_empty() => Err(Error::invalid("the data root must not be empty")),
        Some(path) => Ok(path),
        None => default_data_root(environment),
    }
}

fn default_data_root(environment: &Environment) -> Result<PathBuf> {
    if environment.root {
        return Ok("/var/lib/loadline".into());
    }
    let home = environment.data_home.clone().or_else(|| Some(environment.home.as_ref()?.join(".local/share")));
    home.map(|path| path.join("loadline")).ok_or_else(|| {
        Error::invalid("no place for the images: neither XDG_DATA_HOME nor HOME is set; name one with --data-root")
    })
}

fn socket_group(name: Option<String>, environment: &Environment) -> Result<Option<SocketGroup>> {
    let required = name.is_some();
    let name = name.unwrap_or_else(|| DEFAULT_GROUP.into());
    // dockerd's way to keep the sockets with the daemon's own group.
    if name.is_empty() {
        return Ok(None);
    }
    match environment.group(&name) {
        Some(gid) => Ok(Some(SocketGroup { name, gid, required })),
        None if required => Err(Error::invalid(format!(
            "group {name:?} does not exist: give --group a group of /etc/group, or \"\" for the daemon's own group"
        ))),
        None => Ok(None),
    }
}

fn at_least_one(name: &str, value: u32) -> Result<NonZeroU32> {
    NonZeroU32::new(value).ok_or_else(|| Error::invalid(format!("{name} must be at least 1")))
}

/// An insecure registry without the scheme that people write before it.
fn without_scheme<'a>(registry: &'a str, warnings: &mut Vec<String>) -> &'a str {
    let scheme = ["http://", "https://"]
        .iter()
        .find(|scheme| registry.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let Some(scheme) = scheme else { return registry };
    let bare = registry[scheme.len()..].trim_end_matches('/');
    warnings.push(format!("insecure registry {registry:?} is read as {bare:?}: write it without a scheme"));
    bare
}

fn proxy(name: &str, url: &GivenUrl) -> Result<String> {
    // The URL stays out of the text: it may hold a password.
    let refused = || Error::invalid(format!("invalid {name}: write http://HOST:PORT"));
    let url = url.reveal();
    let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let authority = full.parse::<http::Uri>().ok().and_then(|uri| {
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        uri.authority().filter(|authority| known && !authority.host().is_empty()).cloned()
    });
    authority.map(|_| full).ok_or_else(refused)
}

fn normal_mirror(mirror: &GivenUrl) -> Result<String> {
    let mirror = mirror.reveal();
    // The URL itself stays out of the text of this one error: it holds a password.
    if mirror.contains('@') {
        return Err(Error::invalid("invalid registry mirror: remove the user name and password from its URL"));
    }
    let refused = |why: &str| Error::invalid(format!("invalid registry mirror {mirror:?}: {why}"));
    let uri: http::Uri = mirror.parse().map_err(|error| refused("not a URL").with_cause(error))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(refused("write http://HOST or https://HOST"));
    }
    if mirror.contains(['?', '#']) {
        return Err(refused("remove its query or fragment"));
    }
    Ok(format!("{}/", mirror.trim_end_matches('/')))
}

#[cfg(test)]
mod tests;
