//! Docker's REST API over the engine.
//!
//! Files import downwards only: the router and the documents from the table of routes, that from the handlers, those
//! from `render/`, that from `versions/`, and all of them from `answer.rs`.

mod answer;
mod app;
mod body_error;
mod content;
mod dockerfile;
mod drain_body;
mod facade;
mod filters;
mod form;
mod images;
mod lines;
pub mod openapi;
mod path;
mod query;
mod registry;
mod render;
mod route;
pub mod routes;
mod system;
mod unsupported;
pub mod versions;
mod words;

pub use app::{App, Settings};
pub use facade::Facade;

/// The API over an engine.
pub fn router(app: App) -> Facade {
    // Read now, so that no request waits for files.
    system::host::Host::here();
    Facade::new(app, routes::routes())
}
