use axum::response::IntoResponse;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::*;

async fn told(answer: Answer) -> (u16, Value) {
    let response = answer.into_response();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn none() -> Query {
    Query::default()
}

#[tokio::test]
async fn lists_and_prunes_are_as_recorded_on_an_empty_engine() {
    assert_eq!(told(container_list(Query::parse("all=1")).await).await, (200, json!([])));
    assert_eq!(told(volume_list(none()).await).await, (200, json!({"Volumes": [], "Warnings": null})));
    assert_eq!(told(network_list(none()).await).await, (200, json!([])));
    let containers = json!({"ContainersDeleted": null, "SpaceReclaimed": 0});
    assert_eq!(told(container_prune(none()).await).await, (200, containers));
    let volumes = json!({"VolumesDeleted": [], "SpaceReclaimed": 0});
    assert_eq!(told(volume_prune(none()).await).await, (200, volumes));
    assert_eq!(told(network_prune(none()).await).await, (200, json!({"NetworksDeleted": null})));
    assert_eq!(told(plugin_list(none()).await).await, (200, json!([])));
    let caches = json!({"CachesDeleted": null, "SpaceReclaimed": 0});
    assert_eq!(told(build_prune(none()).await).await, (200, caches));
}

#[tokio::test]
async fn filters_are_checked_although_nothing_can_match() {
    let refused = |text: &str| (400, json!({ "message": text }));
    let unknown = || Query::parse(r#"filters={"colour":["red"]}"#);
    assert_eq!(told(container_list(unknown()).await).await, refused("invalid filter 'colour'"));
    assert_eq!(told(build_prune(unknown()).await).await, refused("invalid filter 'colour'"));
    assert_eq!(told(volume_list(Query::parse("filters={")).await).await, refused("invalid filter"));
    let maybe = Query::parse(r#"filters={"dangling":["maybe"]}"#);
    assert_eq!(told(network_list(maybe).await).await, refused("invalid filter 'dangling=[maybe]'"));
    let never = Query::parse(r#"filters={"until":["never"]}"#);
    assert_eq!(told(container_prune(never).await).await.0, 400);
    let named = Query::parse(r#"filters={"since":["web"]}"#);
    assert_eq!(told(container_list(named).await).await, (404, json!({"message": "No such container: web"})));
    let limited = Query::parse("limit=some");
    assert_eq!(told(container_list(limited).await).await, refused("invalid value for limit: some"));
    let known = Query::parse(r#"limit=-1&filters={"status":["running"],"label":["a=b"],"annotation":["a","b=c"]}"#);
    assert_eq!(told(container_list(known).await).await.0, 200);
}
