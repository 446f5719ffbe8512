use super::*;

#[test]
fn limits_are_one_to_a_hundred() {
    assert_eq!((limit("").unwrap(), limit("0").unwrap(), limit("1").unwrap(), limit("100").unwrap()), (25, 25, 1, 100));
    for (text, why) in [
        ("-1", "invalid limit specified"),
        ("x", "invalid limit specified"),
        ("101", "limit 101 is outside the range of [1, 100]"),
        ("99999999999", "limit 99999999999 is outside the range of [1, 100]"),
    ] {
        assert_eq!(limit(text).unwrap_err().public(), why);
    }
}

#[test]
fn filters_are_dockers() {
    let read = |filters: &str| Wanted::read(&Query::parse(&format!("filters={filters}")));
    assert_eq!(read("").unwrap(), Some(Wanted { official: None, stars: None }));
    let wanted = read(r#"{"is-official":["true"],"stars":["3","10"],"is-automated":["false"]}"#).unwrap();
    assert_eq!(wanted, Some(Wanted { official: Some(true), stars: Some(10) }));
    assert_eq!(read(r#"{"is-automated":["true"]}"#).unwrap(), None);
    for (filters, why) in [
        (r#"{"colour":["red"]}"#, "invalid filter 'colour'"),
        (r#"{"stars":["many"]}"#, "invalid filter 'stars=many'"),
        (r#"{"is-official":["maybe"]}"#, "invalid filter 'is-official=[maybe]'"),
    ] {
        assert_eq!(read(filters).unwrap_err().public(), why);
    }
}
