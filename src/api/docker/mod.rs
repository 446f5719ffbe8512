//! Docker's REST API over the engine.

pub mod absent;
pub mod answer;
mod content;
mod dockerfile;
mod facade;
mod filters;
mod images;
mod lines;
pub mod openapi;
mod path;
mod ping;
pub mod query;
mod range;
mod registry;
mod render;
pub mod routes;
pub mod system;
mod unread;
pub mod versions;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

pub use facade::Facade;

use crate::engine::Engine;

/// What every handler is given.
#[derive(Clone)]
pub struct App {
    pub engine: Engine,
    pub settings: Arc<Settings>,
}

/// The daemon's settings, as far as clients are told of them.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub insecure_registries: Vec<String>,
    pub registry_mirrors: Vec<String>,
    pub data_root: PathBuf,
    pub debug: bool,
}

/// The API over an engine.
pub fn router(app: App) -> Facade {
    Facade::new(app, routes::routes())
}
