//! A registry in this process, over http on the loopback, that misbehaves on request.
//!
//! It runs on a thread of its own, so that synchronous tests of the daemon use it as well. Every request is recorded;
//! a second registry makes a good stranger that must not be told anything.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body_util::BodyExt;
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
    /// Blobs never end.
    pub endless_blobs: bool,
    /// No lengths are announced.
    pub no_lengths: bool,
    pub endless_manifests: bool,
    pub endless_tokens: bool,
    /// Errors, and there are only errors, never end.
    pub endless_errors: bool,
    /// How many entries a list has on one page.
    pub page: Option<usize>,
    /// Where the next page of a list is said to be.
    pub next_page: Option<String>,
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
        *shared.own.lock().unwrap() = format!("http://{address}");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let app = Router::new().fallback(answer).with_state(shared.clone());
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
        self.shared.faults.lock().unwrap()
    }

    /// The requests so far, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.shared.seen.lock().unwrap().clear();
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
        self.shared.stored.lock().unwrap().blobs.insert(key, bytes);
        descriptor
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
        self.shared.stored.lock().unwrap().store(repository, tag, media_type.as_str(), bytes);
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
        self.shared.stored.lock().unwrap().blobs.get(&(repository.to_owned(), digest.to_string())).cloned()
    }

    /// A manifest that it holds under a tag or digest, with its type; `None` where it does not.
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<(String, Bytes)> {
        self.shared.stored.lock().unwrap().find(repository, reference).map(|(media_type, bytes, _)| (media_type, bytes))
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

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map(|target| target.to_string()).unwrap_or_default();
    let seen = Seen { method: parts.method.to_string(), target, headers: parts.headers.clone() };
    shared.seen.lock().unwrap().push(seen);
    let read = tokio::spawn(async move { body.collect().await.map(|body| body.to_bytes()).unwrap_or_default() });
    let body = read.await.unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let query: HashMap<String, String> =
        form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let faults = &mut *shared.faults.lock().unwrap();
    if path == "/token" {
        return token(faults, &parts.method, &parts.headers, &query, &body);
    }
    if let Some(digest) = path.strip_prefix("/cdn/") {
        let stored = shared.stored.lock().unwrap();
        let blob = stored.blobs.iter().find(|((_, own), _)| own == digest).map(|(_, bytes)| bytes.clone());
        let found = blob.or_else(|| Some(stored.manifests.iter().find(|((_, own), _)| own == digest)?.1.1.clone()));
        return found.map_or(StatusCode::NOT_FOUND.into_response(), |bytes| blob_answer(faults, &parts.headers, bytes));
    }
    if path.starts_with("/elsewhere") {
        return (StatusCode::CREATED, [("location", "/")]).into_response();
    }
    if let Some(refusal) = refusal(faults, &shared, &parts.headers) {
        return refusal;
    }
    let Some(rest) = path.strip_prefix("/v2/") else {
        return error(StatusCode::NOT_FOUND, "NOT_FOUND", "no such path");
    };
    if rest.is_empty() {
        return "{}".into_response();
    }
    let stored = &mut *shared.stored.lock().unwrap();
    let pieces =
        |middle: &str| rest.rsplit_once(middle).map(|(repository, last)| (repository.to_owned(), last.to_owned()));
    if let Some((repository, id)) = pieces("/blobs/uploads/") {
        let from = |name: &str| query.get(name).cloned().unwrap_or_default();
        return upload(stored, faults, &parts.method, &repository, &id, &from, &parts.headers, body);
    }
    if let Some((repository, digest)) = pieces("/blobs/") {
        return match stored.blobs.get(&(repository, digest.clone())) {
            None => error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "blob unknown to registry"),
            Some(_) if parts.method == Method::HEAD && faults.no_head => StatusCode::METHOD_NOT_ALLOWED.into_response(),
            Some(_) if faults.redirect_blobs.is_some() => see_other(faults.redirect_blobs.as_deref(), &digest),
            Some(bytes) => blob_answer(faults, &parts.headers, bytes.clone()),
        };
    }
    if let Some((repository, reference)) = pieces("/manifests/") {
        return manifest(stored, faults, &parts.method, &repository, &reference, &parts.headers, body);
    }
    if let Some(repository) = rest.strip_suffix("/tags/list") {
        let tags: Vec<Value> =
            stored.tags.keys().filter(|(own, _)| own == repository).map(|(_, tag)| json!(tag)).collect();
        return page(faults, &path, &query, tags, |tags| json!({"name": repository, "tags": tags}), "application/json");
    }
    if let Some((repository, subject)) = pieces("/referrers/") {
        if faults.no_referrers {
            return error(StatusCode::NOT_FOUND, "NOT_FOUND", "no such path");
        }
        let found = stored.manifests.iter().filter(|((own, _), _)| *own == repository).filter_map(|((_, digest), manifest)| {
            let body: Value = serde_json::from_slice(&manifest.1).ok()?;
            (body["subject"]["digest"] == json!(subject)).then(|| {
                json!({"mediaType": manifest.0, "digest": digest, "size": manifest.1.len(), "artifactType": body["artifactType"]})
            })
        });
        let mut found: Vec<Value> = found.collect();
        found.sort_by_key(|found| found["digest"].to_string());
        let index = |list| json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX.as_str(), "manifests": list});
        return page(faults, &path, &query, found, index, MediaType::OCI_INDEX.as_str());
    }
    error(StatusCode::NOT_FOUND, "NOT_FOUND", "no such path")
}

/// What is answered whatever was asked for; `None` where the request may go on.
fn refusal(faults: &mut Faults, shared: &Shared, headers: &HeaderMap) -> Option<Response> {
    if faults.endless_errors {
        return Some((StatusCode::BAD_REQUEST, Body::from_stream(endless())).into_response());
    }
    if faults.unavailable > 0 {
        faults.unavailable -= 1;
        return Some(StatusCode::SERVICE_UNAVAILABLE.into_response());
    }
    if let Some((left, after)) = &mut faults.too_many
        && *left > 0
    {
        *left -= 1;
        let mut response = error(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", "slow down");
        if let Some(after) = after {
            response.headers_mut().insert("retry-after", after.parse().unwrap());
        }
        return Some(response);
    }
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Some((user, password)) = &faults.basic_user {
        let good = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        return (authorization != good).then(|| unauthorized("Basic realm=\"here\""));
    }
    let closed = faults.token_user.is_some() || faults.token_anonymous || faults.realm.is_some() || faults.always_401;
    let good = !faults.always_401 && authorization == format!("Bearer {TOKEN}");
    (closed && !good).then(|| {
        let own = format!("{}/token", shared.own.lock().unwrap());
        let realm = faults.realm.clone().unwrap_or(own);
        unauthorized(&format!("Bearer realm=\"{realm}\",service=\"test\",scope=\"ignored\""))
    })
}

fn token(
    faults: &Faults,
    method: &Method,
    headers: &HeaderMap,
    query: &HashMap<String, String>,
    body: &[u8],
) -> Response {
    if faults.endless_tokens {
        return Body::from_stream(endless()).into_response();
    }
    if let Some(body) = &faults.token_body {
        return body.clone().into_response();
    }
    let form: HashMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
    let refreshed = *method == Method::POST && form.get("refresh_token").map(String::as_str) == Some(REFRESH);
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let good = match &faults.token_user {
        Some((user, password)) => given == format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))),
        None => true,
    };
    if !good && !refreshed {
        return (StatusCode::UNAUTHORIZED, r#"{"details":"incorrect username or password"}"#).into_response();
    }
    let mut answer = json!({"token": TOKEN, "expires_in": 300});
    if query.contains_key("offline_token") {
        answer["refresh_token"] = json!(REFRESH);
    }
    answer.to_string().into_response()
}

fn manifest(
    stored: &mut Stored,
    faults: &Faults,
    method: &Method,
    repository: &str,
    reference: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Response {
    if *method == Method::PUT {
        let media_type = headers["content-type"].to_str().unwrap().to_owned();
        let tag = Some(reference).filter(|reference| !reference.contains(':'));
        let digest = stored.store(repository, tag, &media_type, body);
        let digest = faults.digest_header.clone().unwrap_or(digest);
        return (StatusCode::CREATED, [("location", "/"), ("docker-content-digest", &digest)]).into_response();
    }
    if *method == Method::HEAD && faults.no_head {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let Some((media_type, mut bytes, digest)) = stored.find(repository, reference) else {
        return error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown");
    };
    if faults.redirect_manifests.is_some() {
        return see_other(faults.redirect_manifests.as_deref(), &digest);
    }
    let media_type = faults.content_type.clone().unwrap_or(media_type);
    if faults.endless_manifests {
        return ([("content-type", media_type)], Body::from_stream(endless())).into_response();
    }
    if faults.wrong_bytes {
        bytes = altered(&bytes);
    }
    let digest = faults.digest_header.clone().unwrap_or(digest);
    let mut response = if faults.gzip_manifests {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&bytes).unwrap();
        ([("content-encoding", "gzip")], gzip.finish().unwrap()).into_response()
    } else if faults.no_lengths {
        Body::from_stream(once(bytes)).into_response()
    } else {
        bytes.into_response()
    };
    response.headers_mut().insert("content-type", media_type.parse().unwrap());
    if !digest.is_empty() {
        response.headers_mut().insert("docker-content-digest", digest.parse().unwrap());
    }
    response
}

fn blob_answer(faults: &Faults, headers: &HeaderMap, mut bytes: Bytes) -> Response {
    if faults.wrong_bytes {
        bytes = altered(&bytes);
    }
    let total = bytes.len();
    let range = headers.get("range").and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
    let start = range.filter(|_| !faults.no_range).and_then(|(start, _)| start.parse::<usize>().ok());
    if start.is_some_and(|start| start >= total) {
        return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
    }
    let rest = bytes.slice(start.unwrap_or(0)..);
    let left = rest.len();
    let body = match (faults.truncate_blobs, faults.stall_blobs) {
        _ if faults.endless_blobs => Body::from_stream(once(rest).chain(endless())),
        (Some(after), _) if after < left => {
            let broken = futures_util::stream::iter([Ok(rest.slice(..after)), Err(std::io::Error::other("broken"))]);
            Body::from_stream(broken.then(|piece| async {
                // The first piece must be on its way before the connection breaks.
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                piece
            }))
        }
        (_, Some(after)) if after < left => {
            Body::from_stream(once(rest.slice(..after)).chain(futures_util::stream::pending()))
        }
        _ if faults.no_lengths => Body::from_stream(once(rest)),
        _ => Body::from(rest),
    };
    let mut response = body.into_response();
    if !faults.endless_blobs && !faults.no_lengths {
        response.headers_mut().insert("content-length", left.into());
    }
    if let Some(start) = start {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let start = if faults.wrong_range { start + 1 } else { start };
        let range = format!("bytes {start}-{}/{total}", total - 1);
        response.headers_mut().insert("content-range", range.parse().unwrap());
    }
    response
}

#[expect(clippy::too_many_arguments, reason = "the parts of a request")]
fn upload(
    stored: &mut Stored,
    faults: &Faults,
    method: &Method,
    repository: &str,
    id: &str,
    query: &dyn Fn(&str) -> String,
    headers: &HeaderMap,
    body: Bytes,
) -> Response {
    let place = |id: &str| match &faults.upload_elsewhere {
        Some(url) => format!("{url}/elsewhere/{id}?state=x"),
        None => format!("/v2/{repository}/blobs/uploads/{id}?state=x"),
    };
    if *method == Method::POST {
        let (mount, from) = (query("mount"), query("from"));
        if let Some(bytes) = stored.blobs.get(&(from, mount.clone())).cloned().filter(|_| !faults.no_mount) {
            stored.blobs.insert((repository.to_owned(), mount), bytes);
            return (StatusCode::CREATED, [("location", "/")]).into_response();
        }
        stored.count += 1;
        let id = stored.count.to_string();
        stored.uploads.insert(id.clone(), Vec::new());
        return (StatusCode::ACCEPTED, [("location", place(&id))]).into_response();
    }
    let Some(so_far) = stored.uploads.get_mut(id) else {
        return error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "upload unknown");
    };
    if *method == Method::PATCH {
        let start = headers.get("content-range").and_then(|range| range.to_str().ok()?.split_once('-')?.0.parse().ok());
        if start.is_some_and(|start: usize| start != so_far.len()) {
            return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
        }
        so_far.extend_from_slice(&body);
        let range = format!("0-{}", so_far.len().saturating_sub(1));
        return (StatusCode::ACCEPTED, [("location", place(id)), ("range", range)]).into_response();
    }
    if faults.no_monolithic && !body.is_empty() {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    so_far.extend_from_slice(&body);
    let digest = Digest::of(so_far).to_string();
    if query("digest") != digest {
        return error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    let bytes = stored.uploads.remove(id).unwrap_or_default();
    stored.blobs.insert((repository.to_owned(), digest.clone()), bytes.into());
    (StatusCode::CREATED, [("location", "/"), ("docker-content-digest", &digest)]).into_response()
}

fn page(
    faults: &Faults,
    path: &str,
    query: &HashMap<String, String>,
    all: Vec<Value>,
    shape: impl Fn(Vec<Value>) -> Value,
    media_type: &'static str,
) -> Response {
    let start: usize = query.get("last").and_then(|last| last.parse().ok()).unwrap_or(0);
    let size = faults.page.unwrap_or(usize::MAX);
    let entries: Vec<Value> = all.iter().skip(start).take(size).cloned().collect();
    let end = start.saturating_add(entries.len());
    let mut response = ([("content-type", media_type)], shape(entries).to_string()).into_response();
    let own = format!("{path}?last={end}");
    let next = faults.next_page.clone().or(Some(own).filter(|_| end < all.len()));
    if let Some(next) = next {
        response.headers_mut().insert("link", format!("<{next}>; rel=\"next\"").parse().unwrap());
    }
    response
}

fn see_other(base: Option<&str>, digest: &str) -> Response {
    let location = format!("{}/cdn/{digest}", base.unwrap_or_default());
    (StatusCode::TEMPORARY_REDIRECT, [("location", location)]).into_response()
}

fn unauthorized(challenge: &str) -> Response {
    let mut response = error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required");
    response.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
    response
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, json!({"errors": [{"code": code, "message": message}]}).to_string()).into_response()
}

fn altered(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    // Still valid JSON where it was: a space more weighs as much as a letter less.
    if let Some(last) = bytes.last_mut() {
        *last = if *last == b'}' { b' ' } else { *last ^ 1 };
    }
    bytes.into()
}

fn once(bytes: Bytes) -> impl Stream<Item = Result<Bytes, Infallible>> {
    futures_util::stream::once(std::future::ready(Ok(bytes)))
}

/// 64 KiB again and again, until the other side has had enough.
fn endless() -> impl Stream<Item = Result<Bytes, Infallible>> {
    futures_util::stream::repeat_with(|| Ok(Bytes::from_static(&[b' '; 64 << 10])))
}
