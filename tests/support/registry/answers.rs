//! What the registry answers, and what it answers wrongly.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body_util::BodyExt;
use loadline::domain::{Digest, MediaType};
use serde_json::{Value, json};

use super::{Faults, REFRESH, Seen, Shared, Stored, TOKEN};

pub(super) async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map(|target| target.to_string()).unwrap_or_default();
    let seen = Seen { method: parts.method.to_string(), target, headers: parts.headers.clone() };
    shared.seen.lock().push(seen);
    let sends_content = matches!(parts.method, Method::PUT | Method::PATCH) && parts.uri.path().contains("/blobs/");
    if sends_content && shared.faults.lock().stall_uploads {
        return std::future::pending().await;
    }
    if parts.uri.path().contains("/referrers/") && shared.faults.lock().stall_referrers {
        return std::future::pending().await;
    }
    let read = tokio::spawn(async move { body.collect().await.map(|body| body.to_bytes()).unwrap_or_default() });
    let body = read.await.unwrap_or_default();
    let response = respond(&shared, &parts, body);
    let trickle = shared.faults.lock().trickle;
    match trickle {
        Some((piece, pause)) => trickled(response, piece, pause),
        None => response,
    }
}

fn respond(shared: &Shared, parts: &Parts, body: Bytes) -> Response {
    let path = parts.uri.path().to_owned();
    let query: HashMap<String, String> =
        form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let faults = &mut *shared.faults.lock();
    if path == "/token" {
        return token(faults, &parts.method, &parts.headers, &query, &body);
    }
    if let Some((base, repository)) = &faults.redirect_all {
        let rest = path.splitn(5, '/').nth(4).unwrap_or_default();
        let location = format!("{base}/v2/{repository}/{rest}");
        return (StatusCode::TEMPORARY_REDIRECT, [("location", location)]).into_response();
    }
    if let Some((_, status, body)) = faults.refuse.iter().find(|(method, ..)| *method == parts.method.as_str()) {
        return (StatusCode::from_u16(*status).unwrap(), body.clone()).into_response();
    }
    if let Some(digest) = path.strip_prefix("/cdn/") {
        let stored = shared.stored.lock();
        let blob = stored.blobs.iter().find(|((_, own), _)| own == digest).map(|(_, bytes)| bytes.clone());
        let found = blob.or_else(|| Some(stored.manifests.iter().find(|((_, own), _)| own == digest)?.1.1.clone()));
        return found.map_or(StatusCode::NOT_FOUND.into_response(), |bytes| blob_answer(faults, &parts.headers, bytes));
    }
    if path.starts_with("/elsewhere") {
        return (StatusCode::CREATED, [("location", "/")]).into_response();
    }
    if let Some(refusal) = refusal(faults, shared, &parts.headers) {
        return refusal;
    }
    if path == "/v1/search" && faults.endless_search {
        return Body::from_stream(endless()).into_response();
    }
    if let (Some(answer), "/v1/search") = (&faults.search, path.as_str()) {
        return answer.clone().into_response();
    }
    let Some(rest) = path.strip_prefix("/v2/") else {
        return error(StatusCode::NOT_FOUND, "NOT_FOUND", "no such path");
    };
    if rest.is_empty() {
        return "{}".into_response();
    }
    let stored = &mut *shared.stored.lock();
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
        let mut tags: Vec<Value> =
            stored.tags.keys().filter(|(own, _)| own == repository).map(|(_, tag)| json!(tag)).collect();
        if faults.tags_reversed {
            tags.reverse();
        }
        return page(faults, &path, &query, tags, |tags| json!({"name": repository, "tags": tags}), "application/json");
    }
    if let Some((repository, subject)) = pieces("/referrers/") {
        if faults.closed_referrers {
            return error(StatusCode::FORBIDDEN, "DENIED", "referrers are not for you");
        }
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
        let own = format!("{}/token", shared.own.lock());
        let realm = faults.realm.clone().unwrap_or(own);
        let scope = faults.scope.clone().unwrap_or_default();
        unauthorized(&format!("Bearer realm=\"{realm}\",service=\"test\",scope=\"{scope}\""))
    })
}

fn token(
    faults: &Faults,
    method: &Method,
    headers: &HeaderMap,
    query: &HashMap<String, String>,
    body: &[u8],
) -> Response {
    if let Some((status, location)) = &faults.redirect_tokens {
        let status = StatusCode::from_u16(*status).unwrap();
        return (status, [("location", location.clone())]).into_response();
    }
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
        let subject = serde_json::from_slice::<Value>(&body).ok();
        let subject = subject.as_ref().and_then(|body| body["subject"]["digest"].as_str());
        if faults.insists_on_subject && subject.is_some_and(|subject| stored.find(repository, subject).is_none()) {
            return error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "the subject is not here");
        }
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
    if let Some(encoding) = faults.encode_blobs {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&bytes).unwrap();
        return ([("content-encoding", encoding)], gzip.finish().unwrap()).into_response();
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
        (_, Some(after)) if after < total => {
            let sent = after.saturating_sub(start.unwrap_or(0));
            Body::from_stream(once(rest.slice(..sent)).chain(futures_util::stream::pending()))
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

/// The same answer in pieces of so many bytes, with a pause before each.
fn trickled(response: Response, piece: usize, pause: Duration) -> Response {
    let (parts, body) = response.into_parts();
    let pieces = body.into_data_stream().flat_map(move |chunk| {
        let chunk = chunk.unwrap_or_default();
        let pieces: Vec<Bytes> =
            (0..chunk.len()).step_by(piece).map(|at| chunk.slice(at..chunk.len().min(at + piece))).collect();
        futures_util::stream::iter(pieces)
    });
    let slow = pieces.then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, Infallible>(piece)
    });
    Response::from_parts(parts, Body::from_stream(slow))
}

fn once(bytes: Bytes) -> impl Stream<Item = Result<Bytes, Infallible>> {
    futures_util::stream::once(std::future::ready(Ok(bytes)))
}

/// 64 KiB again and again, until the other side has had enough.
fn endless() -> impl Stream<Item = Result<Bytes, Infallible>> {
    futures_util::stream::repeat_with(|| Ok(Bytes::from_static(&[b' '; 64 << 10])))
}
