//! The daemon as Kubernetes' clients see it: kubelet and crictl, over gRPC.

mod early;
mod images;
mod node;
mod runtime;
mod walk;

use std::path::PathBuf;

use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint};

use crate::support::daemon::Daemon;

/// A connection to a daemon's socket.
async fn channel(daemon: &Daemon) -> Channel {
    let socket: PathBuf = daemon.socket();
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { tokio::net::UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connector).await.expect("the daemon answers")
}
