use super::*;
use crate::domain::Digest;

#[test]
fn the_tag_goes_before_that_of_the_name() {
    let digest = Digest::of(b"x");
    let text = |name: &str, tag: &str| reference(name, tag).map(|reference| reference.to_string());
    assert_eq!(text("app", "").unwrap(), "docker.io/library/app");
    assert_eq!(text("app:", "").unwrap(), "docker.io/library/app");
    assert_eq!(text("app", "1").unwrap(), "docker.io/library/app:1");
    assert_eq!(text("app:0", "1").unwrap(), "docker.io/library/app:1");
    assert_eq!(text("app:0", "").unwrap(), "docker.io/library/app:0");
    assert_eq!(text("app:0", &digest.to_string()).unwrap(), format!("docker.io/library/app@{digest}"));
    let pinned = format!("app@{digest}");
    assert_eq!(text(&pinned, "1").unwrap(), format!("docker.io/library/app:1@{digest}"));
    assert_eq!(text(&pinned, &digest.to_string()).unwrap(), format!("docker.io/library/app@{digest}"));
    assert!(text(&pinned, &Digest::of(b"y").to_string()).unwrap_err().public().contains("the name is of"));
    assert_eq!(text("a", "no such tag").unwrap_err().public(), "invalid tag format");
    assert_eq!(text("scratch", "x").unwrap_err().kind(), Kind::PermissionDenied);
    assert!(text("BAD", "x").unwrap_err().public().contains("must be lowercase"));
}

#[test]
fn what_a_registry_hides_is_not_found_but_a_denial_is_one() {
    let answered = |error: Error| {
        let response = axum::response::IntoResponse::into_response(Failure::pull(error));
        response.status()
    };
    assert_eq!(answered(Error::new(Kind::PermissionDenied, "no")), StatusCode::NOT_FOUND);
    assert_eq!(answered(Error::new(Kind::Unauthenticated, "no")), StatusCode::NOT_FOUND);
    assert_eq!(answered(Error::new(Kind::Unavailable, "no")), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answered(Error::denied("app:1", "signed", "no signature")), StatusCode::FORBIDDEN);
}

#[test]
fn events_become_dockers_lines() {
    let text = |event| String::from_utf8(line(event).to_vec()).unwrap();
    let digest = Digest::of(b"");
    let blob = |state| text(PullEvent::Blob { digest: digest.clone(), state });
    assert_eq!(
        text(PullEvent::From { path: "team/app".into(), tag: "1.0".into() }),
        "{\"status\":\"Pulling from team/app\",\"id\":\"1.0\"}\r\n"
    );
    assert_eq!(
        blob(BlobState::Waiting),
        "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"e3b0c44298fc\"}\r\n"
    );
    assert_eq!(
        blob(BlobState::Downloading { current: 1, total: 2 }),
        "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":1,\"total\":2},\"id\":\"e3b0c44298fc\"}\r\n"
    );
    assert_eq!(
        blob(BlobState::Complete),
        "{\"status\":\"Pull complete\",\"progressDetail\":{\"hidecounts\":true},\"id\":\"e3b0c44298fc\"}\r\n"
    );
    assert_eq!(
        text(PullEvent::Done { name: "a:1".into(), newer: false }),
        "{\"status\":\"Status: Image is up to date for a:1\"}\r\n"
    );
    assert_eq!(
        text(PullEvent::Failed(Error::invalid("no"))),
        "{\"errorDetail\":{\"message\":\"no\"},\"error\":\"no\"}\r\n"
    );
}
