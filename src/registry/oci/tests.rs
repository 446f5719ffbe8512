//! Why `oci-client` does not do more: each case is a reason in the table above. A failure here is good news.

use std::sync::Arc;

use oci_client::Reference;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::token_cache::{RegistryOperation, RegistryToken, RegistryTokenType};
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::domain::manifest::MAX_MANIFEST;

/// More than this crate takes from any registry into memory.
const LARGE: usize = MAX_MANIFEST as usize + 1;

/// A server that answers each request line with raw HTTP, and the heads of the requests that it got.
struct Server {
    host: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { host: listener.local_addr().unwrap().to_string(), seen: Arc::default() };
        let seen = server.seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let (mut head, mut length) = (String::new(), 0);
                while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).await.is_ok_and(|read| read > 0) {
                    let line = head.lines().last().unwrap_or_default().to_lowercase();
                    if let Some(text) = line.strip_prefix("content-length: ") {
                        length = text.parse().unwrap();
                    }
                }
                stream.read_exact(&mut vec![0; length]).await.unwrap();
                let text = answer(head.lines().next().unwrap_or_default());
                seen.lock().push(head);
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        server
    }

    fn image(&self) -> Reference {
        Reference::with_tag(self.host.clone(), "app".to_owned(), "1".to_owned())
    }

    fn saw(&self, part: &str) -> bool {
        self.seen.lock().iter().any(|head| head.contains(part))
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

fn client() -> Client {
    Client::try_from(ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() }).unwrap()
}

const ANYONE: RegistryAuth = RegistryAuth::Anonymous;

#[tokio::test]
async fn a_manifest_is_read_whatever_its_size() {
    let server = Server::start(|_| answer("200 OK", "", &"x".repeat(LARGE))).await;
    let (bytes, _) = client().pull_manifest_raw(&server.image(), &ANYONE, &["*/*"]).await.unwrap();
    assert_eq!(bytes.len(), LARGE);
}

#[tokio::test]
async fn a_head_without_a_digest_becomes_a_get() {
    let server = Server::start(|_| answer("200 OK", "", "")).await;
    client().fetch_manifest_digest(&server.image(), &ANYONE).await.unwrap();
    assert!(server.saw("HEAD /v2/app/manifests/1") && server.saw("GET /v2/app/manifests/1"));
}

#[tokio::test]
async fn a_refusal_is_read_whatever_its_size() {
    let server = Server::start(|_| answer("400 Bad Request", "", &"x".repeat(LARGE))).await;
    let pushed = client().push_manifest_raw(&server.image(), "{}", "text/plain".parse().unwrap()).await;
    assert!(matches!(pushed, Err(OciDistributionError::ServerError { message, .. }) if message.len() == LARGE));
}

#[tokio::test]
async fn how_long_to_wait_is_lost() {
    let server = Server::start(|_| answer("429 Too Many Requests", "retry-after: 7654321\r\n", "")).await;
    let pulled = client().pull_manifest_raw(&server.image(), &ANYONE, &["*/*"]).await;
    assert!(!format!("{:?}", pulled.unwrap_err()).contains("7654321"));
}

#[tokio::test]
async fn an_upload_opened_by_a_mount_is_lost() {
    let server = Server::start(|_| answer("202 Accepted", "location: /v2/app/blobs/uploads/5\r\n", "")).await;
    let mounted = client().mount_blob(&server.image(), &server.image(), "sha256:00").await;
    assert!(matches!(mounted, Err(OciDistributionError::SpecViolationError(text)) if !text.contains("uploads/5")));
}

#[tokio::test]
async fn pages_after_the_first_are_lost() {
    let server = Server::start(|line| match line {
        line if line.contains("/tags/list?last=a") => answer("200 OK", "", r#"{"name":"app","tags":["b"]}"#),
        line if line.contains("/tags/list") => {
            answer("200 OK", "link: </v2/app/tags/list?last=a>; rel=\"next\"\r\n", r#"{"name":"app","tags":["a"]}"#)
        }
        _ => answer("200 OK", "link: </next>; rel=\"next\"\r\n", r#"{"schemaVersion":2,"manifests":[]}"#),
    })
    .await;
    assert_eq!(client().list_tags(&server.image(), &ANYONE, None, None).await.unwrap().tags, ["a"]);
    let digest = format!("sha256:{}", "0".repeat(64));
    let image = Reference::with_digest(server.host.clone(), "app".to_owned(), digest);
    client().pull_referrers(&image, None).await.unwrap();
    assert!(server.saw("GET /v2/app/referrers/") && !server.saw("GET /next"));
}

#[tokio::test]
async fn any_token_service_is_sent_the_password() {
    let stranger = Server::start(|_| answer("200 OK", "", r#"{"token":"t"}"#)).await;
    let challenge = format!("www-authenticate: Bearer realm=\"http://{}/token\"\r\n", stranger.host);
    let server = Server::start(move |_| answer("401 Unauthorized", &challenge, "")).await;
    let password = RegistryAuth::Basic("u".to_owned(), "p".to_owned());
    client().auth(&server.image(), &password, RegistryOperation::Pull).await.unwrap();
    assert!(stranger.saw("authorization: Basic "));
}

#[tokio::test]
async fn a_redirect_leads_anywhere() {
    let private = Server::start(|_| answer("200 OK", "", "{}")).await;
    let location = format!("location: http://{}/internal\r\n", private.host);
    let server = Server::start(move |_| answer("307 Temporary Redirect", &location, "")).await;
    client().pull_manifest_raw(&server.image(), &ANYONE, &["*/*"]).await.unwrap();
    assert!(private.saw("GET /internal"));
}

#[tokio::test]
async fn an_answer_can_make_it_panic() {
    let client = client();
    let server = Server::start(|_| answer("200 OK", "", "")).await;
    let image = server.image();
    let pulled = tokio::spawn(async move {
        client.store_auth_if_needed(image.registry(), &ANYONE).await;
        let token = RegistryToken::Token { token: "with\na line".to_owned() };
        client.tokens.insert(&image, RegistryOperation::Pull, RegistryTokenType::Bearer(token)).await;
        client.blob_exists(&image, "sha256:00").await.is_ok()
    });
    assert!(pulled.await.unwrap_err().is_panic());
}
