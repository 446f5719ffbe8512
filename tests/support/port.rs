//! A TCP port that leads to a daemon's socket, for clients that know no Unix sockets.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// A port of the loopback, open until the test's process ends.
pub struct Port(SocketAddr);

impl Port {
    pub fn leading_to(socket: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let socket = socket.to_owned();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let socket = socket.clone();
                std::thread::spawn(move || connect(client, socket));
            }
        });
        Self(address)
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.0)
    }
}

/// Carries bytes both ways until both sides are done; either may break off.
fn connect(client: TcpStream, socket: PathBuf) -> io::Result<()> {
    client.set_nodelay(true)?;
    let daemon = UnixStream::connect(socket)?;
    let (mut from_client, mut to_client) = (client.try_clone()?, client);
    let (mut from_daemon, mut to_daemon) = (daemon.try_clone()?, daemon);
    std::thread::spawn(move || {
        let copied = io::copy(&mut from_client, &mut to_daemon);
        let _ = to_daemon.shutdown(Shutdown::Write);
        copied
    });
    io::copy(&mut from_daemon, &mut to_client)?;
    to_client.shutdown(Shutdown::Both)
}
