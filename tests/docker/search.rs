//! `GET /images/search`, against an index of the test's own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::http::{Client, Request};
use crate::support::loading::encode;
use crate::support::registry::Registry;

fn index() -> Registry {
    let registry = Registry::start();
    let hit = |name: &str, stars: i64, official: bool, automated: bool| {
        json!({"name": name, "description": format!("what {name} is"), "star_count": stars, "is_official": official,
            "is_automated": automated, "is_trusted": true})
    };
    let hits = [hit("app", 100, true, false), hit("team/app", 3, false, true), hit("other/app", 0, false, false)];
    let answer = json!({"query": "app", "num_results": 3, "num_pages": 1, "page": 1, "page_size": 25, "results": hits});
    registry.faults().search = Some(answer.to_string());
    registry
}

fn search(client: &Client, registry: &Registry, query: &str) -> Vec<Value> {
    let target = format!("/images/search?term={}/app{query}", registry.host());
    client.get(&target).expect(200).json().as_array().unwrap().clone()
}

fn names(hits: &[Value]) -> Vec<&str> {
    hits.iter().map(|hit| hit["name"].as_str().unwrap()).collect()
}

#[track_caller]
fn refused(client: &Client, target: &str, status: u16) -> String {
    client.get(target).expect(status).json()["message"].as_str().unwrap().to_owned()
}

#[test]
fn an_index_is_asked_in_every_version() {
    let (daemon, registry) = (Daemon::start(), index());
    let client = daemon.client();
    let hits = search(&client, &registry, "");
    assert_eq!(
        hits[1],
        json!({"name": "team/app", "description": "what team/app is", "star_count": 3, "is_official": false,
            "is_automated": false})
    );
    assert_eq!(names(&hits), ["app", "team/app", "other/app"]);
    for minor in [24, 40, 44, 52] {
        let target = format!("/v1.{minor}/images/search?term={}/app", registry.host());
        assert_eq!(client.get(&target).expect(200).json(), json!(hits), "1.{minor}");
    }
    assert!(registry.seen().iter().any(|seen| seen.target == "/v1/search?q=app&n=25"));
    assert!(!registry.was_told_a_secret());

    registry.forget();
    let request = Request::get(&format!("/images/search?term={}/a%20b%26n&limit=2", registry.host()));
    let answer = client.send(&request.header("X-Meta-Note", "passed on").header("X-Other", "not")).expect(200);
    assert_eq!(names(answer.json().as_array().unwrap()), ["app", "team/app"], "more than were asked for");
    let seen = registry.seen().into_iter().find(|seen| seen.target.starts_with("/v1/search")).unwrap();
    assert_eq!(seen.target, "/v1/search?q=a+b%26n&n=2");
    assert_eq!(seen.headers["x-meta-note"], "passed on");
    assert!(!seen.headers.contains_key("x-other"));
}

#[test]
fn filters_leave_out() {
    let (daemon, registry) = (Daemon::start(), index());
    let client = daemon.client();
    let filtered = |filters: &str| search(&client, &registry, &format!("&filters={}", encode(filters)));
    assert_eq!(names(&filtered(r#"{"is-official":["true"]}"#)), ["app"]);
    assert_eq!(names(&filtered(r#"{"is-official":{"false":true}}"#)), ["team/app", "other/app"]);
    assert_eq!(names(&filtered(r#"{"stars":["3"]}"#)), ["app", "team/app"]);
    assert_eq!(names(&filtered(r#"{"is-automated":["false"]}"#)).len(), 3);
    registry.forget();
    assert!(filtered(r#"{"is-automated":["true"]}"#).is_empty());
    assert!(registry.seen().is_empty(), "asked for nothing");
}

#[test]
fn what_is_wrong_with_a_search_is_said() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let client = daemon.client();
    let term = format!("/images/search?term={}/app", registry.host());
    assert_eq!(refused(&client, &format!("{term}&limit=101"), 400), "limit 101 is outside the range of [1, 100]");
    assert_eq!(refused(&client, &format!("{term}&limit=many"), 400), "invalid limit specified");
    assert!(refused(&client, "/images/search", 400).contains("term"));
    assert!(refused(&client, "/images/search?term=http://h/app", 400).contains("should not have a scheme"));
    assert_eq!(refused(&client, &format!("{term}&filters=%7B%22a%22:[%22b%22]%7D"), 400), "invalid filter 'a'");
    assert!(refused(&client, &term, 404).contains("not every registry can be searched"));
    registry.faults().search = Some("<html>".into());
    assert!(refused(&client, &term, 500).contains("error decoding registry search results"));
    registry.faults().search = Some(r#"{"results": null}"#.into());
    assert_eq!(client.get(&term).expect(200).json(), json!([]));
    registry.faults().endless_search = true;
    assert!(refused(&client, &term, 500).contains("larger than"));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = refused(&client, &format!("/images/search?term={nobody}/app"), 500);
    assert!(text.starts_with("the index to search cannot be reached") && text.contains("refused"), "{text}");
}

#[test]
fn docker_hubs_index_may_be_out_of_reach() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let daemon = Daemon::start_with_variable("HTTPS_PROXY", &format!("http://{nobody}"));
    let text = refused(&daemon.client(), "/images/search?term=alpine", 500);
    assert!(text.starts_with("the index to search cannot be reached: GET https://index.docker.io/v1/search"), "{text}");
}

#[test]
fn a_credential_is_given_to_who_asks() {
    let (daemon, registry) = (Daemon::start(), index());
    let client = daemon.client();
    registry.faults().basic_user = Some(("me".into(), "secret".into()));
    let term = format!("/images/search?term={}/app", registry.host());
    assert!(refused(&client, &term, 401).contains("401"));
    let with = |password: &str| {
        let credential = json!({"username": "me", "password": password}).to_string();
        Request::get(&term).header("X-Registry-Auth", &URL_SAFE.encode(credential))
    };
    client.send(&with("wrong")).expect(401);
    assert_eq!(client.send(&with("secret")).expect(200).json().as_array().unwrap().len(), 3);

    registry.faults().basic_user = None;
    registry.faults().token_user = Some(("me".into(), "secret".into()));
    assert_eq!(client.send(&with("secret")).expect(200).json().as_array().unwrap().len(), 3);
    assert_eq!(registry.count("GET", "scope=registry%3Acatalog%3Asearch"), 1);
}
