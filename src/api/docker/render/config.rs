//! What a container of an image would run with.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::api::docker::versions::shape::{ALWAYS, CONTAINER_FLAGS, CONTAINER_TEXTS, ConfigForm};

/// The members that an image's configuration has, in the order of the OCI image specification and Docker's additions.
const MEMBERS: [(&str, Type); 13] = [
    ("User", Type::Text),
    ("ExposedPorts", Type::Object),
    ("Env", Type::Texts),
    ("Entrypoint", Type::Texts),
    ("Cmd", Type::Texts),
    ("Volumes", Type::Object),
    ("WorkingDir", Type::Text),
    ("Labels", Type::Object),
    ("StopSignal", Type::Text),
    ("ArgsEscaped", Type::Flag),
    ("Healthcheck", Type::Object),
    ("OnBuild", Type::Texts),
    ("Shell", Type::Texts),
];

#[derive(Clone, Copy, PartialEq)]
enum Type {
    Text,
    Texts,
    Flag,
    Object,
}

impl Type {
    /// Whether a value is of this type and says something.
    fn says(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text, Value::String(text)) => !text.is_empty(),
            (Self::Texts, Value::Array(texts)) => !texts.is_empty() && texts.iter().all(Value::is_string),
            (Self::Flag, Value::Bool(flag)) => *flag,
            (Self::Object, Value::Object(members)) => !members.is_empty(),
            _ => false,
        }
    }

    fn nothing(self) -> Value {
        if self == Self::Text { Value::String(String::new()) } else { Value::Null }
    }
}

/// An image's runtime configuration in a form. Members of an unexpected type count as not set.
pub struct ConfigJson<'a> {
    pub members: &'a Map<String, Value>,
    pub form: ConfigForm,
}

impl Serialize for ConfigJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, kind) in MEMBERS {
            match self.members.get(name).filter(|value| kind.says(value)) {
                Some(value) => map.serialize_entry(name, value)?,
                None if self.form != ConfigForm::Set && ALWAYS.contains(&name) => {
                    map.serialize_entry(name, &kind.nothing())?;
                }
                None => {}
            }
        }
        if self.form == ConfigForm::Container {
            for name in CONTAINER_FLAGS {
                map.serialize_entry(name, &false)?;
            }
            for name in CONTAINER_TEXTS {
                map.serialize_entry(name, "")?;
            }
        }
        map.end()
    }
}

/// What a container of the image would run with.
#[derive(ToSchema)]
#[schema(rename_all = "PascalCase")]
#[expect(dead_code, reason = "documents what `ConfigJson` writes")]
pub struct ImageConfig {
    /// The user, and perhaps the group, that commands run as.
    #[schema(nullable = false, example = "1000:1000")]
    user: Option<String>,
    /// Ports to be exposed: `port/protocol` to an empty object.
    #[schema(nullable = false, value_type = Option<BTreeMap<String, Object>>)]
    exposed_ports: Option<BTreeMap<String, Value>>,
    /// Environment variables, `NAME=value`.
    #[schema(example = json!(["PATH=/usr/local/bin:/usr/bin:/bin"]))]
    env: Option<Vec<String>>,
    /// The command that always runs.
    entrypoint: Option<Vec<String>>,
    /// The command, or the entrypoint's arguments.
    cmd: Option<Vec<String>>,
    /// Paths that become volumes, to an empty object.
    #[schema(value_type = Option<BTreeMap<String, Object>>)]
    volumes: Option<BTreeMap<String, Value>>,
    /// The directory that commands run in.
    #[schema(nullable = false)]
    working_dir: Option<String>,
    /// What is noted of the image.
    labels: Option<BTreeMap<String, String>>,
    /// The signal that stops a container.
    #[schema(nullable = false)]
    stop_signal: Option<String>,
    /// Whether the command is escaped already; of Windows only.
    #[schema(nullable = false)]
    args_escaped: Option<bool>,
    /// How a container's health is checked.
    #[schema(nullable = false, inline = false)]
    healthcheck: Option<HealthConfig>,
    /// Instructions for images that are built upon this one.
    on_build: Option<Vec<String>>,
    /// The shell that runs commands given as a text.
    #[schema(nullable = false)]
    shell: Option<Vec<String>>,
    /// Always false.
    attach_stdin: bool,
    /// Always false.
    attach_stdout: bool,
    /// Always false.
    attach_stderr: bool,
    /// Always false.
    open_stdin: bool,
    /// Always false.
    stdin_once: bool,
    /// Always false.
    tty: bool,
    /// Always empty.
    hostname: String,
    /// Always empty.
    domainname: String,
    /// Always empty.
    image: String,
}

/// How a container's health is checked.
#[derive(ToSchema)]
#[schema(rename_all = "PascalCase")]
#[expect(dead_code, reason = "documents what images hold")]
pub struct HealthConfig {
    /// The check: `CMD` or `CMD-SHELL` with its arguments, or `NONE`.
    #[schema(nullable = false)]
    test: Option<Vec<String>>,
    /// Nanoseconds between checks.
    #[schema(nullable = false)]
    interval: Option<i64>,
    /// Nanoseconds after which a check has failed.
    #[schema(nullable = false)]
    timeout: Option<i64>,
    /// How many checks in a row must fail.
    #[schema(nullable = false)]
    retries: Option<i64>,
    /// Nanoseconds in which failures do not count.
    #[schema(nullable = false)]
    start_period: Option<i64>,
    /// Nanoseconds between checks in that time.
    #[schema(nullable = false)]
    start_interval: Option<i64>,
}
