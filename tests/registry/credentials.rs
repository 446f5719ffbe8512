//! Where credentials go, and where they never do.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use loadline::domain::{Kind, MediaType, Secret};
use loadline::registry::{Access, Credential, Registries, Settings};

use serde_json::json;

use super::{basic, fails, quick, read, registries};
use crate::support::daemon::Daemon;
use crate::support::http::Request;
use crate::support::registry::{REFRESH, Registry, TOKEN};

fn closed() -> Registry {
    let registry = Registry::start();
    registry.put_image("team/app", Some("1"), &[]);
    registry.faults().token_user = Some(("u".into(), "p".into()));
    registry
}

#[tokio::test]
async fn tokens_are_got_once_and_kept_apart() {
    let registry = closed();
    let name = registry.name("team/app:1");
    let registries = registries();
    let repository = registries.repository(&name, Access::Pull, basic("u", "p")).unwrap();
    for _ in 0..3 {
        repository.resolve(&name).await.unwrap();
    }
    assert_eq!(registry.count("GET", "/token"), 1);
    let asked = registry.seen().into_iter().find(|seen| seen.target.starts_with("/token")).unwrap().target;
    assert!(asked.contains("scope=repository%3Ateam%2Fapp%3Apull") && asked.contains("service=test"), "{asked}");
    // Another's request does not go through on this one's token.
    for credential in [Credential::anonymous(), basic("u", "wrong")] {
        let other = registries.repository(&name, Access::Pull, credential).unwrap();
        fails(other.resolve(&name).await, Kind::Unauthenticated, "");
    }
}

#[tokio::test]
async fn every_kind_of_credential_opens() {
    let registry = closed();
    let name = registry.name("team/app:1");
    for credential in [
        basic("u", "p"),
        Credential::identity_token(Secret::new(REFRESH)),
        Credential::registry_token(Secret::new(TOKEN)),
    ] {
        let repository = registries().repository(&name, Access::Pull, credential.clone()).unwrap();
        repository.resolve(&name).await.unwrap_or_else(|error| panic!("{credential:?}: {error:?}"));
    }
    registry.faults().token_user = None;
    registry.faults().basic_user = Some(("u".into(), "p".into()));
    registries().repository(&name, Access::Pull, basic("u", "p")).unwrap().resolve(&name).await.unwrap();
    let wrong = registries().repository(&name, Access::Pull, basic("u", "x")).unwrap();
    fails(wrong.resolve(&name).await, Kind::Unauthenticated, "pull access denied");
    registry.faults().basic_user = None;
    registry.faults().token_anonymous = true;
    registries().repository(&name, Access::Pull, Credential::anonymous()).unwrap().resolve(&name).await.unwrap();
}

#[tokio::test]
async fn redirects_never_carry_a_credential_to_another_origin() {
    for basic_auth in [false, true] {
        let (registry, stranger) = (closed(), Registry::start());
        if basic_auth {
            registry.faults().token_user = None;
            registry.faults().basic_user = Some(("u".into(), "p".into()));
        }
        let name = registry.name("team/app:1");
        let blob = registry.put_blob("team/app", &MediaType::OCI_LAYER, "layer");
        stranger.put_blob("x", &MediaType::OCI_LAYER, "layer");
        registry.faults().redirect_blobs = Some(stranger.url());
        let repository = registries().repository(&name, Access::Pull, basic("u", "p")).unwrap();
        assert_eq!(read(&repository, &blob, 0).await.unwrap().1, b"layer");
        assert_eq!(stranger.seen().len(), 1);
        // Nor where the stranger asks for one, on the way of a manifest or of a blob.
        registry.faults().redirect_blobs = Some(format!("{}/v2/x", stranger.url()));
        registry.faults().redirect_manifests = Some(format!("{}/v2/x", stranger.url()));
        stranger.faults().basic_user = Some(("u".into(), "p".into()));
        fails(read(&repository, &blob, 0).await, Kind::Unauthenticated, "");
        fails(repository.resolve(&name).await, Kind::Unauthenticated, "");
        assert!(stranger.seen().len() >= 3);
        assert!(!stranger.was_told_a_secret(), "{:?}", stranger.seen());
    }
}

#[tokio::test]
async fn a_redirect_through_a_stranger_and_back_carries_nothing() {
    let (registry, stranger) = (closed(), Registry::start());
    let name = registry.name("team/app:1");
    let blob = registry.put_blob("team/app", &MediaType::OCI_LAYER, "layer");
    stranger.put_blob("x", &MediaType::OCI_LAYER, "layer");
    let repository = registries().repository(&name, Access::Pull, basic("u", "p")).unwrap();
    repository.resolve(&name).await.unwrap();
    registry.faults().redirect_blobs = Some(format!("{}/v2/x/blobs/{}?", stranger.url(), blob.digest));
    stranger.faults().redirect_blobs = Some(registry.url());
    registry.forget();
    assert_eq!(read(&repository, &blob, 0).await.unwrap().1, b"layer");
    let back = registry.seen().into_iter().find(|seen| seen.target.starts_with("/cdn/")).unwrap();
    assert!(!back.headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_token_service_elsewhere_is_not_told_the_password() {
    let (registry, service) = (closed(), Registry::start());
    let name = registry.name("team/app:1");
    // Another host by its name, although it is this machine: a credential is for a name.
    let elsewhere = format!("http://localhost:{}/token", service.address.port());
    registry.faults().realm = Some(elsewhere);
    for credential in [basic("u", "p"), Credential::identity_token(Secret::new("secret-token"))] {
        let repository = registries().repository(&name, Access::Pull, credential.clone()).unwrap();
        // Without the password, the service may still give what anyone gets.
        repository.resolve(&name).await.unwrap();
        fails(registries().login(&registry.host(), &credential).await, Kind::PermissionDenied, "under another domain");
    }
    assert!(service.count("GET", "/token") >= 2);
    let told = format!("{:?}", service.seen());
    assert!(!told.contains("authorization") && !told.contains("account") && !told.contains("secret"), "{told}");
}

#[tokio::test]
async fn a_token_service_that_must_not_be_asked_is_not() {
    let registry = closed();
    let name = registry.name("team/app:1");
    for realm in [
        "http://auth.example/token",
        "http://127.0.0.1.evil.example/token",
        "ftp://127.0.0.1/token",
        "http://u:p@127.0.0.1/token",
        "/token",
        "",
    ] {
        registry.faults().realm = Some(realm.to_owned());
        let repository = registries().repository(&name, Access::Pull, basic("u", "p")).unwrap();
        fails(repository.resolve(&name).await, Kind::PermissionDenied, "its token service is");
    }
}

#[tokio::test]
async fn nothing_goes_over_a_bare_wire_to_hosts_that_did_not_ask_for_it() {
    let registry = closed();
    let name = registry.name("team/app:1");
    let blob = registry.put_blob("team/app", &MediaType::OCI_LAYER, "layer");
    let repository = registries().repository(&name, Access::Pull, basic("u", "p")).unwrap();
    repository.resolve(&name).await.unwrap();
    for target in ["http://cdn.example", "ftp://cdn.example", "http://localhost.evil.example"] {
        registry.faults().redirect_blobs = Some(target.to_owned());
        fails(read(&repository, &blob, 0).await, Kind::PermissionDenied, "redirects to");
    }
}

#[tokio::test]
async fn a_registry_that_another_one_redirects_to_gives_its_own_token_to_anyone() {
    for credential in [Credential::anonymous(), basic("u", "p"), Credential::identity_token(Secret::new(REFRESH))] {
        let (registry, stranger) = (closed(), Registry::start());
        if credential == Credential::anonymous() {
            registry.faults().token_user = None;
        }
        let name = registry.name("team/app:1");
        let image = stranger.put_image("real/app", Some("1"), &[b"layer".to_vec()]);
        registry.faults().redirect_all = Some((stranger.url(), "real/app".into()));
        stranger.faults().token_anonymous = true;
        stranger.faults().scope = Some("repository:real/app:pull".into());
        let repository = registries().repository(&name, Access::Pull, credential.clone()).unwrap();
        for _ in 0..2 {
            assert_eq!(repository.resolve(&name).await.unwrap().descriptor.digest, image.digest, "{credential:?}");
        }
        repository.manifest(&image.digest, None).await.unwrap();
        assert_eq!(stranger.count("GET", "/token"), 1, "a token is asked for once");
        let told = format!("{:?}", stranger.seen());
        assert!(told.contains("scope=repository%3Areal%2Fapp%3Apull"), "{told}");
        assert!(
            !told.contains("Basic ") && !told.contains("account=") && stranger.count("POST", "/token") == 0,
            "{told}"
        );
        assert!(!format!("{:?}", registry.seen()).contains("real%2Fapp"));
        // Nobody writes where nobody is known.
        let pushing = registries().repository(&name, Access::Push, credential).unwrap();
        let manifest = stranger.manifest("real/app", "1").unwrap().1;
        fails(pushing.put_manifest("2", &MediaType::OCI_MANIFEST, manifest).await, Kind::Unauthenticated, "");
    }
}

#[tokio::test]
async fn a_refresh_token_does_not_follow_a_token_service_that_moves() {
    for status in [307, 308] {
        let (registry, stranger) = (closed(), Registry::start());
        let name = registry.name("team/app:1");
        registry.faults().redirect_tokens = Some((status, format!("{}/token", stranger.url())));
        let token = Credential::identity_token(Secret::new(REFRESH));
        let repository = registries().repository(&name, Access::Pull, token).unwrap();
        fails(repository.resolve(&name).await, Kind::PermissionDenied, "a credential is not sent there");
        assert!(stranger.seen().is_empty());
        // A password is a header, and stays at home as headers do.
        let repository = registries().repository(&name, Access::Pull, basic("u", "p")).unwrap();
        repository.resolve(&name).await.unwrap();
        assert!(!format!("{:?}", stranger.seen()).contains("authorization"));
    }
}

#[tokio::test]
async fn a_token_service_elsewhere_that_is_allowed_has_the_password() {
    let (registry, service) = (closed(), Registry::start());
    service.faults().token_user = Some(("u".into(), "p".into()));
    let name = registry.name("team/app:1");
    let elsewhere = format!("localhost:{}", service.address.port());
    registry.faults().realm = Some(format!("http://{elsewhere}/token"));
    let refused = registries().repository(&name, Access::Pull, basic("u", "p")).unwrap().resolve(&name).await;
    fails(refused, Kind::Unauthenticated, &format!("--registry-token-service {}={elsewhere}", registry.host()));
    assert!(!format!("{:?}", service.seen()).contains("authorization"));
    let allowed = format!("{}={elsewhere}", registry.host()).parse().unwrap();
    let registries = Registries::new(Settings { token_services: vec![allowed], ..quick() }).unwrap();
    let repository = registries.repository(&name, Access::Pull, basic("u", "p")).unwrap();
    repository.resolve(&name).await.unwrap();
    registries.login(&registry.host(), &basic("u", "p")).await.unwrap();
}

#[tokio::test]
async fn the_scope_that_a_challenge_names_is_asked_for_beside_ours() {
    let registry = closed();
    let name = registry.name("team/app:1");
    registry.faults().scope = Some("aws repository:team/app:pull".into());
    let repository = registries().repository(&name, Access::Pull, basic("u", "p")).unwrap();
    for _ in 0..3 {
        repository.resolve(&name).await.unwrap();
    }
    let asked: Vec<String> =
        registry.seen().into_iter().map(|seen| seen.target).filter(|target| target.starts_with("/token")).collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains("scope=repository%3Ateam%2Fapp%3Apull&scope=aws"), "{asked:?}");
}

#[tokio::test]
async fn a_foreign_layer_comes_from_its_urls_and_no_credential_goes_there() {
    let (registry, stranger) = (closed(), Registry::start());
    let name = registry.name("team/app:1");
    stranger.put_blob("x", &MediaType::OCI_LAYER, "layer");
    let digest = loadline::domain::Digest::of(b"layer");
    let foreign = |urls: &[String]| {
        let foreign = json!({"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "digest": digest.to_string(), "size": 5, "urls": urls});
        loadline::domain::Descriptor::from_json(&foreign).unwrap()
    };
    let repository = registries().repository(&name, Access::Pull, basic("u", "p")).unwrap();
    repository.resolve(&name).await.unwrap();
    let good = format!("{}/cdn/{digest}", stranger.url());
    assert_eq!(read(&repository, &foreign(std::slice::from_ref(&good)), 0).await.unwrap().1, b"layer");
    assert_eq!(read(&repository, &foreign(std::slice::from_ref(&good)), 2).await.unwrap(), (2, b"yer".to_vec()));
    let missing = format!("{}/cdn/nothing", stranger.url());
    assert_eq!(read(&repository, &foreign(&[missing.clone(), good.clone()]), 0).await.unwrap().1, b"layer");
    fails(read(&repository, &foreign(&[missing]), 0).await, Kind::NotFound, "404");
    fails(read(&repository, &foreign(&[]), 0).await, Kind::NotFound, "not found");
    // What asks for a password gets none.
    stranger.faults().redirect_blobs = Some(registry.url());
    assert!(!stranger.was_told_a_secret(), "{:?}", stranger.seen());
    for url in ["http://cdn.example/layer", "file:///etc/passwd", "http://u:p@127.0.0.1/layer", "no URL"] {
        let error = read(&repository, &foreign(&[url.to_owned()]), 0).await;
        fails(error, Kind::PermissionDenied, "is said to be at");
    }
    // What the registry has is not asked for elsewhere.
    stranger.forget();
    registry.put_blob("team/app", &MediaType::OCI_LAYER, "layer");
    assert_eq!(read(&repository, &foreign(&[good]), 0).await.unwrap().1, b"layer");
    assert!(stranger.seen().is_empty());
}

#[tokio::test]
async fn logins_are_checked() {
    let registry = closed();
    let registries = registries();
    let outcome = registries.login(&registry.host(), &basic("u", "p")).await.unwrap();
    assert_eq!(outcome.identity_token.unwrap().reveal(), REFRESH);
    registries.login(&format!("http://{}/v2/", registry.host()), &basic("u", "p")).await.unwrap();
    let wrong = registries.login(&registry.host(), &basic("u", "x")).await;
    fails(wrong, Kind::Unauthenticated, "incorrect username or password");
    registry.faults().token_user = None;
    registry.faults().basic_user = Some(("u".into(), "p".into()));
    registries.login(&registry.host(), &basic("u", "p")).await.unwrap();
    fails(registries.login(&registry.host(), &basic("u", "x")).await, Kind::Unauthenticated, "");
    registry.faults().basic_user = None;
    registries.login(&registry.host(), &Credential::anonymous()).await.unwrap();
    fails(registries.login("127.0.0.1:1", &basic("u", "p")).await, Kind::Unavailable, "onnection refused");
}

/// The requests that carry a credential, to a registry that holds the image `app:1`, which the daemon has as well.
fn requests(host: &str, auth: &serde_json::Value) -> [Request; 4] {
    [
        Request::post(&format!("/images/create?fromImage={host}/app&tag=1")),
        Request::post(&format!("/images/{host}/app/push?tag=1")),
        Request::get(&format!("/distribution/{host}/app:1/json")),
        Request::get(&format!("/images/search?term={host}/app")),
    ]
    .map(|request| request.header("X-Registry-Auth", &URL_SAFE.encode(auth.to_string())))
}

#[test]
fn a_credential_for_another_registry_is_not_sent() {
    let (daemon, registry) = (Daemon::start(), Registry::start());
    let (client, host) = (daemon.client(), registry.host());
    registry.put_image("app", Some("1"), &[b"layer".to_vec()]);
    registry.faults().search = Some(r#"{"results": []}"#.to_owned());
    client.send(&Request::post(&format!("/images/create?fromImage={host}/app&tag=1"))).expect(200);
    registry.faults().token_user = Some(("u".into(), "p".into()));
    for login in
        [json!({"username": "u", "password": "p"}), json!({"identitytoken": REFRESH}), json!({"registrytoken": TOKEN})]
    {
        let addressed = |server: &str| {
            let mut auth = login.clone();
            auth["serveraddress"] = json!(server);
            auth
        };
        let another = ["https://index.docker.io/v1/", "other.example:5000", "127.0.0.1", "no host"];
        for server in another {
            registry.forget();
            for request in requests(&host, &addressed(server)) {
                let answer = client.send(&request);
                assert!(answer.status >= 400 || answer.text().contains("errorDetail"), "{server}: {request:?}");
            }
            assert!(registry.seen().len() >= 4, "{server}: {:?}", registry.seen());
            assert!(!registry.was_told_a_secret() && registry.count("POST", "/token") == 0, "{:?}", registry.seen());
        }
        for server in [String::new(), host.clone(), format!("http://{host}"), format!("https://{host}/v2/")] {
            for request in requests(&host, &addressed(&server)) {
                let answer = client.send(&request).expect(200);
                assert!(!answer.text().contains("errorDetail"), "{server}: {request:?}: {}", answer.text());
            }
        }
    }
    // Whoever logs in says with the same field which registry to ask.
    let login = json!({"username": "u", "password": "p", "serveraddress": format!("http://{host}/v2/")});
    client.post("/auth", "application/json", login.to_string()).expect(200);
}
