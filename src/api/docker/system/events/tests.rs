use super::*;
use crate::api::docker::versions::{NEWEST, shape};
use crate::domain::event::Action;

#[test]
fn the_client_chooses_the_framing_where_the_version_lets_it() {
    let framing = |accept: &str, minor: u8| {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        Framing::of(&shape(minor).events, &headers).content_type()
    };
    assert_eq!(framing("", NEWEST), "application/jsonl");
    assert_eq!(framing("*/*", 52), "application/jsonl");
    assert_eq!(framing("application/x-ndjson", NEWEST), "application/x-ndjson");
    assert_eq!(framing("application/jsonl;q=0.5, application/json-seq", NEWEST), "application/json-seq");
    assert_eq!(framing("application/json-seq;q=0", NEWEST), "application/jsonl");
    assert_eq!(framing("application/json-seq", 51), "application/json");
}

#[test]
fn old_versions_tell_some_things_twice() {
    let attributes = [("name", "app:1")].into_iter().collect();
    let at = Timestamp::new(7, 5).unwrap();
    let event = Event { action: Action::Untag, id: "sha256:1".to_owned(), attributes, at };
    let line = |repeated| String::from_utf8(Framing::Json.line(&event, repeated).to_vec()).unwrap();
    let common = r#"{"Type":"image","Action":"untag","Actor":{"ID":"sha256:1","Attributes":{"name":"app:1"}},"scope":"local","time":7,"timeNano":7000000005"#;
    assert_eq!(line(false), format!("{common}}}\n"));
    assert_eq!(line(true), format!("{common},\"status\":\"untag\",\"id\":\"sha256:1\"}}\n"));
    assert_eq!(Framing::JsonSequence.line(&event, false)[0], 0x1e);
}

#[test]
fn times_are_unix_seconds_in_order() {
    let refusal = |query: &str| asked(&Query::parse(query)).unwrap_err().public().to_owned();
    assert_eq!(refusal("since=20&until=10"), "`since` time (20) cannot be after `until` time (10)");
    assert_eq!(
        refusal("since=10m"),
        "invalid value for 'since': invalid timestamp \"10m\": invalid seconds \"10m\": invalid syntax"
    );
    assert!(refusal("until=x").starts_with("invalid value for 'until': "));
    let query = asked(&Query::parse("since=10.5&until=20")).unwrap();
    assert_eq!((query.since, query.until), (Timestamp::new(10, 500_000_000).ok(), Timestamp::new(20, 0).ok()));
}
