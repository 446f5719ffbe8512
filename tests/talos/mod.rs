//! The daemon as Talos' clients see it.

mod import;
mod list;
mod pull;
mod verify;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use loadline::api::talos::proto::common::{ContainerDriver, ContainerdInstance, ContainerdNamespace};
use tonic::transport::{Channel, Endpoint};

use crate::support::daemon::Daemon;

/// A connection to a daemon.
async fn channel(daemon: &Daemon) -> Channel {
    let socket: PathBuf = daemon.socket();
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { tokio::net::UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    endpoint.connect_with_connector(connector).await.expect("the daemon answers")
}

/// The containerd that kubelet uses.
fn cri() -> Option<ContainerdInstance> {
    let (driver, namespace) = (ContainerDriver::Cri.into(), ContainerdNamespace::NsCri.into());
    Some(ContainerdInstance { driver, namespace })
}

/// One that no machine has.
fn unknown() -> Option<ContainerdInstance> {
    Some(ContainerdInstance { driver: 7, namespace: ContainerdNamespace::NsSystem.into() })
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
