use super::*;
use crate::domain::{Kind, StringMap};

fn filters(text: &str) -> Filters {
    Filters::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn labels(pairs: &[(&str, &str)]) -> StringMap {
    pairs.iter().copied().collect()
}

#[test]
fn both_forms_say_the_same() {
    let new = filters(r#"{"label":["b","a=b","b"],"dangling":["true"]}"#);
    assert_eq!(new, filters(r#"{"label":{"b":true,"a=b":true},"dangling":{"true":true}}"#));
    assert_eq!(new.values("label").collect::<Vec<_>>(), ["b", "a=b"], "in the client's order, once each");
    assert!(new.contains("label") && !new.contains("until"));
    assert_eq!(new.values("until").count(), 0);

    for text in ["", "{}", "null", " {} "] {
        assert_eq!(filters(text), Filters::default(), "{text:?}");
    }
    for text in [r#"{"label":null}"#, r#"{"label":[]}"#, r#"{"label":{}}"#] {
        assert!(filters(text).contains("label") && filters(text).values("label").count() == 0);
    }
    let twice = filters(r#"{"label":["a"],"label":["b"]}"#);
    assert_eq!(twice.values("label").collect::<Vec<_>>(), ["b"]);
}

#[test]
fn anything_else_is_an_invalid_filter() {
    for text in [
        "{not-json",
        "[1]",
        "1",
        "\"label\"",
        "{",
        " ",
        r#"{"label":"a"}"#,
        r#"{"label":[1]}"#,
        r#"{"label":{"a":1}}"#,
        r#"{"label":["a"],"until":{"1h":true}}"#,
        r#"{"label":["a"]}x"#,
        r#"{"label":[["a"]]}"#,
        &"[".repeat(100_000),
        &format!("{{\"label\":{}", "[".repeat(100_000)),
    ] {
        let error = Filters::parse(text).expect_err(text);
        assert_eq!((error.kind(), error.public()), (Kind::InvalidArgument, "invalid filter"), "{text:.40}");
    }
}

#[test]
fn keys_are_bounded() {
    let keys: Vec<_> = (0..65).map(|n| format!("\"k{n}\":[]")).collect();
    assert!(Filters::parse(&format!("{{{}}}", keys.join(","))).is_err());
    assert!(Filters::parse(&format!("{{{}}}", keys[1..].join(","))).is_ok());
}

#[test]
fn unknown_keys_are_named() {
    let given = filters(r#"{"label":["a"],"colour":["red"]}"#);
    assert_eq!(given.only(&["label"]).unwrap_err().public(), "invalid filter 'colour'");
    assert!(given.only(&["label", "colour"]).is_ok());
    assert!(Filters::default().only(&[]).is_ok());
}

#[test]
fn a_boolean_is_said_once() {
    for (text, expected) in [
        ("{}", Ok(None)),
        (r#"{"dangling":["true"]}"#, Ok(Some(true))),
        (r#"{"dangling":["1","true"]}"#, Ok(Some(true))),
        (r#"{"dangling":["0"]}"#, Ok(Some(false))),
        (r#"{"dangling":{"false":true}}"#, Ok(Some(false))),
        (r#"{"dangling":["true","other"]}"#, Ok(Some(true))),
        (r#"{"dangling":[]}"#, Err("invalid filter 'dangling'")),
        (r#"{"dangling":["maybe"]}"#, Err("invalid filter 'dangling=[maybe]'")),
        (r#"{"dangling":["true","false"]}"#, Err("invalid filter 'dangling=[true false]'")),
        (r#"{"dangling":{"false":false}}"#, Err("invalid filter 'dangling=[false]'")),
        (r#"{"dangling":["True"]}"#, Err("invalid filter 'dangling=[True]'")),
    ] {
        let given = filters(text).boolean("dangling");
        assert_eq!(given.as_ref().copied().map_err(|error| error.public()), expected, "{text}");
    }
}

#[test]
fn labels_must_satisfy_every_value() {
    let have = labels(&[("origin", "legacy"), ("empty", "")]);
    for (text, key, expected) in [
        ("{}", "label", true),
        (r#"{"label":["origin"]}"#, "label", true),
        (r#"{"label":["origin=legacy"]}"#, "label", true),
        (r#"{"label":["origin=other"]}"#, "label", false),
        (r#"{"label":["origin="]}"#, "label", false),
        (r#"{"label":["empty="]}"#, "label", true),
        (r#"{"label":["origin","absent"]}"#, "label", false),
        (r#"{"label":["origin!=legacy"]}"#, "label", false),
        (r#"{"label":["origin!=other"]}"#, "label", true),
        (r#"{"label!":["origin"]}"#, "label!", false),
        (r#"{"label!":["origin=legacy"]}"#, "label!", false),
        (r#"{"label!":["origin=other"]}"#, "label!", true),
        (r#"{"label!":["absent=x"]}"#, "label!", true),
        (r#"{"label!":["absent","origin"]}"#, "label!", false),
        (r#"{"label!":["origin!=legacy"]}"#, "label!", true),
    ] {
        assert_eq!(filters(text).labels(key).all(|test| test.passes(&have)), expected, "{text}");
    }
    let none = StringMap::default();
    assert!(!filters(r#"{"label":["a"]}"#).labels("label").all(|test| test.passes(&none)));
    assert!(filters(r#"{"label!":["origin=legacy"]}"#).labels("label!").all(|test| test.passes(&none)));
}

#[test]
fn the_earliest_until_counts() {
    let now: Timestamp = "2026-08-01T00:00:00Z".parse().unwrap();
    assert_eq!(filters("{}").until(now).unwrap(), None);
    let until = filters(r#"{"until":["24h","2026-01-01"]}"#).until(now).unwrap();
    assert_eq!(until, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(
        filters(r#"{"until":["whenever"]}"#).until(now).unwrap_err().public(),
        "invalid value for 'until' filter: failed to parse value as time or duration: invalid seconds \"whenever\": \
         invalid syntax"
    );
}

#[test]
fn patterns_are_checked_before_anything_is_matched() {
    assert_eq!(filters("{}").patterns("reference").unwrap(), []);
    let patterns = filters(r#"{"reference":["legacy/*","app"]}"#).patterns("reference").unwrap();
    assert!(patterns.iter().any(|pattern| pattern.matches(&"app:1".parse().unwrap())));
    assert!(filters(r#"{"reference":["["]}"#).patterns("reference").is_err());
}
