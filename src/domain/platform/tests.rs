use super::*;
use crate::domain::error::Kind;

/// A platform from `os/arch/variant`, as it stands.
fn raw(text: &str) -> Platform {
    let mut parts = text.split('/');
    let mut next = || parts.next().unwrap_or_default().to_owned();
    Platform::new(next(), next()).with_variant(next())
}

fn specifier(text: &str) -> Platform {
    Platform::parse_specifier(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn spellings_become_one() {
    for (given, canonical) in [
        ("linux/x86_64", "linux/amd64"),
        ("Linux/X86-64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/i386", "linux/386"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("macos/arm64", "darwin/arm64"),
        ("linux/riscv64", "linux/riscv64"),
    ] {
        assert_eq!(raw(given).normalized(), raw(canonical), "{given}");
    }
    let features = Platform { os_features: ["b", "a", "b"].map(str::to_owned).into(), ..raw("windows/amd64") };
    assert_eq!(features.normalized().os_features, ["a", "b"]);
}

#[test]
fn specifiers_say_what_is_wanted() {
    let host = Platform::of_cpu();
    for (given, expected) in [
        ("linux/amd64", raw("linux/amd64")),
        ("linux/arm", raw("linux/arm")),
        ("linux/arm/v7", raw("linux/arm/v7")),
        ("linux/arm/7", raw("linux/arm/v7")),
        ("linux/armhf", raw("linux/arm")),
        ("linux/armel", raw("linux/arm/v6")),
        ("linux/arm64", raw("linux/arm64")),
        ("linux/aarch64/v8", raw("linux/arm64/v8")),
        ("LINUX/x86_64/v3", raw("linux/amd64/v3")),
        ("macOS/arm64", raw("darwin/arm64")),
        ("os/machine", raw("os/machine")),
        ("arm64", Platform::new(host::OS, "arm64")),
        ("x86_64", Platform::new(host::OS, "amd64")),
        ("freebsd", Platform::new("freebsd", host.architecture)),
    ] {
        assert_eq!(specifier(given), expected, "{given}");
    }
    let windows = specifier("windows(10.0.17763+win32k+a%2Bb)/amd64");
    assert_eq!(windows.os_version.as_deref(), Some("10.0.17763"));
    assert_eq!(windows.os_features, ["win32k", "a+b"]);
    assert_eq!(windows.to_string(), "windows(10.0.17763+a%2Bb+win32k)/amd64");
    assert_eq!(specifier("windows(10.0.17763)/amd64").os_features, Vec::<String>::new());
}

#[test]
fn bad_specifiers_are_refused() {
    let refusal = |text: &str| {
        let error = Platform::parse_specifier(text).expect_err(text);
        assert_eq!(error.kind(), Kind::InvalidArgument);
        error.public().to_owned()
    };
    assert_eq!(refusal("foobar/baz/qux/x"), "\"foobar/baz/qux/x\": cannot parse platform specifier: invalid argument");
    assert_eq!(refusal("linux/*"), "\"linux/*\": wildcards not yet supported: invalid argument");
    assert_eq!(refusal("nonsense"), "\"nonsense\": unknown operating system or architecture: invalid argument");
    for text in [
        "",
        "/",
        "linux/",
        "/amd64",
        "linux//v7",
        "linux/amd64/",
        "linux/&arm",
        "linux/arm/foo/bar",
        "li nux/amd64",
        "windows(10/amd64",
        "windows10)/amd64",
        "windows()x/amd64",
        "windows(1%zz)/amd64",
        "windows(%ff)/amd64",
        "é/amd64",
    ] {
        assert!(refusal(text).ends_with(": invalid argument"), "{text:?}");
    }
}

#[test]
fn the_text_is_containerds() {
    for text in ["linux/amd64", "linux/arm/v7", "linux/riscv64", "linux"] {
        assert_eq!(raw(text).to_string(), text);
    }
    assert_eq!(Platform::default().to_string(), "unknown");
    assert_eq!(raw("/amd64").to_string(), "unknown");
}

#[test]
fn the_json_form_of_the_query() {
    let refusal = |text: &str| Platform::parse_json(text).expect_err(text).public().to_owned();
    assert_eq!(
        Platform::parse_json(r#" {"os":"linux","architecture":"arm","variant":"v7","colour":[1]} "#).unwrap(),
        raw("linux/arm/v7")
    );
    assert_eq!(Platform::parse_json(r#"{"OS":"linux","Architecture":"arm64"}"#).unwrap(), raw("linux/arm64"));
    assert_eq!(
        refusal("linux/arm64"),
        "failed to parse platform: invalid character 'l' looking for beginning of value"
    );
    assert_eq!(refusal("amd64"), "failed to parse platform: invalid character 'a' looking for beginning of value");
    assert_eq!(refusal("'"), r"failed to parse platform: invalid character '\'' looking for beginning of value");
    assert_eq!(refusal(" "), "failed to parse platform: unexpected end of JSON input");
    assert_eq!(refusal("{}"), "both OS and Architecture must be provided");
    assert_eq!(refusal("null"), "both OS and Architecture must be provided");
    assert_eq!(refusal(r#"{"os":"linux"}"#), "both OS and Architecture must be provided");
    assert_eq!(
        refusal(r#"{"variant":"v7"}"#),
        "optional platform fields provided, but OS and Architecture are missing"
    );
    for text in [
        "[]",
        "1",
        "true",
        "\"linux\"",
        "{",
        r#"{"os":1}"#,
        r#"{"os":"linux","architecture":"a"}x"#,
        "lol",
        r#"{"os":"l","architecture":"a","os.features":"x"}"#,
        r#"{"os":"l","architecture":"a","os.features":[1]}"#,
        &"[".repeat(100_000),
    ] {
        assert!(refusal(text).starts_with("failed to parse platform: "), "{text:.40}");
    }
}

#[test]
fn json_and_storage_give_back_what_they_got() {
    let full = Platform {
        os_version: Some("10.0.17763".into()),
        os_features: vec!["win32k".into()],
        ..raw("windows/amd64/v2")
    };
    let json = serde_json::to_string(&PlatformJson(&full)).unwrap();
    assert_eq!(
        json,
        r#"{"architecture":"amd64","os":"windows","os.version":"10.0.17763","os.features":["win32k"],"variant":"v2"}"#
    );
    assert_eq!(Platform::from_json_value(&serde_json::from_str(&json).unwrap()).unwrap(), full);
    assert_eq!(
        serde_json::to_string(&PlatformJson(&raw("linux/arm64"))).unwrap(),
        r#"{"architecture":"arm64","os":"linux"}"#
    );
    for platform in [full, raw("linux/arm64"), Platform::default()] {
        let stored = postcard::to_stdvec(&platform).unwrap();
        assert_eq!(postcard::from_bytes::<Platform>(&stored).unwrap(), platform);
    }
}

/// The platforms of the list that match, the best first.
fn ranked(matcher: &Matcher, candidates: &[&str]) -> Vec<String> {
    let mut found: Vec<_> =
        candidates.iter().filter_map(|text| Some((matcher.rank(&raw(text))?, (*text).to_owned()))).collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, text)| text).collect()
}

const CANDIDATES: &[&str] = &[
    "linux/386",
    "linux/amd64",
    "linux/amd64/v2",
    "linux/amd64/v3",
    "linux/amd64/v4",
    "linux/arm/v5",
    "linux/arm/v6",
    "linux/arm/v7",
    "linux/arm/v8",
    "linux/arm64",
    "linux/arm64/v8.1",
    "linux/arm64/v8.5",
    "linux/arm64/v9",
    "linux/arm64/v9.1",
    "linux/riscv64",
    "windows/amd64",
    "unknown/unknown",
];

#[test]
fn what_runs_on_a_platform_is_found_best_first() {
    for (wanted, expected) in [
        ("linux/amd64", "linux/amd64 linux/386"),
        ("linux/amd64/v3", "linux/amd64/v3 linux/amd64/v2 linux/amd64 linux/386"),
        ("linux/arm", "linux/arm/v7 linux/arm/v6 linux/arm/v5"),
        ("linux/arm/v6", "linux/arm/v6 linux/arm/v5"),
        ("linux/arm64", "linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5"),
        ("linux/arm64/v8.2", "linux/arm64/v8.1 linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5"),
        (
            "linux/arm64/v9.1",
            "linux/arm64/v9.1 linux/arm64/v9 linux/arm64/v8.5 linux/arm64/v8.1 linux/arm64 linux/arm/v8 linux/arm/v7 \
             linux/arm/v6 linux/arm/v5",
        ),
        ("linux/riscv64", "linux/riscv64"),
        ("linux/s390x", ""),
        ("unknown/unknown", "unknown/unknown"),
    ] {
        let expected: Vec<_> = expected.split_whitespace().collect();
        assert_eq!(ranked(&Matcher::only(&raw(wanted)), CANDIDATES), expected, "{wanted}");
    }
    let strict = Matcher::strict(&raw("linux/arm/v7"));
    assert_eq!(ranked(&strict, CANDIDATES), ["linux/arm/v7"]);
    assert!(strict.matches(&raw("linux/armhf")), "spelling does not matter");
    assert!(Matcher::strict(&raw("linux/aarch64")).matches(&raw("linux/arm64/v8")));
}

#[test]
fn an_absurd_variant_costs_nothing() {
    for variant in ["v4294967295", "v999999999999999999999", "v9.99999999", "", "v", "v-1", "v9.é"] {
        for architecture in ["amd64", "arm", "arm64"] {
            let wanted = Platform::new("linux", architecture).with_variant(variant);
            assert!(Matcher::only(&wanted).matches(&wanted));
        }
    }
}

#[test]
fn the_host_runs_its_own_images() {
    let host = Platform::host();
    assert_eq!(host, host.normalized());
    assert!(host.architecture != "amd64" || host.variant.is_none());
    assert!(Matcher::host().matches(&host));
    assert!(Matcher::host().matches(&Platform::new(host.os, host.architecture)));
}

#[test]
fn windows_versions_and_features_count() {
    let windows = |version: &str| Platform { os_version: Some(version.into()), ..raw("windows/amd64") };
    let matches = |host: &str, image: &str| Matcher::only(&windows(host)).matches(&windows(image));
    assert!(matches("10.0.17763", "10.0.17763.1234"));
    assert!(!matches("10.0.17763", "10.0.17764"));
    assert!(matches("10.0.22621", "10.0.20348.5"), "Server 2022 images run on later builds");
    assert!(!matches("10.0.20348", "10.0.22621"));
    assert!(!matches("10.0.22621", "10.0.17763"));
    assert!(!matches("10.1.22621", "10.0.22621"));
    assert!(Matcher::only(&windows("10.0.17763")).matches(&raw("windows/amd64")));
    assert!(Matcher::only(&raw("windows/amd64")).matches(&windows("10.0.17763")));
    let linux = |version: &str| Platform { os_version: Some(version.into()), ..raw("linux/amd64") };
    assert!(Matcher::only(&linux("5.10")).matches(&linux("6.1")), "of no interest elsewhere");

    let with = |features: &[&str]| Platform {
        os_features: features.iter().map(ToString::to_string).collect(),
        ..raw("windows/amd64")
    };
    assert!(Matcher::only(&with(&["a", "b"])).matches(&with(&["b"])));
    assert!(!Matcher::only(&with(&["a"])).matches(&with(&["a", "b"])));
    assert!(Matcher::only(&with(&["a"])).matches(&with(&[])));
}
