//! The content service of a running daemon, asked over its Unix socket: what every daemon must answer, given blobs that
//! it holds.

use std::io::Read;
use std::path::Path;

use loadline::api::containerd::proto::containerd::services::content::v1::content_client::ContentClient;
use loadline::api::containerd::proto::containerd::services::content::v1::{
    AbortRequest, DeleteContentRequest, InfoRequest, ListContentRequest, ListStatusesRequest, ReadContentRequest,
    Status as IngestStatus, StatusRequest, UpdateRequest,
};
use loadline::domain::Digest;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::support::daemon::Daemon;
use crate::support::loading::{loaded, read as read_over_rest};
use crate::support::repository;

/// A client of the daemon at a socket.
pub async fn connect(socket: &Path) -> ContentClient<Channel> {
    ContentClient::new(super::channel(socket).await)
}

/// A range of a blob; a size of 0 reads to the end.
pub async fn read(socket: &Path, digest: &Digest, offset: i64, size: i64) -> Result<Vec<u8>, Status> {
    let request = ReadContentRequest { digest: digest.to_string(), offset, size };
    let mut stream = connect(socket).await.read(request).await?.into_inner();
    let mut data = Vec::new();
    while let Some(message) = stream.message().await? {
        data.extend_from_slice(&message.data);
    }
    Ok(data)
}

/// The digests of the blobs that one of the filters accepts.
pub async fn list(socket: &Path, filters: &[&str]) -> Result<Vec<String>, Status> {
    let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
    let mut stream = connect(socket).await.list(ListContentRequest { filters }).await?.into_inner();
    let mut digests = Vec::new();
    while let Some(message) = stream.message().await? {
        digests.extend(message.info.into_iter().map(|info| info.digest));
    }
    Ok(digests)
}

/// A blob that the daemon holds is described, listed and read, whole and in part.
pub async fn serves_blob(socket: &Path, blob: &[u8]) {
    let digest = Digest::of(blob);
    let name = digest.to_string();
    let info = connect(socket).await.info(InfoRequest { digest: name.clone() }).await.expect(&name);
    let info = info.into_inner().info.expect("an info");
    assert_eq!((&info.digest, info.size), (&name, blob.len() as i64));
    assert!(info.created_at.is_some() && info.updated_at.is_some());
    assert_eq!(list(socket, &[&format!("digest=={name}")]).await.expect("a list"), [name]);
    assert!(list(socket, &[]).await.expect("a list").is_sorted());

    let half = blob.len() / 2;
    assert!(read(socket, &digest, 0, 0).await.expect("the whole blob") == blob);
    assert!(read(socket, &digest, half as i64, 0).await.expect("its second half") == blob[half..]);
    assert!(read(socket, &digest, half as i64, i64::MAX).await.expect("not more than there is") == blob[half..]);
    assert!(read(socket, &digest, blob.len() as i64, 0).await.expect("the end").is_empty());
    let beyond = read(socket, &digest, blob.len() as i64 + 1, 0).await.expect_err("nothing beyond the end");
    assert_eq!(beyond.code(), Code::OutOfRange);
}

/// What is not here and what makes no sense is told apart.
pub async fn refuses_bad_requests(socket: &Path) {
    let absent = read(socket, &Digest::of(b"no daemon holds this"), 0, 0).await.expect_err("not here");
    assert_eq!(absent.code(), Code::NotFound);
    let mut client = connect(socket).await;
    let nonsense = client.info(InfoRequest { digest: "latest".into() }).await.expect_err("no digest");
    assert_eq!(nonsense.code(), Code::InvalidArgument);
    assert_eq!(list(socket, &["size="]).await.expect_err("no filter").code(), Code::InvalidArgument);
    let ingest = client.status(StatusRequest { r#ref: "nobody writes this".into() }).await.expect_err("no ingest");
    assert_eq!(ingest.code(), Code::NotFound);
    client.list_statuses(ListStatusesRequest::default()).await.expect("the running ingests");
}

/// Nothing is written, whatever is asked.
pub async fn is_read_only(socket: &Path, blob: &[u8]) {
    let mut client = connect(socket).await;
    let digest = Digest::of(blob).to_string();
    let refused = [
        client.update(UpdateRequest::default()).await.map(drop),
        client.delete(DeleteContentRequest { digest }).await.map(drop),
        client.abort(AbortRequest { r#ref: "x".into() }).await.map(drop),
        client.write(futures_util::stream::pending()).await.map(drop),
    ];
    for answer in refused {
        let refusal = answer.expect_err("the store is read-only");
        assert_eq!(refusal.code(), Code::PermissionDenied);
        assert!(refusal.message().contains("read-only"), "{refusal}");
    }
    assert!(read(socket, &Digest::of(blob), 0, 0).await.expect("the blob is still here") == blob);
}

/// The running ingests.
pub async fn statuses(socket: &Path) -> Result<Vec<IngestStatus>, Status> {
    let answer = connect(socket).await.list_statuses(ListStatusesRequest::default()).await?;
    Ok(answer.into_inner().statuses)
}

/// A daemon with the fixture, and what the fixture is made of.
struct Loaded {
    daemon: Daemon,
    blobs: Vec<Vec<u8>>,
}

impl Loaded {
    fn start() -> Self {
        let daemon = Daemon::start();
        let archive = std::fs::read(repository("tests/fixtures/app-oci.tar")).unwrap();
        loaded(&daemon.client(), archive.clone());
        let mut archive = tar::Archive::new(archive.as_slice());
        let mut blobs = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let is_blob = entry.path().unwrap().starts_with("blobs/sha256") && entry.header().entry_type().is_file();
            if is_blob {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                blobs.push(bytes);
            }
        }
        assert_eq!(blobs.len(), 22);
        Self { daemon, blobs }
    }
}

#[tokio::test]
async fn every_blob_of_an_image_is_served() {
    let Loaded { daemon, blobs } = Loaded::start();
    for blob in &blobs {
        serves_blob(&daemon.socket(), blob).await;
    }
    let mut digests: Vec<String> = blobs.iter().map(|blob| Digest::of(blob).to_string()).collect();
    digests.sort();
    assert_eq!(list(&daemon.socket(), &[]).await.unwrap(), digests);
    assert_eq!(list(&daemon.socket(), &["size==2"]).await.unwrap(), [Digest::of(b"{}").to_string()]);
    for blob in &blobs {
        let over_rest = read_over_rest(&daemon.client(), &Digest::of(blob).to_string()).expect(200);
        assert!(over_rest.body == *blob);
    }
}

#[tokio::test]
async fn what_is_not_here_or_makes_no_sense_is_told_apart() {
    refuses_bad_requests(&Daemon::start().socket()).await;
    refuses_bad_requests(&Loaded::start().daemon.socket()).await;
}

#[tokio::test]
async fn nothing_can_be_written() {
    let Loaded { daemon, blobs } = Loaded::start();
    is_read_only(&daemon.socket(), &blobs[0]).await;
}

#[tokio::test]
async fn readers_and_rest_share_the_socket() {
    let Loaded { daemon, blobs } = Loaded::start();
    let digest = Digest::of(&blobs[0]);
    let socket = daemon.socket();
    let readers = (0..32).map(|_| read(&socket, &digest, 0, 0));
    for blob in futures_util::future::join_all(readers).await {
        assert!(blob.unwrap() == blobs[0]);
        daemon.client().get("/_ping").expect(200);
    }
}
