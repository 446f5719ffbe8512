//! L5: configuration, wiring, the listener and its end.

pub mod check;
pub mod config;
pub mod file;
pub mod flags;
mod greeting;
pub mod listen;
pub mod mux;
mod progress;
pub mod rules;
pub mod settings;
pub mod telemetry;
pub mod wiring;

use std::path::Path;

use rustix::process::{Resource, Rlimit};

use self::config::Config;
use self::listen::Socket;
use self::mux::{Limits, Mux};
use crate::domain::error::{Error, Result};
use crate::engine::Engine;

/// A daemon that is ready to serve: its sockets listen, its engine is open.
pub struct App {
    engine: Engine,
    mux: Mux,
    sockets: Vec<Socket>,
    limits: Limits,
}

impl App {
    /// Binds the sockets, then opens the engine: a second daemon by mistake learns of the first one's socket, and no
    /// client finds a socket that nobody will serve.
    ///
    /// # Errors
    /// A socket or a data root that another process uses, or that cannot be made.
    pub async fn build(config: Config) -> Result<Self> {
        let connections = connection_limit(raise_file_limit());
        let (config, sockets) = tokio::task::spawn_blocking(move || {
            let bind = |path: &std::path::PathBuf| Socket::bind(path, config.group.as_ref());
            let sockets: Vec<Socket> = config.sockets.iter().map(bind).collect::<Result<_>>()?;
            Ok::<_, Error>((config, sockets))
        })
        .await
        .map_err(|error| Error::internal("starting", error))??;
        let engine = wiring::open_engine(&config).await?;
        if let Some(file) = &config.verify_rules {
            rules::follow(&engine, file)?;
        }
        let mux = wiring::facades(&engine, &config).await?;
        tracing::info!(data_root = %config.data_root.display(), version = env!("CARGO_PKG_VERSION"), "opened the data root");
        Ok(Self { engine, mux, sockets, limits: Limits { connections, ..Limits::default() } })
    }

    /// Serves until `shutdown` is ready, lets running requests finish, then closes the engine.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let engine = self.engine.clone();
        let shutdown = async move {
            shutdown.await;
            // They would never end by themselves, and are no requests to wait for.
            engine.end_streams();
        };
        let paths: Vec<&Path> = self.sockets.iter().map(Socket::path).collect();
        greeting::on_terminal(&paths);
        let served = mux::serve(self.sockets, self.mux, self.limits, shutdown).await;
        wiring::close_engine(self.engine).await;
        tracing::info!("stopped");
        served
    }
}

/// Raises the soft limit on open files to the hard one, as services that do not use `select` should, and returns it.
fn raise_file_limit() -> u64 {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let now = match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised,
        Err(_) => limit,
    };
    now.current.unwrap_or(u64::MAX)
}

/// Leaves half of the files to the store, however many clients connect.
fn connection_limit(files: u64) -> usize {
    let half = usize::try_from(files / 2).unwrap_or(usize::MAX);
    half.clamp(16, Limits::default().connections)
}
