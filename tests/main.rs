//! All integration tests, in one binary: against the daemon as it is built, over its socket.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should end")]

mod checks;
mod clients;
mod containerd;
mod crash;
mod cri;
mod docker;
mod publish;
mod registry;
mod roots;
mod stores;
mod support;
mod talos;
