//! The instructions of a Dockerfile that say what a container of an image runs with, as `docker import --change` takes
//! them.
//!
//! Lines, quoting and variables are read by the rules of Docker's reference for Dockerfiles. Variables are those that
//! earlier `ENV` instructions set. What a text grows to is bounded: it comes from a client.

mod instructions;
mod lines;
mod words;

use crate::domain::Result;
use crate::domain::runtime_config::RuntimeConfig;

/// What instructions come to, for an image of an operating system. They are read as the lines of one text, so that one
/// may go on in the next. No instruction at all is the empty configuration.
///
/// # Errors
/// `InvalidArgument`, as Docker Engine words it, for an instruction that is not one of `CMD`, `ENTRYPOINT`, `ENV`, `EXPOSE`,
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
