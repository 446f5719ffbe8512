//! TLS, certificates of single hosts, and proxies: a proxy leads every name to one server with a certificate.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use loadline::domain::{Kind, MediaType, Reference};
use loadline::registry::{Access, Proxies, Registries, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::{basic, fails, quick, read};
use crate::support::daemon::{Daemon, Place};
use crate::support::http::Request;
use crate::support::registry::Registry;
use crate::support::repository;

/// A proxy on the loopback. Behind it, `reg.test` and `other.test` are a registry, over TLS.
struct Proxy {
    address: SocketAddr,
    /// The first line of each request, and whether the client showed a certificate then.
    seen: Arc<Mutex<Vec<(String, bool)>>>,
}

impl Proxy {
    async fn start(behind: SocketAddr, wants_certificate: bool) -> Self {
        let file = |name: &str| repository("tests/registry/certificates").join(name);
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(file("ca.crt")).unwrap()).unwrap();
        let mut verifier = WebPkiClientVerifier::builder(roots.into());
        if !wants_certificate {
            verifier = verifier.allow_unauthenticated();
        }
        let config = ServerConfig::builder()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(
                vec![CertificateDer::from_pem_file(file("server.crt")).unwrap()],
                PrivateKeyDer::from_pem_file(file("server.key")).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let seen = proxy.seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, acceptor.clone(), behind, seen.clone()));
            }
        });
        proxy
    }

    fn settings(&self, certs_dir: &Path) -> Settings {
        let url = format!("http://{}", self.address);
        let proxies = Proxies { http: Some(url.clone()), https: Some(url), none: Some("direct.test".to_owned()) };
        Settings { proxies, certs_dir: certs_dir.to_owned(), ..quick() }
    }

    fn seen(&self) -> Vec<(String, bool)> {
        self.seen.lock().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    acceptor: TlsAcceptor,
    behind: SocketAddr,
    seen: Arc<Mutex<Vec<(String, bool)>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    let at = {
        let mut seen = seen.lock();
        seen.push((line.clone(), false));
        seen.len() - 1
    };
    if !line.starts_with("CONNECT ") {
        return;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    let Ok(mut inner) = acceptor.accept(stream).await else { return };
    seen.lock()[at].1 = inner.get_ref().1.peer_certificates().is_some();
    let mut registry = TcpStream::connect(behind).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut inner, &mut registry).await;
}

/// A directory of certificates with those files for `reg.test`.
fn certificates(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let host = directory.path().join("reg.test");
    std::fs::create_dir(&host).unwrap();
    for (from, to) in files {
        std::fs::copy(repository("tests/registry/certificates").join(from), host.join(to)).unwrap();
    }
    directory
}

fn name() -> Reference {
    "reg.test/app:1".parse().unwrap()
}

#[tokio::test]
async fn a_certificate_that_does_not_check_ends_it_and_nothing_goes_in_the_clear() {
    let registry = Registry::start();
    registry.put_image("app", Some("1"), &[]);
    let proxy = Proxy::start(registry.address, false).await;
    let settings = proxy.settings(Path::new("/nonexistent"));
    let registries = Registries::new(settings.clone()).unwrap();
    let repository = registries.repository(&name(), Access::Pull, basic("u", "p")).unwrap();
    fails(repository.resolve(&name()).await, Kind::Unavailable, "ertificate");
    assert!(registry.seen().is_empty());
    assert!(proxy.seen().iter().all(|(line, _)| line.starts_with("CONNECT reg.test:443")), "{:?}", proxy.seen());
    // Listed as insecure, it is taken as it is.
    let settings = Settings { insecure: vec!["reg.test".parse().unwrap()], ..settings };
    let registries = Registries::new(settings).unwrap();
    let repository = registries.repository(&name(), Access::Pull, basic("u", "p")).unwrap();
    repository.resolve(&name()).await.unwrap();
}

#[tokio::test]
async fn the_authority_of_a_host_is_trusted_for_that_host() {
    let registry = Registry::start();
    let image = registry.put_image("app", Some("1"), &[]);
    let proxy = Proxy::start(registry.address, false).await;
    let directory = certificates(&[("ca.crt", "ca.crt")]);
    let registries = Registries::new(proxy.settings(directory.path())).unwrap();
    registry.faults().basic_user = Some(("u".into(), "p".into()));
    let repository = registries.repository(&name(), Access::Push, basic("u", "p")).unwrap();
    assert_eq!(repository.resolve(&name()).await.unwrap().descriptor, image);
    registry.faults().basic_user = None;
    registry.faults().token_anonymous = true;
    // The realm that is named is http, and the registry is not.
    fails(repository.resolve(&name()).await, Kind::PermissionDenied, "its token service is");
    registry.faults().token_anonymous = false;
    assert!(repository.exists(&registry.put_blob("app", &MediaType::OCI_LAYER, "x").digest).await.unwrap());
    let other: Reference = "other.test/app:1".parse().unwrap();
    let repository = registries.repository(&other, Access::Pull, basic("u", "p")).unwrap();
    fails(repository.resolve(&other).await, Kind::Unavailable, "ertificate");
}

#[tokio::test]
async fn a_clients_certificate_is_shown_to_its_host_only() {
    let registry = Registry::start();
    registry.put_image("app", Some("1"), &[]);
    let proxy = Proxy::start(registry.address, true).await;
    let without = certificates(&[("ca.crt", "ca.crt")]);
    let registries = Registries::new(proxy.settings(without.path())).unwrap();
    let repository = registries.repository(&name(), Access::Pull, basic("u", "p")).unwrap();
    fails(repository.resolve(&name()).await, Kind::Unavailable, "");
    let with = certificates(&[("ca.crt", "ca.crt"), ("client.crt", "mine.cert"), ("client.key", "mine.key")]);
    // The other host's certificate checks too, so that only the client's is the question.
    std::fs::create_dir(with.path().join("other.test")).unwrap();
    std::fs::copy(repository_ca(), with.path().join("other.test/ca.crt")).unwrap();
    let registries = Registries::new(proxy.settings(with.path())).unwrap();
    let repository = registries.repository(&name(), Access::Push, basic("u", "p")).unwrap();
    repository.resolve(&name()).await.unwrap();
    let blob = registry.put_blob("app", &MediaType::OCI_LAYER, "layer");
    assert!(repository.exists(&blob.digest).await.unwrap());
    assert!(proxy.seen().iter().any(|(line, shown)| line.contains("reg.test") && *shown));
    registry.faults().redirect_blobs = Some("https://other.test".to_owned());
    fails(read(&repository, &blob, 0).await, Kind::Unavailable, "");
    let seen = proxy.seen();
    let others: Vec<_> = seen.iter().filter(|(line, _)| line.contains("other.test")).collect();
    assert!(!others.is_empty() && others.iter().all(|(_, shown)| !shown), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_is_told_where_the_certificates_are() {
    let registry = Registry::start();
    registry.put_image("app", Some("1"), &[b"layer".to_vec()]);
    let proxy = Proxy::start(registry.address, true).await;
    let url = format!("http://{}", proxy.address);
    let directory = certificates(&[("ca.crt", "ca.crt"), ("client.crt", "mine.cert"), ("client.key", "mine.key")]);
    let pull = move |arguments: &[&str]| {
        let daemon = Daemon::start_in(Place::with(arguments, &[("HTTPS_PROXY", &url)]));
        daemon.client().send(&Request::post("/images/create?fromImage=reg.test/app:1"))
    };
    let pulled = tokio::task::spawn_blocking(move || {
        let certificates = directory.path().to_str().unwrap().to_owned();
        (pull(&["--registry-certs-dir", "/nonexistent"]), pull(&["--registry-certs-dir", &certificates]))
    });
    let (without, with) = pulled.await.unwrap();
    assert!(without.expect(500).text().contains("ertificate"));
    assert!(with.expect(200).text().contains("Downloaded newer image for reg.test/app:1"));
    assert!(proxy.seen().iter().any(|(_, shown)| *shown));
}

fn repository_ca() -> std::path::PathBuf {
    repository("tests/registry/certificates/ca.crt")
}

#[tokio::test]
async fn redirects_do_not_leave_the_encrypted_wire_nor_reach_private_networks() {
    let (registry, stranger) = (Registry::start(), Registry::start());
    registry.put_image("app", Some("1"), &[]);
    let proxy = Proxy::start(registry.address, false).await;
    let directory = certificates(&[("ca.crt", "ca.crt")]);
    let registries = Registries::new(proxy.settings(directory.path())).unwrap();
    let repository = registries.repository(&name(), Access::Pull, basic("u", "p")).unwrap();
    let blob = registry.put_blob("app", &MediaType::OCI_LAYER, "layer");
    for target in [
        stranger.url(),
        "http://reg.test:8080".to_owned(),
        "http://other.test".to_owned(),
        "https://10.0.0.1".to_owned(),
        "https://169.254.169.254".to_owned(),
        "https://[::1]".to_owned(),
        "https://2130706433".to_owned(),
    ] {
        registry.faults().redirect_blobs = Some(target.clone());
        fails(read(&repository, &blob, 0).await, Kind::PermissionDenied, "redirects to");
    }
    // What it says of itself with http is asked by https.
    registry.faults().redirect_blobs = Some("http://reg.test".to_owned());
    assert_eq!(read(&repository, &blob, 0).await.unwrap().1, b"layer");
    assert!(stranger.seen().is_empty());
    assert!(proxy.seen().iter().all(|(line, _)| line.starts_with("CONNECT reg.test:443")), "{:?}", proxy.seen());
}

#[tokio::test]
async fn certificates_that_are_none_are_named() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address, false).await;
    for (files, part) in [
        (&[("client.key", "ca.crt")][..], "ca.crt holds no certificate"),
        (&[("client.crt", "mine.cert")][..], "mine.cert has no key"),
        (&[("client.key", "mine.key")][..], "mine.key has no certificate"),
    ] {
        let directory = certificates(files);
        let registries = Registries::new(proxy.settings(directory.path())).unwrap();
        let repository = registries.repository(&name(), Access::Pull, basic("u", "p")).unwrap();
        fails(repository.resolve(&name()).await, Kind::InvalidArgument, part);
    }
}
