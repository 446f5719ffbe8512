use super::*;
use crate::domain::{Descriptor, Digest, Error, MediaType};

#[test]
fn events_become_dockers_lines() {
    let text = |event| String::from_utf8(line(event).to_vec()).unwrap();
    let digest = Digest::of(b"");
    let blob = |state| text(PushEvent::Blob { digest: digest.clone(), state });
    assert_eq!(
        text(PushEvent::Repository("docker.io/library/nope".into())),
        "{\"status\":\"The push refers to repository [docker.io/library/nope]\"}\r\n"
    );
    assert_eq!(
        blob(UploadState::Mounted("team/app".into())),
        "{\"status\":\"Mounted from team/app\",\"progressDetail\":{},\"id\":\"e3b0c44298fc\"}\r\n"
    );
    assert_eq!(
        blob(UploadState::Pushing { current: 1, total: 2 }),
        "{\"status\":\"Pushing\",\"progressDetail\":{\"current\":1,\"total\":2},\"id\":\"e3b0c44298fc\"}\r\n"
    );
    assert_eq!(
        text(PushEvent::Done { tag: Some("1".into()), digest: digest.clone(), size: 3 }),
        format!("{{\"status\":\"1: digest: {digest} size: 3\"}}\r\n")
    );
    assert_eq!(text(PushEvent::Done { tag: None, digest: digest.clone(), size: 3 }), "");
    let image = Descriptor::new(MediaType::OCI_MANIFEST, digest.clone(), 3);
    let json = serde_json::to_string(&image.json()).unwrap();
    assert_eq!(
        text(PushEvent::Missing(image)),
        format!("{{\"progressDetail\":{{}},\"aux\":{{\"contentMissing\":true,\"desc\":{json}}}}}\r\n")
    );
    assert_eq!(
        text(PushEvent::Failed(Error::invalid("no"))),
        "{\"errorDetail\":{\"message\":\"no\"},\"error\":\"no\"}\r\n"
    );
}
