//! The instructions of a Dockerfile that say what a container of an image runs with, as `docker import --change` takes
//! them.
//!
//! Lines, quoting and variables are read by the rules of Docker's reference for Dockerfiles. Variables are those that
//! earlier `ENV` instructions set. What a text grows to is bounded: it comes from a client.

mod instructions;
mod lines;
mod words;

use std::collections::BTreeMap;

use serde::Serialize;

use super::Result;

/// How many bytes all instructions together may come to, and how much work may go into that.
const MAX_WORK: usize = 2 << 20;

/// What a container of an image runs with: the `config` object of an image configuration. What is empty is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RuntimeConfig {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Ports with their protocol: `80/tcp`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Present>,
    /// Variables: `NAME=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Present>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
}

/// The empty object by which a member of a set is marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Present {}

/// How it is found out whether a container is well. Times are in nanoseconds; 0 is the default of who runs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `NONE`, or `CMD` or `CMD-SHELL` with what is run.
    pub test: Vec<String>,
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// Failures in a row that count.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: i64,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// What instructions come to, for an image of an operating system. They are read as the lines of one text, so that one
/// may go on in the next. No instruction at all is the empty configuration.
///
/// # Errors
/// `InvalidArgument` with Docker's text for an instruction that is not one of `CMD`, `ENTRYPOINT`, `ENV`, `EXPOSE`,
/// `HEALTHCHECK`, `LABEL`, `ONBUILD`, `STOPSIGNAL`, `USER`, `VOLUME` and `WORKDIR`, or that is malformed.
pub fn runtime_config(instructions: &[String], os: &str) -> Result<RuntimeConfig> {
    if instructions.is_empty() {
        return Ok(RuntimeConfig::default());
    }
    let text = lines::read(&instructions.join("\n"))?;
    let mut state = instructions::State::new(os, text.escape);
    for line in &text.lines {
        state.apply(line)?;
    }
    Ok(state.config)
}

#[cfg(test)]
mod tests;
