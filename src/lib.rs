//! Loadline: a Docker Engine-compatible image daemon on an embedded content store.
//!
//! Each module imports only from layers with a lower number (`tests/checks/layers.rs` holds the code to it):
//!
//! | layer | module | what it is |
//! | --- | --- | --- |
//! | L0 | [`domain`] | values and their rules, without files or sockets |
//! | L1 | [`store`] | blobs, names and leases, durable |
//! | L2 | [`registry`] | registries: what the daemon fetches from them and sends to them |
//! | L2 | [`archive`] | image archives as streams |
//! | L2 | [`policy`] | what the administrator's rules say of an image |
//! | L2 | [`verify`] | signatures and attestations, verified without a network |
//! | L3 | [`engine`] | what Loadline does, one verb a file |
//! | L4 | [`api`] | the facades: Docker's REST API, containerd's gRPC services |
//! | L5 | [`cli`] | the commands beside `serve` that answer a question |
//! | L6 | [`daemon`] | configuration, listeners, shutdown |

pub mod api;
pub mod archive;
pub mod cli;
pub mod daemon;
pub mod domain;
pub mod engine;
pub mod policy;
pub mod registry;
pub mod store;
pub mod verify;
