//! The services over a real HTTP/2 connection in memory, with a source that has no disk.

use std::path::PathBuf;
use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use parking_lot::Mutex;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::proto::runtime::image_service_client::ImageServiceClient as EarlyClient;
use super::proto::runtime::v1::image_service_client::ImageServiceClient;
use super::proto::runtime::{self as first, v1};
use super::source::NodeStore;
use crate::domain::{Digest, Error, Kind, Reference, Result, Secret};
use crate::engine::{ContentUsage, Credential, NodeImage};

/// Images in memory; clones share what was asked.
#[derive(Clone, Default)]
struct Fake {
    images: Vec<Arc<NodeImage>>,
    config: Vec<u8>,
    /// With what a pull ends; without a failure, it is the digest of the name.
    pull_fails: Option<(Kind, &'static str)>,
    pulled: Arc<Mutex<Vec<(String, Credential)>>>,
    removed: Arc<Mutex<Vec<String>>>,
}

impl NodeStore for Fake {
    fn images(&self) -> Arc<[Arc<NodeImage>]> {
        self.images.iter().cloned().collect()
    }

    fn find(&self, name: &str) -> Result<Option<Arc<NodeImage>>> {
        match name {
            "" => Err(Error::invalid("image name cannot be blank")),
            name => Ok(self.images.iter().find(|image| image.id.to_string() == name).cloned()),
        }
    }

    async fn config(&self, _: &NodeImage) -> Result<Vec<u8>> {
        Ok(self.config.clone())
    }

    async fn pull(&self, name: &Reference, credential: Credential) -> Result<Digest> {
        self.pulled.lock().push((name.to_string(), credential));
        match self.pull_fails {
            Some((kind, text)) => Err(Error::new(kind, text)),
            None => Ok(Digest::of(name.to_string().as_bytes())),
        }
    }

    async fn remove(&self, name: &str) -> Result<bool> {
        self.removed.lock().push(name.to_owned());
        self.find(name).map(|image| image.is_some())
    }

    async fn usage(&self) -> Result<ContentUsage> {
        Ok(ContentUsage { bytes: 7, files: 3 })
    }

    fn data_root(&self) -> PathBuf {
        "/var/lib/images".into()
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(5).unwrap()
    }
}

impl Fake {
    async fn serve(&self) -> Channel {
        let router = crate::api::grpc::router(super::services_over(self)).await.unwrap();
        let connector = tower::service_fn(move |_| {
            let (client, server) = tokio::io::duplex(64 << 10);
            let service = TowerToHyperService::new(router.clone());
            tokio::spawn(async move {
                let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new()).http2_only();
                builder.serve_connection(TokioIo::new(server), service).await
            });
            std::future::ready(Ok::<_, std::io::Error>(TokioIo::new(client)))
        });
        Endpoint::from_static("http://localhost").connect_with_connector(connector).await.unwrap()
    }

    async fn pull(&self, image: &str, auth: Option<v1::AuthConfig>) -> Result<String, Status> {
        let request = v1::PullImageRequest {
            image: Some(v1::ImageSpec {
                image: image.to_owned(),
                annotations: [("a".to_owned(), "b".to_owned())].into(),
                runtime_handler: "kata".to_owned(),
                ..v1::ImageSpec::default()
            }),
            auth,
            sandbox_config: Some(v1::PodSandboxConfig {}),
        };
        let answer = ImageServiceClient::new(self.serve().await).pull_image(request).await?;
        Ok(answer.into_inner().image_ref)
    }
}

fn image(content: &str, user: &str) -> Arc<NodeImage> {
    let target = Digest::of(format!("{content} index").as_bytes());
    let names = vec![
        "app:1".parse::<Reference>().unwrap(),
        Reference::parse("registry.example/app").unwrap().with_digest(target.clone()),
    ];
    let mut digests: Vec<Reference> = names.iter().map(|name| name.trimmed().with_digest(target.clone())).collect();
    digests.sort();
    Arc::new(NodeImage {
        id: Digest::of(content.as_bytes()),
        names,
        digests,
        size: 856,
        user: user.into(),
        annotations: Default::default(),
        pinned: false,
        targets: vec![target],
    })
}

#[tokio::test]
async fn an_image_is_shown_with_all_that_kubelet_reads() {
    let shown = image("a", "1000:1000");
    let (id, digest) = (shown.id.to_string(), Digest::of(b"a index"));
    let fake = Fake { images: vec![shown, image("b", "app")], ..Fake::default() };
    let mut client = ImageServiceClient::new(fake.serve().await);
    let list = client.list_images(v1::ListImagesRequest::default()).await.unwrap().into_inner().images;
    assert_eq!(list.len(), 2);
    assert_eq!(
        list[0],
        v1::Image {
            id: id.clone(),
            repo_tags: vec!["docker.io/library/app:1".to_owned()],
            repo_digests: vec![format!("docker.io/library/app@{digest}"), format!("registry.example/app@{digest}")],
            size: 856,
            uid: Some(v1::Int64Value { value: 1000 }),
            username: String::new(),
            spec: None,
            pinned: false,
        }
    );
    assert_eq!((list[1].uid, list[1].username.as_str()), (None, "app"));
    let filter = |name: &str| v1::ImageFilter {
        image: Some(v1::ImageSpec { image: name.to_owned(), ..v1::ImageSpec::default() }),
    };
    for (name, expected) in [("", 2), (id.as_str(), 1), ("nothing", 0), ("app", 2), ("registry.example/app", 2)] {
        let request = v1::ListImagesRequest { filter: Some(filter(name)) };
        let found = client.list_images(request).await.unwrap().into_inner().images;
        assert_eq!(found.len(), expected, "{name:?}");
        let request = v1::StreamImagesRequest { filter: Some(filter(name)) };
        let mut stream = client.stream_images(request).await.unwrap().into_inner();
        let mut streamed = Vec::new();
        while let Some(message) = stream.message().await.unwrap() {
            assert!(!message.images.is_empty());
            streamed.extend(message.images);
        }
        assert_eq!(streamed, found);
    }
}

#[tokio::test]
async fn a_list_beyond_the_limit_of_messages_can_still_be_streamed() {
    let large = image("large", &"u".repeat(1 << 20));
    let fake = Fake { images: vec![large; 17], ..Fake::default() };
    let mut client = ImageServiceClient::new(fake.serve().await);
    let refused = client.list_images(v1::ListImagesRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("StreamImages"), "{refused}");
    let mut stream = client.stream_images(v1::StreamImagesRequest::default()).await.unwrap().into_inner();
    let mut count = 0;
    while let Some(message) = stream.message().await.unwrap() {
        count += message.images.len();
    }
    assert_eq!(count, 17);
}

#[tokio::test]
async fn a_pull_takes_every_form_of_credential() {
    let auth = v1::AuthConfig::default;
    let basic = |user: &str, password: &str| Credential::basic(user, Secret::new(password));
    for (given, expected) in [
        (None, Credential::anonymous()),
        (Some(auth()), Credential::anonymous()),
        (Some(v1::AuthConfig { username: "u".into(), password: "p".into(), ..auth() }), basic("u", "p")),
        // `u:p`, and the same with the NUL bytes that some writers leave behind.
        (Some(v1::AuthConfig { auth: "dTpw".into(), ..auth() }), basic("u", "p")),
        (Some(v1::AuthConfig { auth: "dTpwAAAA".into(), ..auth() }), basic("u", "p")),
        (Some(v1::AuthConfig { identity_token: "t".into(), ..auth() }), Credential::identity_token(Secret::new("t"))),
        (Some(v1::AuthConfig { registry_token: "t".into(), ..auth() }), Credential::registry_token(Secret::new("t"))),
        (
            Some(v1::AuthConfig {
                username: "u".into(),
                password: "p".into(),
                server_address: "https://registry.example".into(),
                ..auth()
            }),
            basic("u", "p").for_server("registry.example"),
        ),
    ] {
        let fake = Fake::default();
        let id = fake.pull("app", given.clone()).await.unwrap();
        assert_eq!(id, Digest::of(b"docker.io/library/app:latest").to_string());
        assert_eq!(*fake.pulled.lock(), [("docker.io/library/app:latest".to_owned(), expected)], "{given:?}");
    }
    let wrong = v1::AuthConfig { auth: "!".into(), ..auth() };
    let fake = Fake::default();
    let refused = fake.pull("app", Some(wrong)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(fake.pulled.lock().is_empty());
}

#[tokio::test]
async fn a_digest_counts_more_than_a_tag() {
    let (fake, digest) = (Fake::default(), Digest::of(b"x"));
    fake.pull(&format!("app:1@{digest}"), None).await.unwrap();
    assert_eq!(fake.pulled.lock()[0].0, format!("docker.io/library/app@{digest}"));
}

/// How kubelet takes a failed pull, by the rules of its client for this interface and of its image manager: the text of
/// an unknown failure counts by its beginning, and all others are shown with their code.
fn as_kubelet(status: &Status) -> &'static str {
    if status.code() != Code::Unknown {
        return "ErrImagePull";
    }
    match status.message() {
        text if text.starts_with("RegistryUnavailable") => "RegistryUnavailable",
        text if text.starts_with("SignatureValidationFailed") => "SignatureValidationFailed",
        _ => "ErrImagePull",
    }
}

#[tokio::test]
async fn kubelet_recognises_why_a_pull_failed() {
    for (kind, code, expected) in [
        (Kind::Denied, Code::Unknown, "SignatureValidationFailed"),
        (Kind::Unavailable, Code::Unknown, "RegistryUnavailable"),
        (Kind::NotFound, Code::NotFound, "ErrImagePull"),
        (Kind::Unauthenticated, Code::Unauthenticated, "ErrImagePull"),
        (Kind::PermissionDenied, Code::PermissionDenied, "ErrImagePull"),
        (Kind::ResourceExhausted, Code::ResourceExhausted, "ErrImagePull"),
        (Kind::DataLoss, Code::DataLoss, "ErrImagePull"),
        (Kind::Internal, Code::Internal, "ErrImagePull"),
    ] {
        let fake = Fake { pull_fails: Some((kind, "the reason")), ..Fake::default() };
        let failed = fake.pull("app", None).await.unwrap_err();
        assert_eq!((failed.code(), as_kubelet(&failed)), (code, expected), "{kind:?}");
        assert!(failed.message().ends_with("the reason"), "{failed}");
        let spec = first::ImageSpec { image: Some("app".into()) };
        let request = first::PullImageRequest { image: Some(spec), ..Default::default() };
        let early = EarlyClient::new(fake.serve().await).pull_image(request).await.unwrap_err();
        assert_eq!((early.code(), early.message()), (failed.code(), failed.message()));
    }
}

#[tokio::test]
async fn a_request_without_a_name_is_refused() {
    let mut client = ImageServiceClient::new(Fake::default().serve().await);
    for name in ["", "  "] {
        let failed = client.pull_image(v1::PullImageRequest {
            image: Some(v1::ImageSpec { image: name.to_owned(), ..v1::ImageSpec::default() }),
            ..Default::default()
        });
        assert_eq!(failed.await.unwrap_err().code(), Code::InvalidArgument);
    }
    assert_eq!(client.pull_image(v1::PullImageRequest::default()).await.unwrap_err().code(), Code::InvalidArgument);
    let status = client.image_status(v1::ImageStatusRequest::default()).await;
    assert_eq!(status.unwrap_err().code(), Code::InvalidArgument);
    let removed = client.remove_image(v1::RemoveImageRequest::default()).await;
    assert_eq!(removed.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(Fake::default().pull("UPPER", None).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn what_the_disk_holds_is_told_in_the_units_of_kubelet() {
    let mut client = ImageServiceClient::new(Fake::default().serve().await);
    let info = client.image_fs_info(v1::ImageFsInfoRequest {}).await.unwrap().into_inner();
    let expected = v1::FilesystemUsage {
        timestamp: 5_000_000_000,
        fs_id: Some(v1::FilesystemIdentifier { mountpoint: "/var/lib/images".into() }),
        used_bytes: Some(v1::UInt64Value { value: 7 }),
        inodes_used: Some(v1::UInt64Value { value: 3 }),
    };
    assert_eq!(info, v1::ImageFsInfoResponse { image_filesystems: vec![expected], container_filesystems: vec![] });
}
