use axum::extract::Path;
use http::{HeaderMap, Request, header};
use http_body_util::BodyExt;

use super::*;
use crate::api::docker::query::Query;
use crate::api::docker::versions::NEWEST_TEXT;

async fn inspect(Path(name): Path<String>, query: Query) -> String {
    format!("{name} {}", query.text("platform"))
}

fn facade() -> Facade {
    let attestations = |Path(name): Path<String>| async move { name };
    let fail = || async {
        if true {
            panic!("on purpose")
        }
    };
    Facade::new(
        (),
        vec![
            Route::new(Method::GET, "/images/json", 24.., |Form(shape): Form| async {
                shape.list.virtual_size.to_string()
            }),
            Route::new(Method::GET, "/images/{name}/json", 24.., inspect),
            Route::new(Method::GET, "/images/{name}/attestations", 55.., attestations),
            Route::new(Method::DELETE, "/images/{name}", 24.., |Path(name): Path<String>| async { name }),
            Route::new(Method::GET, "/old", 24..=30, || async {}),
            Route::new(Method::GET, "/fail", 24.., fail),
        ],
    )
}

async fn ask(method: Method, path: &str) -> (u16, HeaderMap, String) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let response = facade().call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

async fn get(path: &str) -> (u16, String) {
    let (status, _, body) = ask(Method::GET, path).await;
    (status, body)
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<_> = headers.keys().map(|name| name.as_str()).filter(|name| *name != "content-length").collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn names_reach_their_handlers_whole() {
    for (path, name) in [
        ("/images/app/json", "app "),
        ("/v1.55/images/registry.example:5000/team/app:1.0/json?platform=x", "registry.example:5000/team/app:1.0 x"),
        ("/images/a%2Fb%20c/json", "a/b c "),
        ("/images/../etc/json", "../etc "),
        ("/images/é/json", "é "),
    ] {
        let path = path.replace('é', "%C3%A9");
        assert_eq!(get(&path).await, (200, name.to_owned()), "{path}");
    }
    assert_eq!(ask(Method::DELETE, "/images/json").await.2, "json");
    assert_eq!(ask(Method::DELETE, "/v1.40/images/a/json").await.2, "a/json");
}

#[tokio::test]
async fn an_answer_is_signed() {
    let (status, headers, body) = ask(Method::GET, "/v1.43/images/json").await;
    assert_eq!((status, body.as_str()), (200, "true"));
    assert_eq!(names(&headers), ["api-version", "content-type", "docker-experimental", "ostype", "server"]);
    assert_eq!(headers["api-version"], NEWEST_TEXT);
    assert_eq!(headers["docker-experimental"], "false");
    assert_eq!(headers["ostype"], "linux");
    assert!(headers[header::SERVER].to_str().unwrap().starts_with("Loadline/"));
    assert_eq!(get("/images/json").await, (200, "false".to_owned()));
}

#[tokio::test]
async fn what_no_route_matches_is_not_found_without_a_signature() {
    for (method, path) in [
        (Method::GET, "/v1.55/nope"),
        (Method::GET, "/nope"),
        (Method::POST, "/v1.55/images/json"),
        (Method::HEAD, "/v1.55/images/json"),
        (Method::POST, "/images/a/b/attestations"),
        (Method::GET, "/vabc/images/json"),
        (Method::GET, "/v1.999/nope"),
        (Method::GET, "/images//json"),
        (Method::GET, "/"),
        (Method::OPTIONS, "*"),
    ] {
        let (status, headers, body) = ask(method.clone(), path).await;
        assert_eq!((status, names(&headers)), (404, vec!["content-type"]), "{method} {path}");
        if method != Method::HEAD {
            assert_eq!(body, r#"{"message":"page not found"}"#);
        }
    }
}

#[tokio::test]
async fn versions_are_refused_in_dockers_words() {
    let (status, headers, body) = ask(Method::GET, "/v1.999/images/json").await;
    assert_eq!(status, 400);
    let text = format!("client version 1.999 is too new. Maximum supported API version is {NEWEST_TEXT}");
    assert_eq!(body, format!(r#"{{"message":"{text}"}}"#));
    assert_eq!(names(&headers), ["api-version", "content-type", "ostype", "server"]);
    assert!(get("/v1.10/images/json").await.1.contains("client version 1.10 is too old."));
    assert_eq!(get("/v1.22/images/json").await.0, 200);

    let (status, headers, body) = ask(Method::GET, "/v1.54/images/a/attestations").await;
    assert_eq!(status, 400);
    assert_eq!(body, r#"{"message":"GET /images/{name:.*}/attestations requires minimum API version 1.55"}"#);
    assert!(headers.contains_key("docker-experimental"));
    assert_eq!(get("/images/a/attestations").await.0, 200);
    assert_eq!((get("/v1.30/old").await.0, get("/v1.31/old").await.0), (200, 400));
}

#[tokio::test]
async fn parameters_of_newer_versions_are_ignored() {
    assert_eq!(get("/v1.49/images/a/json?platform=x").await.1, "a x");
    assert_eq!(get("/v1.48/images/a/json?platform=x").await.1, "a ");
}

#[tokio::test]
async fn hostile_paths_get_an_answer() {
    for path in ["/images/%FF/json", "/images/%00/json", "/images/%/json", "/images/a%0ab/json"] {
        let (status, body) = get(path).await;
        assert_eq!(status, 400, "{path}");
        assert!(body.starts_with(r#"{"message":"#), "{body}");
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_that_tells_nothing() {
    let (status, headers, body) = ask(Method::GET, "/fail").await;
    assert_eq!((status, body.as_str()), (500, r#"{"message":"the daemon failed to answer the request"}"#));
    assert!(headers.contains_key("api-version"));
}
