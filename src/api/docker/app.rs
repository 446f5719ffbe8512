//! What handlers work with: the engine and the settings that clients can see.

use std::path::PathBuf;
use std::sync::Arc;

use crate::engine::{Engine, Proxies};

/// What every handler is given.
#[derive(Clone)]
pub struct App {
    pub engine: Engine,
    pub settings: Arc<Settings>,
}

/// The daemon's settings, as far as the API shows them.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub insecure_registries: Vec<String>,
    pub registry_mirrors: Vec<String>,
    pub data_root: PathBuf,
    pub debug: bool,
    pub proxies: Proxies,
}
