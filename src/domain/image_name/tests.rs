use super::*;
use crate::domain::error::Kind;

const HEX: &str = "1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a";

fn parse(text: &str) -> Reference {
    Reference::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn an_image_is_named_by_reference_by_digest_or_by_the_start_of_one() {
    let digest: Digest = format!("sha256:{HEX}").parse().unwrap();
    let name = |text: &str| ImageName::parse(text).unwrap();
    assert_eq!(name(HEX).digest(), Some(&digest));
    assert_eq!(name(&format!("sha256:{HEX}")).digest(), Some(&digest));
    assert_eq!(name("app").meaning, Meaning::Name(parse("app:latest")));
    assert_eq!(name("abc").meaning, Meaning::Name(parse("abc:latest")), "three characters are too few");
    assert_eq!(name("team/1a3f").meaning, Meaning::Name(parse("team/1a3f:latest")));
    assert_eq!(name(&format!("app@{digest}")).meaning, Meaning::Name(parse(&format!("app@{digest}"))));

    let bare = name("1a3f5");
    assert_eq!(bare.reference(), Some(&parse("1a3f5:latest")));
    assert!(bare.is_prefix_of(&digest));
    assert!(!name("1a3f6").is_prefix_of(&digest));
    assert!(!name("app").is_prefix_of(&digest));
    let with_algorithm = name("sha256:1a3f5");
    assert!(with_algorithm.is_prefix_of(&digest));
    assert!(
        matches!(&with_algorithm.meaning, Meaning::IdPrefix { algorithm: Some(Algorithm::Sha256), hex, .. } if hex == "1a3f5")
    );
    let long = Digest::compute(Algorithm::Sha512, b"");
    assert!(name(&long.to_string()[..100]).is_prefix_of(&long));
    assert!(!name(&format!("sha256:{}", &long.hex()[..20])).is_prefix_of(&long));

    assert!(matches!(name("1A3F5".to_lowercase().as_str()).meaning, Meaning::IdPrefix { .. }));
    assert!(ImageName::parse("1A3F5").is_err());
}

#[test]
fn an_absent_image_is_named_in_its_familiar_form() {
    let digest = format!("sha256:{HEX}");
    for (text, shown) in [
        ("nope", "nope:latest"),
        ("nope:v9", "nope:v9"),
        ("docker.io/library/nope", "nope:latest"),
        (&format!("nope@{digest}"), &format!("nope@{digest}")),
        (&digest, &digest),
        (HEX, &digest),
        ("1a3f5e", "1a3f5e:latest"),
        ("sha256:1a3f5e", "sha256:1a3f5e"),
    ] {
        let error = ImageName::parse(text).unwrap().not_found();
        assert_eq!((error.kind(), error.detail()), (Kind::NotFound, &Detail::NoSuchImage { image: shown.to_owned() }));
    }
}

#[test]
fn what_was_written_is_kept_for_messages() {
    assert_eq!(ImageName::parse("docker.io/library/app").unwrap().text(), "docker.io/library/app");
    for blank in ["", " ", "\t"] {
        assert_eq!(ImageName::parse(blank).unwrap_err().public(), "image name cannot be blank");
    }
}

#[test]
fn a_facade_may_decide_itself_what_a_text_is() {
    let digest = Digest::of(b"");
    let (named, by_id) = (ImageName::from(parse("1a3f5")), ImageName::from(digest.clone()));
    assert_eq!((named.text(), named.may_be_id()), ("1a3f5:latest", false));
    assert_eq!((by_id.digest(), by_id.reference()), (Some(&digest), None));
}
