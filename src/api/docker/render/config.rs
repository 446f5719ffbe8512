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

/// The runtime configuration of an image.
#[derive(ToSchema)]
#[schema(rename_all = "PascalCase")]
#[expect(dead_code, reason = "documents what `ConfigJson` writes")]
pub struct ImageConfig {
    /// The user, and optionally the group, that runs the command.
    #[schema(nullable = false, example = "1000:1000")]
    user: Option<String>,
    /// Exposed ports: a map from `port/protocol` to an empty object.
    #[schema(nullable = false, value_type = Option<BTreeMap<String, Object>>, example = json!({"8080/tcp": {}}))]
    exposed_ports: Option<BTreeMap<String, Value>>,
    /// Environment variables, as `NAME=value`.
    #[schema(example = json!(["PATH=/usr/local/bin:/usr/bin:/bin"]))]
    env: Option<Vec<String>>,
    /// The entrypoint.
    #[schema(example = json!(["/bin/busybox"]))]
    entrypoint: Option<Vec<String>>,
    /// The default command, or the default arguments of the entrypoint.
    #[schema(example = json!(["httpd", "-f", "-p", "8080"]))]
    cmd: Option<Vec<String>>,
    /// Volumes: a map from the mount path to an empty object.
    #[schema(value_type = Option<BTreeMap<String, Object>>, example = json!({"/data": {}}))]
    volumes: Option<BTreeMap<String, Value>>,
    /// The working directory.
    #[schema(nullable = false, example = "/www")]
    working_dir: Option<String>,
    /// Labels.
    #[schema(example = json!({"org.opencontainers.image.version": "1.0.0"}))]
    labels: Option<BTreeMap<String, String>>,
    /// The signal that stops a container.
    #[schema(nullable = false, example = "SIGTERM")]
    stop_signal: Option<String>,
    /// Whether the command is already escaped (Windows only).
    #[schema(nullable = false)]
    args_escaped: Option<bool>,
    /// The health check.
    #[schema(nullable = false, inline = false)]
    healthcheck: Option<HealthConfig>,
    /// Instructions to run when another image is built from this one.
    #[schema(example = json!(["COPY . /www"]))]
    on_build: Option<Vec<String>>,
    /// The shell for commands in shell form.
    #[schema(nullable = false, example = json!(["/bin/sh", "-c"]))]
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
    #[schema(example = "")]
    hostname: String,
    /// Always empty.
    #[schema(example = "")]
    domainname: String,
    /// Always empty.
    #[schema(example = "")]
    image: String,
}

/// The health check of an image.
#[derive(ToSchema)]
#[schema(rename_all = "PascalCase")]
#[expect(dead_code, reason = "documents what images hold")]
pub struct HealthConfig {
    /// The check: `CMD` or `CMD-SHELL` with its arguments, or `NONE`.
    #[schema(nullable = false, example = json!(["CMD", "/bin/check"]))]
    test: Option<Vec<String>>,
    /// The time between checks in nanoseconds.
    #[schema(nullable = false)]
    interval: Option<i64>,
    /// The time after which a check counts as failed, in nanoseconds.
    #[schema(nullable = false)]
    timeout: Option<i64>,
    /// The number of consecutive failures that make a container unhealthy.
    #[schema(nullable = false)]
    retries: Option<i64>,
    /// The time after the start of a container in which failures do not count, in nanoseconds.
    #[schema(nullable = false)]
    start_period: Option<i64>,
    /// The time between checks during the start period, in nanoseconds.
    #[schema(nullable = false)]
    start_interval: Option<i64>,
}
