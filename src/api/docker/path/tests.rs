use super::*;

const TEMPLATES: [(Method, &str); 12] = [
    (Method::GET, "/images/json"),
    (Method::GET, "/images/{name}/json"),
    (Method::GET, "/images/{name}/history"),
    (Method::GET, "/images/get"),
    (Method::POST, "/images/{name}/push"),
    (Method::POST, "/images/load"),
    (Method::DELETE, "/images/{name}"),
    (Method::GET, "/content/{digest}"),
    (Method::GET, "/containers/{name}/json"),
    (Method::DELETE, "/containers/{name}"),
    (Method::DELETE, "/containers/{name}/checkpoints/{checkpoint}"),
    (Method::GET, "/nodes/{id}"),
];

fn path(method: Method, path: &str) -> String {
    target(&TEMPLATES, &method, path).unwrap().path.unwrap_or_default()
}

#[test]
fn slashes_inside_a_name_are_written_as_escapes() {
    for (method, given, expected) in [
        (Method::GET, "/images/json", "/images/json"),
        (Method::GET, "/images/app/json", "/images/app/json"),
        (
            Method::GET,
            "/images/registry.example:5000/team/app:1.0/json",
            "/images/registry.example:5000%2Fteam%2Fapp:1.0/json",
        ),
        (Method::GET, "/images/a/b@sha256:00/history", "/images/a%2Fb@sha256:00/history"),
        (Method::GET, "/images/a%2Fb/json", "/images/a%2Fb/json"),
        (Method::GET, "/images/a/json/json", "/images/a%2Fjson/json"),
        (Method::GET, "/images/json/json", "/images/json/json"),
        (Method::GET, "/images/a/push", "/images/a/push"),
        (Method::POST, "/images/a/b/push", "/images/a%2Fb/push"),
        (Method::POST, "/images/load", "/images/load"),
        (Method::DELETE, "/images/a/json", "/images/a%2Fjson"),
        (Method::DELETE, "/images/json", "/images/%6A%73%6F%6E"),
        (Method::GET, "/content/sha256:00", "/content/sha256:00"),
        (Method::GET, "/nope/a/b", "/nope/a/b"),
        (Method::GET, "/images/../../etc/passwd/json", "/images/..%2F..%2Fetc%2Fpasswd/json"),
        (Method::GET, "/images/%2e%2e/json", "/images/../json"),
        (Method::GET, "/images//json", ""),
        (Method::GET, "/images//a//json", "/images/%2Fa%2F/json"),
        (Method::GET, "/images/%20/json", "/images/%20/json"),
        (Method::GET, "/images/a%3Fb%23c/json", "/images/a%3Fb%23c/json"),
        (Method::GET, "/images/%C3%A9/json", "/images/%C3%A9/json"),
        (Method::GET, "/", "/"),
        (Method::GET, "/containers/a/b/json", "/containers/a%2Fb/json"),
        (Method::GET, "/containers/a%2Fb/json", "/containers/a%2Fb/json"),
        (Method::DELETE, "/containers/a/b", "/containers/a%2Fb"),
        (Method::DELETE, "/containers/a/b/checkpoints/c", "/containers/a%2Fb/checkpoints/c"),
        (Method::DELETE, "/containers/a/checkpoints/", "/containers/a%2Fcheckpoints%2F"),
        (Method::GET, "/nodes/a/b", "/nodes/a/b"),
    ] {
        assert_eq!(path(method.clone(), given), expected, "{method} {given}");
    }
}

#[test]
fn hostile_paths_are_refused() {
    for given in
        ["/images/%/json", "/images/%zz/json", "/images/%0/json", "/images/%FF/json", "/images/a%00b/json", "/%0A"]
    {
        assert!(target(&TEMPLATES, &Method::GET, given).is_err(), "{given}");
    }
}

#[test]
fn the_version_is_taken_off() {
    let split = |path| {
        let target = target(&TEMPLATES, &Method::GET, path).unwrap();
        (target.version, target.path.unwrap())
    };
    assert_eq!(split("/v1.55/images/a/b/json"), (Some("1.55"), "/images/a%2Fb/json".to_owned()));
    assert_eq!(split("/v1.55.1/images/json"), (Some("1.55.1"), "/images/json".to_owned()));
    assert_eq!(split("/vabc/images/json"), (None, "/vabc/images/json".to_owned()));
    assert_eq!(split("/v/images/json"), (None, "/v/images/json".to_owned()));
    assert_eq!(split("/v1.55"), (None, "/v1.55".to_owned()));
    assert_eq!(split("/version"), (None, "/version".to_owned()));
}

#[test]
fn only_served_versions_are_negotiated() {
    for (given, expected) in
        [("1.24", 24), (NEWEST_TEXT, NEWEST), ("1.55.1", 55), ("1.22", 24), ("1.23", 24), ("1.040", 40)]
    {
        assert_eq!(negotiate(Some(given)).unwrap(), expected, "{given}");
    }
    assert_eq!(negotiate(None).unwrap(), NEWEST);
    let refused = |version| negotiate(Some(version)).unwrap_err().to_string();
    let next = format!("1.{}", NEWEST + 1);
    for version in ["1.999", &next, "2", "1.99999999999999999999999", "99999999999999999999"] {
        assert_eq!(
            refused(version),
            format!("client version {version} is too new. Maximum supported API version is {NEWEST_TEXT}")
        );
    }
    for version in ["1.10", "1.21", "1", "0.9", ".", "1.", "..55"] {
        assert_eq!(
            refused(version),
            format!(
                "client version {version} is too old. Minimum supported API version is 1.24, \
                 please upgrade your client to a newer version"
            )
        );
    }
}
