//! Leases: made as `ctr` makes them, listed, filled, ended.

use std::collections::BTreeMap;

use loadline::api::containerd::proto::containerd::services::leases::v1::leases_client::LeasesClient;
use loadline::api::containerd::proto::containerd::services::leases::v1::{
    AddResourceRequest, CreateRequest, DeleteRequest, DeleteResourceRequest, ListRequest, ListResourcesRequest,
    Resource,
};
use loadline::domain::Digest;
use tonic::Code;
use tonic::transport::Channel;

use super::channel;
use super::content::list as list_content;
use crate::support::daemon::Daemon;
use crate::support::loading::loaded;
use crate::support::repository;

const EXPIRE: &str = "containerd.io/gc.expire";

fn labels(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn create(client: &mut LeasesClient<Channel>, id: &str, all: &[(&str, &str)]) -> Result<String, tonic::Status> {
    let answer = client.create(CreateRequest { id: id.into(), labels: labels(all) }).await?.into_inner();
    let lease = answer.lease.expect("a lease");
    assert!(lease.created_at.is_some_and(|at| at.seconds > 0));
    assert_eq!(lease.labels, labels(all));
    Ok(lease.id)
}

async fn list(client: &mut LeasesClient<Channel>, filters: &[&str]) -> Result<Vec<String>, tonic::Status> {
    let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
    let leases = client.list(ListRequest { filters }).await?.into_inner().leases;
    Ok(leases.into_iter().map(|lease| lease.id).collect())
}

fn delete(id: &str, sync: bool) -> DeleteRequest {
    DeleteRequest { id: id.into(), sync }
}

fn content(digest: &str) -> Option<Resource> {
    Some(Resource { id: digest.to_owned(), r#type: "content".to_owned() })
}

#[tokio::test]
async fn a_lease_is_made_listed_and_deleted() {
    let daemon = Daemon::start();
    let mut client = LeasesClient::new(channel(&daemon.socket()).await);
    let expire = "2999-01-01T12:00:00.123456789+02:00";
    assert_eq!(create(&mut client, "181120-xWTy", &[(EXPIRE, expire), ("who", "ctr")]).await.unwrap(), "181120-xWTy");
    let twice = create(&mut client, "181120-xWTy", &[]).await.unwrap_err();
    assert_eq!((twice.code(), twice.message()), (Code::AlreadyExists, "lease \"181120-xWTy\": already exists"));
    let made_up = create(&mut client, "", &[]).await.unwrap();
    assert!(!made_up.is_empty());
    let over = create(&mut client, "over", &[(EXPIRE, "2001-01-01T00:00:00Z")]).await.unwrap();
    let senseless = create(&mut client, "senseless", &[(EXPIRE, "tomorrow")]).await.unwrap_err();
    assert_eq!(senseless.code(), Code::InvalidArgument);

    let all = list(&mut client, &[]).await.unwrap();
    assert!(all.len() == 2 && all.contains(&made_up) && !all.contains(&over), "{all:?}");
    for (filters, expected) in [
        (&["id==181120-xWTy"][..], 1),
        (&["labels.who==ctr"], 1),
        (&["labels.\"containerd.io/gc.expire\""], 1),
        (&["labels.who!=ctr"], 1),
        (&["id==nothing", "labels.who"], 1),
    ] {
        assert_eq!(list(&mut client, filters).await.unwrap().len(), expected, "{filters:?}");
    }
    assert_eq!(list(&mut client, &["id="]).await.unwrap_err().code(), Code::InvalidArgument);

    client.delete(delete("181120-xWTy", false)).await.unwrap();
    client.delete(delete(&made_up, true)).await.unwrap();
    let gone = client.delete(delete("181120-xWTy", false)).await.unwrap_err();
    assert_eq!((gone.code(), gone.message()), (Code::NotFound, "lease \"181120-xWTy\": not found"));
    assert_eq!(list(&mut client, &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn content_stays_for_as_long_as_a_lease_names_its_root() {
    let daemon = Daemon::start();
    loaded(&daemon.client(), std::fs::read(repository("tests/fixtures/app-oci.tar")).unwrap());
    let name = "registry.example/team/app:1.0";
    let image = daemon.client().get(&format!("/images/{name}/json")).expect(200).json();
    let digest = image["Id"].as_str().unwrap().to_owned();
    let socket = daemon.socket();
    let all = list_content(&socket, &[]).await.unwrap();

    let mut client = LeasesClient::new(channel(&socket).await);
    create(&mut client, "one", &[]).await.unwrap();
    create(&mut client, "two", &[]).await.unwrap();
    for id in ["one", "two"] {
        client.add_resource(AddResourceRequest { id: id.into(), resource: content(&digest) }).await.unwrap();
    }
    let absent = Digest::of(b"not here").to_string();
    client.add_resource(AddResourceRequest { id: "one".into(), resource: content(&absent) }).await.unwrap();
    let listed = client.list_resources(ListResourcesRequest { id: "one".into() }).await.unwrap().into_inner();
    let mut ids: Vec<_> = listed.resources.into_iter().map(|resource| resource.id).collect();
    ids.sort();
    let mut expected = vec![digest.clone(), absent];
    expected.sort();
    assert_eq!(ids, expected);

    daemon.client().delete(&format!("/images/{name}")).expect(200);
    daemon.client().post("/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D", "", "").expect(200);
    assert_eq!(list_content(&socket, &[]).await.unwrap(), all);
    client.delete_resource(DeleteResourceRequest { id: "two".into(), resource: content(&digest) }).await.unwrap();
    assert_eq!(list_content(&socket, &[]).await.unwrap(), all);
    client.delete(delete("one", true)).await.unwrap();
    assert_eq!(list_content(&socket, &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn what_is_no_resource_is_refused() {
    let daemon = Daemon::start();
    let mut client = LeasesClient::new(channel(&daemon.socket()).await);
    create(&mut client, "one", &[]).await.unwrap();
    let digest = Digest::of(b"a").to_string();
    for (id, kind, resource, expected) in [
        ("one", "content", "latest", Code::InvalidArgument),
        ("one", "content/x", &digest, Code::InvalidArgument),
        ("one", "snapshots", "key", Code::InvalidArgument),
        ("one", "sandboxes", "key", Code::Unimplemented),
        ("two", "content", &digest, Code::NotFound),
        ("one", "images", "docker.io/library/a:1", Code::Ok),
        ("one", "ingests", "a", Code::Ok),
        ("one", "snapshots/overlayfs", "key", Code::Ok),
    ] {
        let resource = || Some(Resource { id: resource.to_owned(), r#type: kind.to_owned() });
        let added = client.add_resource(AddResourceRequest { id: id.into(), resource: resource() }).await;
        let removed = client.delete_resource(DeleteResourceRequest { id: id.into(), resource: resource() }).await;
        for answer in [added, removed] {
            assert_eq!(answer.map_or_else(|status| status.code(), |_| Code::Ok), expected, "{id} {kind}");
        }
    }
    let nothing = client.add_resource(AddResourceRequest { id: "one".into(), resource: None }).await.unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument);
    let unknown = client.list_resources(ListResourcesRequest { id: "two".into() }).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}
