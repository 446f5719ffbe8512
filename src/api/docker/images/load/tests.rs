use super::*;
use crate::api::docker::versions::{NEWEST, shape};
use crate::domain::Digest;

#[test]
fn events_become_dockers_lines() {
    let text = |event| String::from_utf8(line(event).to_vec()).unwrap();
    assert_eq!(text(LoadEvent::Named("a/b:1".into())), "{\"stream\":\"Loaded image: a/b:1\\n\"}\r\n");
    let digest = Digest::of(b"");
    assert_eq!(
        text(LoadEvent::Untagged(digest.clone())),
        format!("{{\"stream\":\"Loaded image ID: {digest}\\n\"}}\r\n")
    );
    assert_eq!(
        text(LoadEvent::Failed(Error::invalid("unexpected \"end\""))),
        "{\"errorDetail\":{\"message\":\"unexpected \\\"end\\\"\"},\"error\":\"unexpected \\\"end\\\"\"}\r\n"
    );
}

#[test]
fn several_platforms_need_a_version_that_has_them() {
    let query = Query::parse(
        "platform={\"os\":\"linux\",\"architecture\":\"amd64\"}&platform={\"os\":\"linux\",\"architecture\":\"arm64\"}",
    );
    assert_eq!(platforms(&query, &shape(NEWEST).load).unwrap().len(), 2);
    assert!(platforms(&query, &shape(51).load).unwrap_err().public().contains("1.52"));
    assert!(platforms(&Query::parse("platform=linux/arm64"), &shape(NEWEST).load).is_err());
}
