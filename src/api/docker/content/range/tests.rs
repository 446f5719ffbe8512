use super::*;

#[test]
fn ranges_are_read_as_the_specification_says() {
    let part = |text: &str| Part::of(Some(&HeaderValue::from_str(text).unwrap()), 10);
    for (text, start, length) in [
        ("bytes=0-0", 0, 1),
        ("bytes=2-5", 2, 4),
        ("bytes=2-", 2, 8),
        ("bytes=9-", 9, 1),
        ("bytes=-3", 7, 3),
        ("bytes=-30", 0, 10),
        ("bytes=5-99999999999999999999999999", 5, 5),
        ("Bytes = 0-3", 0, 4),
    ] {
        assert_eq!(part(text), Part::Range { start, length }, "{text}");
    }
    for text in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999999-"] {
        assert_eq!(part(text), Part::Unsatisfiable, "{text}");
    }
    for text in ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=+1-2", "bytes=0-1,3-4", "lines=0-1"]
    {
        assert_eq!(part(text), Part::Whole, "{text}");
    }
    assert_eq!(Part::of(None, 10), Part::Whole);
}

#[test]
fn an_empty_blob_has_no_ranges() {
    for text in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
        assert_eq!(Part::of(Some(&HeaderValue::from_static(text)), 0), Part::Unsatisfiable, "{text}");
    }
}
