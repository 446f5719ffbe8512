use super::*;
use crate::domain::Digest;

#[test]
fn a_name_is_a_repository_with_a_tag_or_absent() {
    let read = |query: &str| {
        let name = name(&Query::parse(query)).map_err(|e| e.public().to_owned());
        name.map(|name| name.map(|name| name.reference().familiar()))
    };
    assert_eq!(read("repo=team/app&tag=1").unwrap().unwrap(), "team/app:1");
    assert_eq!(read("repo=team/app").unwrap().unwrap(), "team/app:latest");
    assert_eq!(read("repo=team/app:2").unwrap().unwrap(), "team/app:2");
    assert_eq!(read("tag=1").unwrap(), None);
    assert_eq!(read("repo=team/app&tag=-").unwrap_err(), "invalid tag format");
    assert!(read("repo=team/APP").unwrap_err().contains("must be lowercase"));
    let digest = Digest::of(b"");
    assert_eq!(read(&format!("repo=team/app@{digest}")).unwrap_err(), "cannot import digest reference");
}

#[test]
fn events_become_dockers_lines() {
    let text = |event| String::from_utf8(line(event).to_vec()).unwrap();
    assert_eq!(text(ImportEvent::From("http://h/x".into())), "{\"status\":\"Downloading from http://h/x\"}\r\n");
    assert_eq!(
        text(ImportEvent::Progress { current: 1, total: Some(2) }),
        "{\"status\":\"Importing\",\"progressDetail\":{\"current\":1,\"total\":2}}\r\n"
    );
    let digest = Digest::of(b"");
    assert_eq!(text(ImportEvent::Done(digest.clone())), format!("{{\"status\":\"{digest}\"}}\r\n"));
    assert!(text(ImportEvent::Failed(Error::invalid("no"))).contains("\"error\":\"no\""));
}
