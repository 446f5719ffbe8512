use super::*;

#[test]
fn a_new_name_is_a_repository_with_a_tag() {
    let name = |query: &str| {
        let name = new_name(&Query::parse(query));
        name.map(|name| name.reference().familiar()).map_err(|e| e.public().to_owned())
    };
    assert_eq!(name("repo=copy/app&tag=2").unwrap(), "copy/app:2");
    assert_eq!(name("repo=copy/app").unwrap(), "copy/app:latest");
    assert_eq!(name("repo=copy/app:1").unwrap(), "copy/app:1");
    assert_eq!(name("repo=copy/app:1&tag=2").unwrap(), "copy/app:2");
    assert_eq!(name("repo=copy/app&tag=-x").unwrap_err(), "invalid tag format");
    assert!(name("tag=x").unwrap_err().starts_with("the parameter repo is missing"));
    let digest = crate::domain::Digest::of(b"");
    assert!(name(&format!("repo=copy/app@{digest}")).unwrap_err().contains("digest"));
}
