use super::*;
use crate::domain::error::Kind;

const HEX: &str = "1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a";

fn parse(text: &str) -> Reference {
    Reference::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn refusal(text: &str) -> String {
    let error = Reference::parse(text).expect_err(text);
    assert_eq!(error.kind(), Kind::InvalidArgument);
    error.public().to_owned()
}

#[test]
fn familiar_names_are_expanded_and_shortened_again() {
    // input, domain, path, familiar name
    let table = [
        ("app", "docker.io", "library/app", "app"),
        ("app:1.0", "docker.io", "library/app", "app"),
        ("library/app", "docker.io", "library/app", "app"),
        ("docker.io/app", "docker.io", "library/app", "app"),
        ("docker.io/library/app", "docker.io", "library/app", "app"),
        ("index.docker.io/app", "docker.io", "library/app", "app"),
        ("index.docker.io/team/app", "docker.io", "team/app", "team/app"),
        ("docker.io/library/foo/bar", "docker.io", "library/foo/bar", "library/foo/bar"),
        ("library", "docker.io", "library/library", "library"),
        ("docker.io/library", "docker.io", "library/library", "library"),
        ("team/app", "docker.io", "team/app", "team/app"),
        ("docker/docker.io/app", "docker.io", "docker/docker.io/app", "docker/docker.io/app"),
        ("registry.example/team/app", "registry.example", "team/app", "registry.example/team/app"),
        ("registry.example/app", "registry.example", "app", "registry.example/app"),
        ("127.0.0.1:5000/docker/docker", "127.0.0.1:5000", "docker/docker", "127.0.0.1:5000/docker/docker"),
        ("127.0.0.1:5000/app:5", "127.0.0.1:5000", "app", "127.0.0.1:5000/app"),
        ("registry:5000/app", "registry:5000", "app", "registry:5000/app"),
        ("localhost/app", "localhost", "app", "localhost/app"),
        ("localhost:80/app", "localhost:80", "app", "localhost:80/app"),
        ("localhost", "docker.io", "library/localhost", "localhost"),
        ("example.com", "docker.io", "library/example.com", "example.com"),
        ("[::1]:5000/app", "[::1]:5000", "app", "[::1]:5000/app"),
        ("[2001:db8::1]/team/app", "[2001:db8::1]", "team/app", "[2001:db8::1]/team/app"),
        ("Foo/bar", "Foo", "bar", "Foo/bar"),
        ("Registry.Example/bar", "Registry.Example", "bar", "Registry.Example/bar"),
        ("xn--7o8h.com/myimage", "xn--7o8h.com", "myimage", "xn--7o8h.com/myimage"),
        ("a-a/a-a", "docker.io", "a-a/a-a", "a-a/a-a"),
        ("asd--asdf", "docker.io", "library/asd--asdf", "asd--asdf"),
        ("a__b.c-d", "docker.io", "library/a__b.c-d", "a__b.c-d"),
        ("sub-dom1.foo.com/bar", "sub-dom1.foo.com", "bar", "sub-dom1.foo.com/bar"),
    ];
    for (input, domain, path, familiar) in table {
        let reference = parse(input);
        assert_eq!((reference.domain(), reference.path()), (domain, path), "{input}");
        assert_eq!(reference.familiar_name(), familiar, "{input}");
        assert_eq!(reference.repository(), format!("{domain}/{path}"));
        assert_eq!(parse(&reference.to_string()), reference, "the normalised form reads as itself");
        assert_eq!(parse(&reference.familiar()), reference, "the familiar form reads as itself");
    }
}

#[test]
fn tags_and_digests_are_kept_as_given() {
    let digest = format!("sha256:{HEX}");
    let plain = parse("app");
    assert_eq!((plain.tag(), plain.digest()), (None, None));
    assert_eq!(plain.clone().with_default_tag().to_string(), "docker.io/library/app:latest");

    let both = parse(&format!("registry.example:5000/team/app:1.0@{digest}"));
    assert_eq!(both.tag(), Some("1.0"));
    assert_eq!(both.digest().unwrap().to_string(), digest);
    assert_eq!(both.familiar(), format!("registry.example:5000/team/app:1.0@{digest}"));
    assert_eq!(both.without_digest().to_string(), "registry.example:5000/team/app:1.0");
    assert_eq!(both.trimmed().to_string(), "registry.example:5000/team/app");
    assert!(both.same_repository(&both.trimmed()));

    let digested = parse(&format!("app@{digest}")).with_default_tag();
    assert_eq!(digested.tag(), None, "a digest needs no tag");
    assert_eq!(plain.with_digest(Digest::of(b"")).with_tag("x").unwrap().digest(), Some(&Digest::of(b"")));

    let long = Digest::compute(Algorithm::Sha512, b"");
    assert_eq!(parse(&format!("app@{long}")).digest(), Some(&long));
    assert_eq!(parse("app:Upper_case.1-2").tag(), Some("Upper_case.1-2"));
}

#[test]
fn what_the_grammar_does_not_have_is_refused() {
    for text in [
        "",
        " ",
        "a b",
        "/",
        "a/",
        "/a",
        "a//b",
        ":tag",
        "@",
        "a:",
        "a@",
        "a:b:c",
        "a/b:",
        "-app",
        "app-",
        "a..b",
        "a._b",
        "a___b",
        "a_-b",
        "_app",
        ".app",
        "app\n",
        "a/b:é",
        "é",
        "a:-x",
        "a:.x",
        "registry:port/app",
        "https://docker.com/x",
        "docker.io/docker/",
        "[::1/app",
        "[::1]5000/app",
        "[::1%25eth0]/app",
        "[]:5000/app",
        "-a.com/x",
        "a-.com/x",
        "a..com/x",
        "my_host.example/app",
        "a@sha256:",
        "a@sha256:ffff",
        "a@:ffff",
        "app:1a/2",
        "aa/asdf$$^/aa",
        "a$b",
        "ab/../cd",
    ] {
        assert_eq!(refusal(text), "invalid reference format", "{text:?}");
    }
    assert_eq!(refusal(&format!("a:{}", "x".repeat(129))), "invalid reference format");
    assert!(Reference::parse(&format!("a:{}", "x".repeat(128))).is_ok());
}

#[test]
fn refusals_with_words_of_their_own() {
    assert_eq!(refusal("NOPE"), "invalid reference format: repository name (library/NOPE) must be lowercase");
    assert_eq!(refusal("a/B:x"), "invalid reference format: repository name (a/B) must be lowercase");
    assert_eq!(refusal("Foo/Bar"), "invalid reference format: repository name (Bar) must be lowercase");
    assert_eq!(refusal(HEX), format!("invalid repository name ({HEX}), cannot specify 64-byte hexadecimal strings"));
    assert!(Reference::parse(&format!("docker.io/{HEX}")).is_ok());
    assert!(Reference::parse(&HEX[1..]).is_ok());
    assert_eq!(
        refusal(&format!("registry.example/{}", "a".repeat(256))),
        "repository name must not be more than 255 characters"
    );
    assert!(Reference::parse(&format!("registry.example/{}", "a".repeat(255))).is_ok());
    assert_eq!(refusal(&format!("a@sha256:{}", HEX.to_uppercase())), "invalid checksum digest format");
    assert_eq!(refusal(&format!("a@sha256:{}", &HEX[..40])), "invalid checksum digest length");
    assert_eq!(refusal(&format!("a@md5:{}", &HEX[..32])), "unsupported digest algorithm");
    assert_eq!(parse("a").with_tag("-x").unwrap_err().public(), "invalid tag format");
    assert_eq!(parse("a").with_tag("").unwrap_err().public(), "invalid tag format");
}

#[test]
fn the_order_is_that_of_the_text() {
    let digest = format!("a@sha256:{HEX}");
    let mut references: Vec<_> = ["a:1", "a-b:1", "a", "a.b", "a/b", "b.io/a:2", &digest].map(parse).into();
    references.sort();
    let texts: Vec<_> = references.iter().map(ToString::to_string).collect();
    assert!(texts.is_sorted(), "{texts:?}");
}
