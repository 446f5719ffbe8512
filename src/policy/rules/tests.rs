use super::*;
use crate::domain::verification::{Identities, Identity, Requirement, Subject, Tlog};
use crate::domain::{Digest, Reference};

const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvYbdg796WzzqJbuqFPCmbACOTqmo
GRG2ZJwKkbrFKqH/MG5Adl/OTYIaDy0W0kv4oqTeyjKD0tE5gJdqvPG7aw==
-----END PUBLIC KEY-----
";

const HEAD: &str = "apiVersion: v1alpha1\nkind: ImageVerificationConfig\n";

/// A document with these rules, the first of which is in line 4.
fn rules(rules: &str) -> String {
    format!("{HEAD}rules:\n{rules}")
}

fn parse(text: &str) -> Rules {
    Rules::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> String {
    Rules::parse(text).expect_err(text).public().to_owned()
}

/// The rule that decides on a name; `default` where the file denies the rest, `none` where nothing is said.
fn decider(rules: &Rules, name: &str) -> String {
    match rules.decide(Reference::parse(name).ok().as_ref()) {
        Decision::Rule(rule) => rule.id.clone(),
        Decision::DeniedByDefault => "default".to_owned(),
        Decision::NoRule => "none".to_owned(),
    }
}

fn requirement(rule: &Rule) -> (&Requirement, Platforms) {
    match &rule.action {
        Action::Verify { requirement, platforms } => (requirement, *platforms),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_document_of_talos_is_read_unchanged() {
    let key = KEY.lines().map(|line| format!("        {line}\n")).collect::<String>();
    let text = rules(&format!(
        "  - image: registry.k8s.io/*
    keyless:
      issuer: https://accounts.google.com
      subject: krel-trust@k8s-releng-prod.iam.gserviceaccount.com
  - image: ghcr.io/siderolabs/*
    keyless: {{issuer: https://token.actions.githubusercontent.com, subjectRegex: ^https://github\\.com/siderolabs/}}
  - image: my-registry/*
    publicKey:
      certificate: |
{key}  - {{image: \"no/*\", skip: true}}
  - {{image: \"*\", deny: true}}
"
    ));
    let rules = parse(&text);
    assert_eq!(rules.warnings(), <[String; 0]>::default());
    assert!(rules.needs_evidence() && !rules.is_denied_by_default());
    assert_eq!(
        rules.rules().iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(),
        ["0000", "0001", "0002", "0003", "0004"]
    );
    assert_eq!(rules.rules().iter().map(|rule| rule.line).collect::<Vec<_>>(), [4, 8, 10, 17, 18]);
    let (first, platforms) = requirement(&rules.rules()[0]);
    assert_eq!((first.tlog, platforms, first.attestations.len()), (Tlog::Required, Platforms::Index, 0));
    let expected = Identity::Keyless {
        issuer: "https://accounts.google.com".to_owned(),
        subject: Subject::Exact("krel-trust@k8s-releng-prod.iam.gserviceaccount.com".to_owned()),
    };
    assert_eq!(first.identities, Identities::Any(vec![expected]));
    let (key, _) = requirement(&rules.rules()[2]);
    assert!(matches!(key.identities.as_slice(), [Identity::Key(_)]));
    assert_eq!(key.tlog, Tlog::Optional, "a key is trusted without a log");
    assert_eq!((&rules.rules()[3].action, &rules.rules()[4].action), (&Action::Skip, &Action::Deny));
}

#[test]
fn json_is_read_as_yaml_is() {
    let yaml = rules("  - {image: \"a.example/*\", deny: true}\n  - image: \"b.example/*\"\n    skip: true\n");
    let json = r#"{"apiVersion": "v1alpha1", "kind": "ImageVerificationConfig", "rules": [
	{"image": "a.example\/*", "deny": true},
	{"image": "b.example/*", "skip": true, "deny": false, "keyless": null}]}"#;
    let actions =
        |rules: &Rules| rules.rules().iter().map(|rule| (rule.to_string(), rule.action.clone())).collect::<Vec<_>>();
    assert_eq!(actions(&parse(&yaml)), actions(&parse(json)));
}

#[test]
fn our_own_keys_say_more() {
    let text = format!(
        "{HEAD}default: deny
rules:
  - image: a.example/*
    identities:
      all:
        - keyless: {{issuer: https://i.example, subject: a@a.example}}
        - publicKey: {{certificate: {key:?}}}
    tlog: required
    platforms: each
    audit: true
    attestations:
      - {{predicateType: https://slsa.dev/provenance/v1, builderId: https://b.example, sourceRepository: https://s.example/r}}
      - predicateType: https://spdx.dev/Document
",
        key = KEY
    );
    let rules = parse(&text);
    assert!(rules.is_denied_by_default());
    let rule = &rules.rules()[0];
    let (requirement, platforms) = requirement(rule);
    assert!(rule.is_audit && platforms == Platforms::Each && requirement.tlog == Tlog::Required);
    assert!(matches!(&requirement.identities, Identities::All(all) if all.len() == 2));
    let [provenance, sbom] = requirement.attestations.as_slice() else { panic!("{requirement:?}") };
    assert_eq!(provenance.builder_id.as_deref(), Some("https://b.example"));
    assert_eq!(provenance.source_repository.as_deref(), Some("https://s.example/r"));
    assert_eq!((sbom.predicate_type.as_str(), &sbom.builder_id), ("https://spdx.dev/Document", &None));
    let Identity::Key(key) = &requirement.identities.as_slice()[1] else { panic!("{requirement:?}") };
    let described = rule.action.to_string();
    assert!(described.starts_with("let in if each platform's manifest has, signed, "), "{described}");
    assert!(described.contains(&key.fingerprint().to_string()), "{described}");
}

#[test]
fn the_first_rule_that_matches_decides() {
    let text = rules(
        "  - {image: \"a.example/team/*\", skip: true}
  - {image: \"a.example/*\", deny: true}
  - {image: docker.io/library/app, skip: true}
  - {image: \"a.example/team/*\", deny: true}
",
    );
    let open = parse(&text);
    for (name, expected) in [
        ("a.example/team/app:1", "0000"),
        ("A.Example/team/app:1", "0000"),
        ("a.example/other", "0001"),
        ("app:1", "0002"),
        ("index.docker.io/app", "0002"),
        ("registry-1.docker.io/app", "0002"),
        ("REGISTRY-1.docker.io/library/app", "0002"),
        ("apps", "none"),
        // A name that no registry could serve is met by what is about everything only.
        ("Team/app", "none"),
        ("NOT A NAME", "none"),
    ] {
        assert_eq!(decider(&open, name), expected, "{name}");
    }
    let closed = parse(&format!("{text}default: deny\n"));
    assert_eq!((decider(&closed, "apps"), decider(&closed, "Team/app")), ("default".to_owned(), "default".to_owned()));
    let all = parse(&rules("  - {image: \"*/*\", skip: true}\n  - {image: \"*\", deny: true}\n"));
    assert_eq!(all.decide(None), Decision::Rule(&all.rules()[1]));
    assert_eq!((decider(&all, "Team/app"), decider(&all, "app")), ("0001".to_owned(), "0000".to_owned()));
    assert_eq!(Rules::default().decide(None), Decision::NoRule);
}

#[test]
fn tag_and_digest_do_not_matter() {
    let rules = parse(&rules("  - {image: \"a.example/app\", deny: true}\n"));
    for suffix in ["", ":1", &format!("@{}", Digest::of(b"")), &format!(":1@{}", Digest::of(b""))] {
        assert_eq!(decider(&rules, &format!("a.example/app{suffix}")), "0000", "{suffix}");
    }
}

#[test]
fn documents_are_merged() {
    let more =
        rules("  - {image: \"b/*\", deny: true}\n  - {image: \"c/*\", skip: true}\n  - {image: \"c/*\", deny: true}\n");
    let text = format!("{}---\n{more}", rules("  - {image: \"a/*\", skip: true}\n  - {image: \"b/*\", skip: true}\n"));
    let rules = parse(&text);
    let found: Vec<_> = rules.rules().iter().map(|rule| (rule.pattern.text(), rule.action == Action::Deny)).collect();
    assert_eq!(found, [("a/*", false), ("b/*", true), ("c/*", false), ("c/*", true)]);
    assert_eq!(rules.rules()[1].line, 10);
}

#[test]
fn patterns_that_are_probably_not_meant_so_are_warned_of() {
    for (pattern, expected) in [
        ("a.example/app@sha256:*", 2),
        ("a.example/app:1", 1),
        ("a.example:5000/app", 0),
        ("nginx", 1),
        ("a.example*", 1),
        ("*", 0),
        ("**", 1),
        ("*/*", 0),
    ] {
        let rules = parse(&rules(&format!("  - {{image: {pattern:?}, deny: true}}\n")));
        assert_eq!(rules.warnings().len(), expected, "{pattern}: {:?}", rules.warnings());
        let is_named = |warning: &String| warning.starts_with(&format!("line 4: the pattern of rule 0000 ({pattern})"));
        assert!(rules.warnings().iter().all(is_named), "{:?}", rules.warnings());
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let long_regex =
        rules(&format!("  - {{image: a/b, keyless: {{issuer: i, subjectRegex: \"{}\"}}}}\n", "a{1000}".repeat(500)));
    for (text, expected) in [
        ("", "line 1: there is no document"),
        ("# nothing\n---\n", "line 1: there is no document"),
        ("[]", "line 1: ImageVerificationConfig is a mapping with keys, and here is a list"),
        ("kind: ImageVerificationConfig\n", "line 1: ImageVerificationConfig needs apiVersion"),
        ("apiVersion: v1\nkind: Pod\n", "line 1: not of apiVersion v1alpha1"),
        (&format!("{HEAD}rule: []\n"), "line 3: unknown key \"rule\" of ImageVerificationConfig"),
        (&format!("{HEAD}default: drop\n"), "line 3: default of ImageVerificationConfig is deny or allow"),
        (&format!("{HEAD}rules: 1\n"), "line 3: rules of ImageVerificationConfig is a list, and here is \"1\""),
        (
            &rules("  - {image: a/b, skip: true}\n  - {image: a/b, skpi: true}\n"),
            "line 5: unknown key \"skpi\" of a rule",
        ),
        (&rules("  - a/b\n"), "line 4: a rule is a mapping"),
        (&rules("  - {skip: true}\n"), "line 4: a rule needs image"),
        (&rules("  - {image: \"\", skip: true}\n"), "line 4: a rule needs image"),
        (&rules("  - {image: a/b}\n"), "line 4: a rule has exactly one of"),
        (&rules("  - {image: a/b, skip: true, deny: true}\n"), "line 4: a rule has exactly one of"),
        (&rules("  - {image: a/b, skip: false}\n"), "line 4: a rule has exactly one of"),
        (
            &rules("  - image: a/b\n    deny: true\n    keyless: {issuer: i, subject: s}\n"),
            "line 4: a rule has exactly one of",
        ),
        (
            &rules("  - {image: a/b, keyless: {issuer: i, subject: s}, identities: {any: []}}\n"),
            "line 4: a rule has one of keyless",
        ),
        (&rules("  - {image: a/b, skip: \"true\"}\n"), "line 4: skip of a rule is true or false, and here is \"true\""),
        (&rules("  - {image: a/b, skip: 1}\n"), "line 4: skip of a rule is true or false"),
        (&rules("  - image: a/b\n    keyless:\n      subject: s\n"), "line 6: keyless needs issuer"),
        (&rules("  - image: a/b\n    keyless:\n      issuer: i\n"), "line 6: keyless needs subject"),
        (
            &rules("  - image: a/b\n    keyless:\n      issuer: i\n      subjectRegex: \"(\"\n"),
            "line 7: subjectRegex: ",
        ),
        (&long_regex, "line 4: subjectRegex: "),
        (
            &rules("  - {image: a/b, keyless: {issuer: i, subject: s, subjectRegex: ^x}}\n"),
            "line 4: subjectRegex does not",
        ),
        (&rules("  - image: a/b\n    publicKey: {certificate: abc}\n"), "line 5: certificate: "),
        (&rules("  - image: a/b\n    publicKey: {}\n"), "line 5: publicKey needs certificate"),
        (&rules("  - {image: a/b, identities: {any: []}}\n"), "line 4: identities names 1 to 64"),
        (&rules("  - {image: a/b, identities: {any: [], all: []}}\n"), "line 4: identities has one of"),
        (&rules("  - {image: a/b, identities: {any: [{}]}}\n"), "line 4: an identity has one of"),
        (&rules("  - {image: a/b, deny: true, tlog: optional}\n"), "line 4: attestations and tlog need"),
        (&rules("  - {image: a/b, deny: true, platforms: each}\n"), "line 4: platforms needs"),
        (
            &rules("  - {image: a/b, skip: true, attestations: [{predicateType: p}]}\n"),
            "line 4: attestations and tlog need",
        ),
        (
            &rules("  - {image: a/b, keyless: {issuer: i, subject: s}, attestations: [{builderId: b}]}\n"),
            "line 4: an attestation needs predicateType",
        ),
        (
            &rules("  - {image: a/b, keyless: {issuer: i, subject: s}, platforms: all}\n"),
            "line 4: platforms of a rule is index or each, and here is \"all\"",
        ),
        (&rules("  - {image: *, deny: true}\n"), "line 4: "),
        ("apiVersion: [\n", "line "),
    ] {
        assert!(refusal(text).starts_with(expected), "{text}: {}", refusal(text));
    }
}

#[test]
fn nothing_that_is_written_is_fatal() {
    // Every prefix of a document, and it with each byte replaced: read or refused.
    let text = rules(
        "  - image: 'a/*'\n    keyless: {issuer: \"i\\u00e4\", subjectRegex: ^s$}\n  - &x {image: \"*\", deny: yes}\n",
    );
    for at in 0..text.len() {
        if let Some(prefix) = text.get(..at) {
            let _ = Rules::parse(prefix);
        }
        for byte in [b'*', b'&', b'{', b'\n', b'\t', b'"', 0] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte;
            if let Ok(text) = String::from_utf8(bytes) {
                let _ = Rules::parse(&text);
            }
        }
    }
}
