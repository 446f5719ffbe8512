use super::*;

#[test]
fn truth_is_what_docker_takes_for_it() {
    for (value, expected) in [
        ("1", true),
        ("true", true),
        ("True", true),
        ("yes", true),
        ("x", true),
        ("2", true),
        ("", false),
        ("0", false),
        ("no", false),
        ("NO", false),
        ("false", false),
        ("False", false),
        ("none", false),
        ("+none+", false),
    ] {
        assert_eq!(Query::parse(&format!("flag={value}")).flag("flag"), expected, "{value:?}");
    }
    assert!(!Query::parse("").flag("flag"));
    assert!(Query::parse("flag=1&flag=0").flag("flag"));
}

#[test]
fn parameters_repeat_and_hostile_escapes_do_no_harm() {
    let query = Query::parse("type=a&x=%zz&type=b%20c&type&=&%FF=%00");
    assert_eq!(query.all("type").collect::<Vec<_>>(), ["a", "b c", ""]);
    assert_eq!(query.text("x"), "%zz");
    assert_eq!(query.get("absent"), None);
}
