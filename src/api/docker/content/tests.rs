use super::*;

#[test]
fn a_client_that_has_the_blob_is_told_so() {
    let tag = entity_tag(&Digest::of(b"x")).unwrap();
    let known = |value: &str| {
        let headers = [(IF_NONE_MATCH, HeaderValue::from_str(value).unwrap())].into_iter().collect();
        is_known(&headers, &tag)
    };
    let own = tag.to_str().unwrap();
    assert!(known(own) && known("*") && known(&format!("W/{own}")) && known(&format!("\"other\", {own}")));
    assert!(!known("\"other\"") && !known("") && !known(own.trim_matches('"')));
}
