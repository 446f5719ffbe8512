//! A registry in this process, over http on the loopback, that misbehaves on request.
//!
//! It runs on a thread of its own, so that synchronous tests of the daemon use it as well. Every request is recorded;
//! a second registry makes a good stranger that must not be told anything.

mod answers;
mod seed;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use axum::Router;
use axum::http::HeaderMap;
use bytes::Bytes;
use loadline::domain::{Descriptor, Digest, MediaType, Reference};
use serde_json::{Value, json};

/// What the token service gives to who may have it.
pub const TOKEN: &str = "the-access-token";
/// What a login may use in place of a password.
pub const REFRESH: &str = "the-refresh-token";

/// A registry that runs until it is dropped.
pub struct Registry {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What it does wrong, or in a way of its own. By default nothing.
#[derive(Default)]
pub struct Faults {
    /// A user and password; then everything needs a token from `/token`.
    pub token_user: Option<(String, String)>,
    /// Tokens are given to anyone, and needed.
    pub token_anonymous: bool,
    /// A user and password that are asked for with each request.
    pub basic_user: Option<(String, String)>,
    /// The token service that is named, if not the own one.
    pub realm: Option<String>,
    /// The body that the token service answers with.
    pub token_body: Option<String>,
    /// The scope that challenges name.
    pub scope: Option<String>,
    /// The token service answers with such a redirect.
    pub redirect_tokens: Option<(u16, String)>,
    /// Everything is to be asked for at `URL/v2/REPOSITORY/…`, without a question for a token.
    pub redirect_all: Option<(String, String)>,
    /// Requests of a method get this status and body.
    pub refuse: Vec<(&'static str, u16, String)>,
    /// The `Content-Encoding` of blobs, which are in gzip then.
    pub encode_blobs: Option<&'static str>,
    /// No token is ever good enough.
    pub always_401: bool,
    /// So many requests get 429, with `Retry-After` of so many seconds.
    pub too_many: Option<(u32, Option<String>)>,
    /// So many requests get 503.
    pub unavailable: u32,
    /// Blobs are to be fetched from `URL/cdn/DIGEST`.
    pub redirect_blobs: Option<String>,
    /// Manifests likewise.
    pub redirect_manifests: Option<String>,
    /// Uploads are to be sent to `URL/elsewhere`.
    pub upload_elsewhere: Option<String>,
    pub no_head: bool,
    pub no_range: bool,
    /// Ranges begin where they should not.
    pub wrong_range: bool,
    pub no_referrers: bool,
    /// Nobody may see referrers.
    pub closed_referrers: bool,
    /// Questions for referrers are not answered.
    pub stall_referrers: bool,
    /// A manifest whose subject is not there is refused.
    pub insists_on_subject: bool,
    pub no_mount: bool,
    /// Blobs are taken in pieces only.
    pub no_monolithic: bool,
    /// The `Content-Type` of manifests.
    pub content_type: Option<String>,
    pub gzip_manifests: bool,
    /// The last byte of manifests and blobs is another.
    pub wrong_bytes: bool,
    /// The `Docker-Content-Digest` of manifests.
    pub digest_header: Option<String>,
    /// Blobs break off after so many bytes.
    pub truncate_blobs: Option<usize>,
    /// Blobs stand still after so many bytes.
    pub stall_blobs: Option<usize>,
    /// Bodies of manifests, tokens and blobs come in pieces of so many bytes, one every so often.
    pub trickle: Option<(usize, Duration)>,
    /// Uploads stand still before they are read.
    pub stall_uploads: bool,
    /// Blobs never end.
    pub endless_blobs: bool,
    /// No lengths are announced.
    pub no_lengths: bool,
    pub endless_manifests: bool,
    pub endless_tokens: bool,
    /// Errors, and there are only errors, never end.
    pub endless_errors: bool,
    /// Tags are listed from the last to the first.
    pub tags_reversed: bool,
    /// How many entries a list has on one page.
    pub page: Option<usize>,
    /// Where the next page of a list is said to be.
    pub next_page: Option<String>,
    /// What a search is answered with; without it there is no index.
    pub search: Option<String>,
    /// Searches never end.
    pub endless_search: bool,
}

/// A request that was received.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
}

#[derive(Default)]
struct Shared {
    own: Mutex<String>,
    faults: Mutex<Faults>,
    seen: Mutex<Vec<Seen>>,
    stored: Mutex<Stored>,
}

#[derive(Default)]
struct Stored {
    blobs: HashMap<(String, String), Bytes>,
    manifests: HashMap<(String, String), (String, Bytes)>,
    tags: BTreeMap<(String, String), String>,
    uploads: HashMap<String, Vec<u8>>,
    count: usize,
}

impl Registry {
    /// An empty registry on a free port.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        *shared.own.lock() = format!("http://{address}");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let app = Router::new().fallback(answers::answer).with_state(shared.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    served = axum::serve(listener, app) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// Its host and port, as they stand in names.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A name in it: `team/app:1.0`.
    pub fn name(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.host()).parse().unwrap()
    }

    /// The switches.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.shared.faults.lock()
    }

    /// The requests so far, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().clone()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.shared.seen.lock().clear();
    }

    /// How many requests of a method had a target that contains a text.
    pub fn count(&self, method: &str, part: &str) -> usize {
        self.seen().iter().filter(|seen| seen.method == method && seen.target.contains(part)).count()
    }

    /// Whether a credential of any kind was received.
    pub fn was_told_a_secret(&self) -> bool {
        self.seen().iter().any(|seen| seen.headers.contains_key("authorization") || seen.target.contains("token="))
    }

    /// Stores a blob.
    pub fn put_blob(&self, repository: &str, media_type: &MediaType, bytes: impl Into<Bytes>) -> Descriptor {
        let bytes = bytes.into();
        let descriptor = Descriptor::new(media_type.clone(), Digest::of(&bytes), bytes.len() as u64);
        let key = (repository.to_owned(), descriptor.digest.to_string());
        self.shared.stored.lock().blobs.insert(key, bytes);
        descriptor
    }

    /// Serves bytes under a digest that is not theirs.
    pub fn put_blob_as(&self, repository: &str, digest: &Digest, bytes: impl Into<Bytes>) {
        let key = (repository.to_owned(), digest.to_string());
        self.shared.stored.lock().blobs.insert(key, bytes.into());
    }

    /// Stores a manifest or index, and a tag for it if one is given.
    pub fn put_manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        media_type: &MediaType,
        body: &Value,
    ) -> Descriptor {
        self.put_raw_manifest(repository, tag, media_type, body.to_string())
    }

    /// Stores bytes as a manifest, whatever they are.
    pub fn put_raw_manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        media_type: &MediaType,
        bytes: impl Into<Bytes>,
    ) -> Descriptor {
        let bytes = bytes.into();
        let descriptor = Descriptor::new(media_type.clone(), Digest::of(&bytes), bytes.len() as u64);
        self.shared.stored.lock().store(repository, tag, media_type.as_str(), bytes);
        descriptor
    }

    /// Stores an image of one platform with layers of those contents; its manifest's descriptor.
    pub fn put_image(&self, repository: &str, tag: Option<&str>, layers: &[Vec<u8>]) -> Descriptor {
        let diff_ids: Vec<String> = layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
        let config = json!({"architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids}});
        let config = self.put_blob(repository, &MediaType::OCI_CONFIG, config.to_string());
        let layers: Vec<Value> = layers
            .iter()
            .map(|layer| json!(self.put_blob(repository, &MediaType::OCI_LAYER, layer.clone()).json()))
            .collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.as_str(),
            "config": config.json(), "layers": layers});
        self.put_manifest(repository, tag, &MediaType::OCI_MANIFEST, &manifest)
    }

    /// A blob that it holds; `None` where it does not.
    pub fn blob(&self, repository: &str, digest: &Digest) -> Option<Bytes> {
        self.shared.stored.lock().blobs.get(&(repository.to_owned(), digest.to_string())).cloned()
    }

    /// A manifest that it holds under a tag or digest, with its type; `None` where it does not.
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<(String, Bytes)> {
        self.shared.stored.lock().find(repository, reference).map(|(media_type, bytes, _)| (media_type, bytes))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

impl Stored {
    fn store(&mut self, repository: &str, tag: Option<&str>, media_type: &str, bytes: Bytes) -> String {
        let digest = Digest::of(&bytes).to_string();
        if let Some(tag) = tag {
            self.tags.insert((repository.to_owned(), tag.to_owned()), digest.clone());
        }
        self.manifests.insert((repository.to_owned(), digest.clone()), (media_type.to_owned(), bytes));
        digest
    }

    fn find(&self, repository: &str, reference: &str) -> Option<(String, Bytes, String)> {
        let tagged = self.tags.get(&(repository.to_owned(), reference.to_owned()));
        let digest = tagged.map_or(reference, String::as_str).to_owned();
        let (media_type, bytes) = self.manifests.get(&(repository.to_owned(), digest.clone()))?;
        Some((media_type.clone(), bytes.clone(), digest))
    }
}
