//! Platforms as the OCI image specification writes them, with containerd's normalisation, specifiers and text.

mod host;
mod matcher;

use std::borrow::Cow;
use std::fmt;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::error::{Error, Result};
pub use matcher::Matcher;

/// What an image runs on.
///
/// The derived serialisation is for storage: all fields, in order. What clients and manifests see is [`PlatformJson`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// The operating system, as Go names it: `linux`. Empty where the image does not say.
    pub os: String,
    /// The CPU architecture, as Go names it: `amd64`. Empty where the image does not say.
    pub architecture: String,
    /// The variant of the architecture: `v7`. Never an empty text.
    pub variant: Option<String>,
    /// The version of the operating system, which Windows images have. Never an empty text.
    pub os_version: Option<String>,
    /// What the image needs of the operating system: `win32k`.
    pub os_features: Vec<String>,
}

impl Platform {
    /// A platform without variant, version and features.
    pub fn new(os: impl Into<String>, architecture: impl Into<String>) -> Self {
        Self { os: os.into(), architecture: architecture.into(), ..Self::default() }
    }

    /// The same platform with a variant; an empty one is none.
    #[must_use]
    pub fn with_variant(mut self, variant: impl Into<String>) -> Self {
        self.variant = non_empty(variant.into());
        self
    }

    /// The platform this process runs on, normalised.
    ///
    /// The level of an amd64 CPU (`v1` to `v4`) is no part of it; [`Matcher::host`] takes it into account.
    pub fn host() -> Self {
        let host = Self::of_cpu().normalized();
        if host.architecture == "amd64" { Self { variant: None, ..host } } else { host }
    }

    /// The platform this process runs on, with the variant of the CPU.
    pub fn of_cpu() -> Self {
        let (architecture, variant) = host::cpu();
        Self::new(host::OS, architecture).with_variant(variant)
    }

    /// The canonical spelling: lower case, Go's names (`x86_64` is `amd64`), no variant where it is the usual one of
    /// the architecture (`v8` of arm64, `v1` of amd64; arm always has one, `v7` if nothing is said), features sorted. An
    /// empty operating system becomes the host's.
    #[must_use]
    pub fn normalized(&self) -> Self {
        let (os, architecture, variant) = self.canonical();
        Self {
            variant: non_empty(variant.into_owned()),
            os: os.into_owned(),
            architecture: architecture.into_owned(),
            os_version: self.os_version.clone(),
            os_features: self.sorted_features().into_iter().map(str::to_owned).collect(),
        }
    }

    /// Reads containerd's specifier: `os`, `arch`, `os/arch` or `os/arch/variant`, where the operating system may carry
    /// its version and features, as in `windows(10.0.17763+win32k)/amd64`. What is left out is the host's.
    ///
    /// # Errors
    /// `InvalidArgument`; the texts end in `invalid argument`, as containerd's do.
    pub fn parse_specifier(text: &str) -> Result<Self> {
        let refuse = |why: &str| Err(Error::invalid(format!("{text:?}: {why}: invalid argument")));
        if text.contains('*') {
            return refuse("wildcards not yet supported");
        }
        let parts: Vec<&str> = text.splitn(4, '/').collect();
        let Some(mut platform) = parse_os(parts[0]) else {
            return refuse("invalid operating system in the platform specifier");
        };
        if !parts[1..].iter().all(|part| !part.is_empty() && part.bytes().all(|c| is_word(c) || c == b'.')) {
            return refuse("invalid component in the platform specifier");
        }
        match parts[..] {
            [_] if is_known_os(&platform.os) => {
                let host = Self::of_cpu();
                platform.architecture = host.architecture;
                if platform.architecture == "arm" {
                    platform.variant = host.variant.filter(|variant| variant != "v7");
                }
            }
            [architecture] => {
                platform = Self { os: host::OS.to_owned(), ..Self::default() };
                platform.set_architecture(architecture, "");
                if !is_known_architecture(&platform.architecture) {
                    return refuse("unknown operating system or architecture");
                }
            }
            [_, architecture] => platform.set_architecture(architecture, ""),
            [_, architecture, variant] => platform.set_architecture(architecture, variant),
            _ => return refuse("cannot parse platform specifier"),
        }
        Ok(platform)
    }

    /// Reads a `platform` query parameter in its JSON form, by Docker's rules: unknown members are ignored, the
    /// operating system and the architecture are required.
    ///
    /// # Errors
    /// `InvalidArgument`, with Docker's texts for what is not JSON at all and for what is missing.
    pub fn parse_json(text: &str) -> Result<Self> {
        let refuse = |why: &str| Error::invalid(format!("failed to parse platform: {why}"));
        match text.trim_start_matches([' ', '\t', '\r', '\n']).bytes().next() {
            None => return Err(refuse("unexpected end of JSON input")),
            Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {}
            Some(first) => {
                let shown = match char::from(first) {
                    '\'' => r"\'".to_owned(),
                    shown => shown.escape_debug().to_string(),
                };
                return Err(refuse(&format!("invalid character '{shown}' looking for beginning of value")));
            }
        }
        let value: Value = serde_json::from_str(text).map_err(|cause| refuse("not valid JSON").with_cause(cause))?;
        // To Docker, the JSON value null says nothing, so it lacks what is required.
        let value = if value.is_null() { Value::Object(serde_json::Map::new()) } else { value };
        let platform = Self::from_json_value(&value).map_err(|error| refuse(error.public()))?;
        let optional = platform.variant.is_some() || platform.os_version.is_some() || !platform.os_features.is_empty();
        match (platform.os.is_empty(), platform.architecture.is_empty()) {
            (false, false) => Ok(platform),
            (true, true) if optional => {
                Err(Error::invalid("optional platform fields provided, but OS and Architecture are missing"))
            }
            _ => Err(Error::invalid("both OS and Architecture must be provided")),
        }
    }

    /// The platform in a JSON object, as manifests and image configurations hold it. Absent and null members are
    /// empty, unknown ones ignored; names are compared without regard to case, as every Go program does.
    ///
    /// # Errors
    /// `InvalidArgument` for what is not an object, and for a member of the wrong type.
    pub fn from_json_value(value: &Value) -> Result<Self> {
        let Value::Object(members) = value else {
            return Err(Error::invalid("a platform must be a JSON object"));
        };
        let find = |name: &str| {
            let any_case = || members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
            members.get(name).or_else(any_case).filter(|value| !value.is_null())
        };
        let text = |name: &str| match find(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(Error::invalid(format!("{name:?} of a platform must be a text"))),
        };
        let features = match find("os.features") {
            None => Vec::new(),
            Some(Value::Array(features)) => features
                .iter()
                .map(|feature| feature.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .ok_or_else(|| Error::invalid("\"os.features\" of a platform must be texts"))?,
            Some(_) => return Err(Error::invalid("\"os.features\" of a platform must be a list")),
        };
        Ok(Self {
            os: text("os")?,
            architecture: text("architecture")?,
            variant: non_empty(text("variant")?),
            os_version: non_empty(text("os.version")?),
            os_features: features,
        })
    }

    /// Operating system, architecture and variant in their canonical spelling, without a copy of what has it already.
    fn canonical(&self) -> (Cow<'_, str>, Cow<'_, str>, Cow<'_, str>) {
        let (architecture, variant) =
            canonical_architecture(&self.architecture, self.variant.as_deref().unwrap_or_default());
        (canonical_os(&self.os), architecture, variant)
    }

    fn sorted_features(&self) -> Vec<&str> {
        let mut features: Vec<&str> = self.os_features.iter().map(String::as_str).collect();
        features.sort_unstable();
        features.dedup();
        features
    }

    /// Sets what a specifier says. Where it gives no variant, `v7` of arm stays unsaid; where it gives `v8` of arm64,
    /// that is said again.
    fn set_architecture(&mut self, architecture: &str, variant: &str) {
        let (canonical, canonical_variant) = canonical_architecture(architecture, variant);
        self.variant = match (&*canonical, &*canonical_variant) {
            ("arm", "v7") if variant.is_empty() => None,
            ("arm64", "") if !variant.is_empty() => Some("v8".to_owned()),
            (_, canonical) => non_empty(canonical.to_owned()),
        };
        self.architecture = canonical.into_owned();
    }
}

/// containerd's full text: `linux/arm/v7`, `windows(10.0.17763+win32k)/amd64`; `unknown` without an operating system.
impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.os.is_empty() {
            return f.write_str("unknown");
        }
        f.write_str(&self.os)?;
        if self.os_version.is_some() || !self.os_features.is_empty() {
            let mut features = self.os_features.clone();
            features.sort_unstable();
            write!(f, "({}", encode_option(self.os_version.as_deref().unwrap_or_default()))?;
            for feature in &features {
                write!(f, "+{}", encode_option(feature))?;
            }
            f.write_str(")")?;
        }
        for part in [Some(self.architecture.as_str()), self.variant.as_deref()].into_iter().flatten() {
            if !part.is_empty() {
                write!(f, "/{part}")?;
            }
        }
        Ok(())
    }
}

/// A platform as JSON: the specification's names and order, without what is empty.
#[derive(Clone, Copy, Debug)]
pub struct PlatformJson<'a>(pub &'a Platform);

impl Serialize for PlatformJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Platform { os, architecture, variant, os_version, os_features } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("architecture", architecture)?;
        map.serialize_entry("os", os)?;
        if let Some(version) = os_version {
            map.serialize_entry("os.version", version)?;
        }
        if !os_features.is_empty() {
            map.serialize_entry("os.features", os_features)?;
        }
        if let Some(variant) = variant {
            map.serialize_entry("variant", variant)?;
        }
        map.end()
    }
}

fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn lower(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_uppercase) { Cow::Owned(text.to_lowercase()) } else { Cow::Borrowed(text) }
}

fn canonical_os(os: &str) -> Cow<'_, str> {
    match lower(os) {
        os if os.is_empty() => Cow::Borrowed(host::OS),
        os if os == "macos" => Cow::Borrowed("darwin"),
        os => os,
    }
}

fn canonical_architecture<'a>(architecture: &'a str, variant: &'a str) -> (Cow<'a, str>, Cow<'a, str>) {
    let (architecture, variant) = (lower(architecture), lower(variant));
    let unless = |variant: Cow<'a, str>, usual: &[&str]| {
        if usual.contains(&variant.as_ref()) { Cow::Borrowed("") } else { variant }
    };
    match architecture.as_ref() {
        "i386" => ("386".into(), "".into()),
        "x86_64" | "x86-64" | "amd64" => ("amd64".into(), unless(variant, &["v1"])),
        "aarch64" | "arm64" => ("arm64".into(), unless(variant, &["8", "v8"])),
        "armhf" => ("arm".into(), "v7".into()),
        "armel" => ("arm".into(), "v6".into()),
        "arm" => {
            let variant = match variant.as_ref() {
                "" | "7" => "v7".into(),
                "5" => "v5".into(),
                "6" => "v6".into(),
                "8" => "v8".into(),
                _ => variant,
            };
            ("arm".into(), variant)
        }
        _ => (architecture, variant),
    }
}

/// The operating system of a specifier with its version and features; `None` for what is none.
fn parse_os(text: &str) -> Option<Platform> {
    let (os, options) = match text.split_once('(') {
        Some((os, rest)) => (os, rest.strip_suffix(')')?),
        None => (text, ""),
    };
    if os.is_empty() || !os.bytes().all(is_word) {
        return None;
    }
    if !options.bytes().all(|c| is_word(c) || matches!(c, b'.' | b'%' | b'+')) {
        return None;
    }
    let mut options = options.split('+').map(decode_option);
    let os_version = non_empty(options.next()??);
    let os_features = options.collect::<Option<_>>()?;
    Some(Platform { os: canonical_os(os).into_owned(), os_version, os_features, ..Platform::default() })
}

fn is_word(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_' || c == b'-'
}

/// Writes what has a meaning in a specifier as percent escapes.
fn encode_option(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+', '(', ')', '/']) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '%' => encoded.push_str("%25"),
            '+' => encoded.push_str("%2B"),
            '(' => encoded.push_str("%28"),
            ')' => encoded.push_str("%29"),
            '/' => encoded.push_str("%2F"),
            c => encoded.push(c),
        }
    }
    Cow::Owned(encoded)
}

fn decode_option(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(c) = rest.next() {
        if c != b'%' {
            bytes.push(c);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push(u8::try_from(digit()? << 4 | digit()?).ok()?);
    }
    String::from_utf8(bytes).ok()
}

fn is_known_os(os: &str) -> bool {
    const KNOWN: &[&str] = &[
        "aix",
        "android",
        "darwin",
        "dragonfly",
        "freebsd",
        "hurd",
        "illumos",
        "ios",
        "js",
        "linux",
        "nacl",
        "netbsd",
        "openbsd",
        "plan9",
        "solaris",
        "windows",
        "zos",
    ];
    KNOWN.contains(&os)
}

fn is_known_architecture(architecture: &str) -> bool {
    const KNOWN: &[&str] = &[
        "386",
        "amd64",
        "amd64p32",
        "arm",
        "armbe",
        "arm64",
        "arm64be",
        "ppc64",
        "ppc64le",
        "loong64",
        "mips",
        "mipsle",
        "mips64",
        "mips64le",
        "mips64p32",
        "mips64p32le",
        "ppc",
        "riscv",
        "riscv64",
        "s390",
        "s390x",
        "sparc",
        "sparc64",
        "wasm",
    ];
    KNOWN.contains(&architecture)
}

#[cfg(test)]
mod tests;
