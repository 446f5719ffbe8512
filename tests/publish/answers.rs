//! What Docker's clients are told of a denial.

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use loadline::api::docker::{self, App, Facade};
use loadline::domain::MediaType;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::support::images::docker_archive;
use crate::support::loading::encode;
use crate::support::registry::Registry;
use crate::support::tar::Tar;

/// The API over an engine that has an image `kept/app:1`.
async fn api() -> (Facade, Engine) {
    let (engine, _) = engine(Asked::new(false, by_name)).await;
    load(&engine, docker_archive(&["kept/app:1"], &["kept"])).await;
    (docker::router(App { engine: engine.clone(), settings: Arc::default() }), engine)
}

/// The status and the JSON objects of an answer.
async fn post(api: &Facade, target: &str, body: impl Into<Body>) -> (StatusCode, Vec<Value>) {
    send(api, Request::post(target).header("content-type", "application/x-tar").body(body.into()).unwrap()).await
}

async fn send(api: &Facade, request: Request<Body>) -> (StatusCode, Vec<Value>) {
    let answer = api.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&bytes).unwrap();
    (status, text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The line that ends a stream which failed.
fn failed(name: &str) -> Value {
    json!({"error": refusal(name), "errorDetail": {"message": refusal(name)}})
}

#[tokio::test]
async fn a_denied_tag_is_forbidden() {
    let (api, engine) = api().await;
    let answer = post(&api, "/v1.55/images/kept%2Fapp:1/tag?repo=denied/app&tag=1", "").await;
    assert_eq!(answer, (StatusCode::FORBIDDEN, vec![json!({"message": refusal("denied/app:1")})]));
    assert_eq!(target(&engine, "denied/app:1").await, None);
}

#[tokio::test]
async fn a_denied_load_says_so_in_its_last_line() {
    let (api, engine) = api().await;
    let archive = docker_archive(&["fine/app:1", "denied/app:1"], &["new"]);
    let answer = post(&api, "/v1.55/images/load", archive).await;
    assert_eq!(answer, (StatusCode::OK, vec![failed("denied/app:1")]));
    assert_eq!((target(&engine, "fine/app:1").await, engine.image_count()), (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_import_is_forbidden_or_says_so_once_it_has_begun_to_tell() {
    let (api, engine) = api().await;
    let root = Tar::default().file("file", b"content").end();
    let target = "/v1.55/images/create?fromSrc=-&repo=denied/app&tag=1";
    let answer = post(&api, target, root.clone()).await;
    assert_eq!(answer, (StatusCode::FORBIDDEN, vec![json!({"message": refusal("denied/app:1")})]));
    // Where something was told before, the status is sent.
    let registry = Registry::start();
    let blob = registry.put_blob("files", &MediaType::OCI_LAYER, root);
    let source = encode(&format!("{}/cdn/{}", registry.url(), blob.digest));
    let (status, lines) = post(&api, &format!("/images/create?fromSrc={source}&repo=denied/app&tag=1"), "").await;
    assert_eq!((status, lines.last()), (StatusCode::OK, Some(&failed("denied/app:1"))));
    assert_eq!(engine.image_count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_pull_says_so_in_its_last_line() {
    let (api, engine) = api().await;
    let registry = Registry::start();
    registry.put_image("denied/app", Some("1"), &[b"layer".to_vec()]);
    let name = registry.name("denied/app:1").familiar();
    let target = format!("/v1.55/images/create?fromImage={}&tag=1", encode(&registry.name("denied/app").familiar()));
    let (status, lines) = post(&api, &target, "").await;
    assert_eq!((status, lines.last()), (StatusCode::OK, Some(&failed(&name))));
    assert_eq!(engine.image_count(), 1);
}

#[tokio::test]
async fn a_denial_is_an_event() {
    let (api, engine) = api().await;
    let id = target(&engine, "kept/app:1").await.unwrap();
    post(&api, "/v1.55/images/kept%2Fapp:1/tag?repo=denied/app&tag=1", "").await;
    let filters = encode(r#"{"event":["deny"]}"#);
    let until = engine.now();
    let query = format!("since=1&until={}.{:09}&filters={filters}", until.as_second(), until.subsec_nanosecond());
    let (status, events) =
        send(&api, Request::get(format!("/v1.55/events?{query}")).body(Body::empty()).unwrap()).await;
    assert_eq!((status, events.len()), (StatusCode::OK, 1), "{events:?}");
    assert_eq!((&events[0]["Type"], &events[0]["Action"]), (&json!("image"), &json!("deny")));
    let attributes = json!({"name": "denied/app:1", "rule": "names", "reason": "nobody wants it"});
    assert_eq!(events[0]["Actor"], json!({"ID": id, "Attributes": attributes}));
}
