use serde_json::{Value, json};

use super::*;
use crate::domain::Kind;

fn config(changes: &[&str]) -> Result<Value> {
    config_for(changes, "linux")
}

fn config_for(changes: &[&str], os: &str) -> Result<Value> {
    let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
    Ok(serde_json::to_value(runtime_config(&changes, os)?).unwrap())
}

#[track_caller]
fn refused(change: &str) -> String {
    let error = config(&[change]).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidArgument);
    error.public().to_owned()
}

#[test]
fn every_instruction_has_its_place() {
    let changes = [
        r#"CMD ["sh", "-l"]"#,
        "entrypoint [\"/bin/init\"]",
        "ENV A=1 B='two words' C=\"$A and ${A}\"",
        "ENV D three  words",
        "EXPOSE 80 53/UDP 8000-8002/tcp 127.0.0.1:9000:90",
        "HEALTHCHECK --interval=1m30s --timeout=2s --start-period=1s --start-interval=10ms --retries=3 CMD curl -f localhost",
        "LABEL maintainer=\"a b\" version=1\\ 2",
        "ONBUILD RUN make",
        "STOPSIGNAL SIGQUIT",
        "USER 1000:1000",
        r#"VOLUME ["/a b", "/c"]"#,
        "VOLUME /d /e",
        "WORKDIR /srv",
        "WORKDIR app/../web",
    ];
    assert_eq!(
        config(&changes).unwrap(),
        json!({
            "Cmd": ["sh", "-l"],
            "Entrypoint": ["/bin/init"],
            "Env": ["A=1", "B=two words", "C= and ", "D=three  words"],
            "ExposedPorts": {"80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {}, "90/tcp": {}},
            "Healthcheck": {
                "Test": ["CMD-SHELL", "curl -f localhost"],
                "Interval": 90_000_000_000_i64, "Timeout": 2_000_000_000, "StartPeriod": 1_000_000_000,
                "StartInterval": 10_000_000, "Retries": 3,
            },
            "Labels": {"maintainer": "a b", "version": "1 2"},
            "OnBuild": ["RUN make"],
            "StopSignal": "SIGQUIT",
            "User": "1000:1000",
            "Volumes": {"/a b": {}, "/c": {}, "/d": {}, "/e": {}},
            "WorkingDir": "/srv/web",
        })
    );
    assert_eq!(config(&[]).unwrap(), json!({}));
}

#[test]
fn commands_are_lists_or_for_a_shell() {
    for (change, member, expected) in [
        ("CMD echo  $HOME 'x'", "Cmd", json!(["/bin/sh", "-c", "echo  $HOME 'x'"])),
        (r#"CMD ["a", "$b"]"#, "Cmd", json!(["a", "$b"])),
        // What is almost JSON is text.
        ("CMD ['a']", "Cmd", json!(["/bin/sh", "-c", "['a']"])),
        (r#"CMD ["a"] && b"#, "Cmd", json!(["/bin/sh", "-c", r#"["a"] && b"#])),
        ("CMD []", "Cmd", Value::Null),
        ("CMD", "Cmd", json!(["/bin/sh", "-c"])),
        ("ENTRYPOINT exec top", "Entrypoint", json!(["/bin/sh", "-c", "exec top"])),
        ("ENTRYPOINT []", "Entrypoint", Value::Null),
        ("HEALTHCHECK NONE", "Healthcheck", json!({"Test": ["NONE"]})),
        (r#"HEALTHCHECK cmd ["a", "b"]"#, "Healthcheck", json!({"Test": ["CMD", "a", "b"]})),
    ] {
        assert_eq!(config(&[change]).unwrap()[member], expected, "{change}");
    }
    assert_eq!(config_for(&["CMD dir"], "windows").unwrap()["Cmd"], json!(["cmd", "/S", "/C", "dir"]));
    assert_eq!(config(&["CMD a", "ENTRYPOINT b"]).unwrap()["Cmd"], json!(["/bin/sh", "-c", "a"]));
    assert_eq!(config(&["CMD", "ENTRYPOINT b"]).unwrap()["Cmd"], Value::Null);
}

#[test]
fn lines_go_on_and_comments_do_not_count() {
    let changes = "# a comment\nENV A=1 \\\n  # in between\n\n  B=2\r\nLABEL x=y\\\\\n";
    let read = config(&[changes]).unwrap();
    assert_eq!(read["Env"], json!(["A=1", "B=2"]));
    assert_eq!(read["Labels"], json!({"x": "y\\"}));
    // An instruction may go on in the next change.
    assert_eq!(config(&["CMD a \\", "b"]).unwrap()["Cmd"][2], "a b");
    assert_eq!(
        config(&["# escape=`\nLABEL x=C:\\dir y=a`\n z=b"]).unwrap()["Labels"],
        json!({"x": "C:\\dir", "y": "a", "z": "b"})
    );
    assert_eq!(refused("# escape=x\nCMD a"), "invalid escape token 'x' does not match ` or \\");
    assert_eq!(refused("# escape=`\n# escape=`\nCMD a"), "only one escape parser directive can be used");
    for nothing in ["", "\n\n", "# only a comment", "\\"] {
        assert_eq!(refused(nothing), "file with no instructions", "{nothing:?}");
    }
}

#[test]
fn variables_come_from_earlier_instructions() {
    let label = |text: &str| {
        let changes = ["ENV A=one E= P=/a/b.tar.gz S=\"x y\"", &format!("LABEL v={text}")];
        config(&changes).map(|config| config["Labels"]["v"].as_str().unwrap().to_owned())
    };
    for (text, expected) in [
        ("$A", "one"),
        ("${A}x", "onex"),
        ("$A_x", ""),
        ("\\$A", "$A"),
        ("'$A'", "$A"),
        ("\"$A\"", "one"),
        ("\"\\$A \\x\"", "$A \\x"),
        ("$", "$"),
        ("${B:-$A}", "one"),
        ("${E:-x}", "x"),
        ("${E-x}", ""),
        ("${A:+set}", "set"),
        ("${B+set}", ""),
        ("${A:?no}", "one"),
        ("${P#*/}", "a/b.tar.gz"),
        ("${P##*/}", "b.tar.gz"),
        ("${P%.*}", "/a/b.tar"),
        ("${P%%.*}", "/a/b"),
        ("${P/a/c}", "/c/b.tar.gz"),
        ("${P//a/c}", "/c/b.tcr.gz"),
        ("${P//\\//-}", "-a-b.tar.gz"),
    ] {
        assert_eq!(label(text).unwrap(), expected, "{text}");
    }
    for (text, why) in [
        ("${", "syntax error: missing '}'"),
        ("${A", "syntax error: missing '}'"),
        ("${A:-x", "syntax error: missing '}'"),
        ("${}", "syntax error: bad substitution"),
        ("${A^^}", "unsupported modifier (^) in substitution"),
        ("${A:x}", "unsupported modifier (:x) in substitution"),
        ("${B:?}", "B: is not allowed to be unset"),
        ("${E:?}", "E: is not allowed to be empty"),
        ("${B?why}", "B: why"),
        ("${A#\\x}", "invalid escape '\\x'"),
        ("\"open", "looking for matching double-quote"),
        ("'open", "looking for matching single-quote"),
    ] {
        let error = label(text).unwrap_err();
        assert!(error.public().contains(why), "{text}: {error}");
    }
    let ports = config(&["ENV P=\"80 443\"", "EXPOSE $P"]).unwrap();
    assert_eq!(ports["ExposedPorts"], json!({"80/tcp": {}, "443/tcp": {}}));
    // A variable that is set again keeps its place.
    assert_eq!(config(&["ENV A=1 B=2", "ENV A=3"]).unwrap()["Env"], json!(["A=3", "B=2"]));
}

#[test]
fn what_is_malformed_is_refused_in_dockers_words() {
    for (change, why) in [
        ("RUN make", "run is not a valid change command"),
        ("FROM x", "from is not a valid change command"),
        ("SHELL [\"sh\"]", "shell is not a valid change command"),
        ("nonsense", "nonsense is not a valid change command"),
        ("CMD [\"a\", 1]", "when using JSON array syntax, arrays must be comprised of strings only"),
        ("CMD --x a", "unknown flag: --x"),
        ("ENV", "ENV requires at least one argument"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV A=1 B", "Syntax error - can't find = in \"B\". Must be of the form: name=value"),
        ("ENV =1", "ENV names can not be blank"),
        ("LABEL", "LABEL requires at least one argument"),
        ("EXPOSE", "EXPOSE requires at least one argument"),
        ("EXPOSE x", "invalid containerPort: x"),
        ("EXPOSE 70000", "invalid containerPort: 70000"),
        ("EXPOSE 80/icmp", "invalid proto: icmp"),
        ("EXPOSE nowhere:1:2", "invalid IP address: nowhere"),
        ("EXPOSE 1-2:1-3", "invalid ranges specified for container and host Ports: 1-3 and 1-2"),
        ("USER", "USER requires exactly one argument"),
        ("WORKDIR", "WORKDIR requires exactly one argument"),
        ("VOLUME", "VOLUME requires at least one argument"),
        ("VOLUME [\" \"]", "VOLUME specified can not be an empty string"),
        ("VOLUME $NONE", "VOLUME specified can not be an empty string"),
        ("STOPSIGNAL SIGNOTHING", "invalid signal: SIGNOTHING"),
        ("STOPSIGNAL 0", "invalid signal: 0"),
        ("ONBUILD", "ONBUILD requires at least one argument"),
        ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("ONBUILD from x", "FROM isn't allowed as an ONBUILD trigger"),
        ("HEALTHCHECK", "HEALTHCHECK requires at least one argument"),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"),
        ("HEALTHCHECK SHELL x", "Unknown type \"SHELL\" in HEALTHCHECK (try CMD)"),
        ("HEALTHCHECK --interval=1us CMD x", "Interval \"interval\" cannot be less than 1ms"),
        ("HEALTHCHECK --interval=soon CMD x", "invalid duration \"soon\" in --interval"),
        ("HEALTHCHECK --retries=-1 CMD x", "--retries cannot be negative (-1)"),
        ("HEALTHCHECK --retries=1 --retries=2 CMD x", "duplicate flag specified: --retries"),
        ("HEALTHCHECK --retries CMD x", "missing a value on flag: --retries"),
    ] {
        assert_eq!(refused(change), why, "{change}");
    }
    assert!(config_for(&["STOPSIGNAL 9"], "windows").is_err());
    for signal in ["9", "TERM", "sigterm", "RTMIN+15", "SIGRTMAX-14"] {
        assert!(config(&[&format!("STOPSIGNAL {signal}")]).is_ok(), "{signal}");
    }
}

#[test]
fn what_grows_is_stopped() {
    // Each doubles the one before.
    let mut doubling = vec!["ENV A=aaaaaaaaaaaaaaaa".to_owned()];
    doubling.extend((0..40).map(|_| "ENV A=$A$A".to_owned()));
    let error = runtime_config(&doubling, "linux").unwrap_err();
    assert!(error.public().contains("too much text"), "{error}");
    let nested = format!("LABEL x={}{}", "${A:-".repeat(10_000), "}".repeat(10_000));
    assert!(refused(&nested).contains("nested too deep"));
    let pattern = format!("LABEL x=${{A#{}}}", "*".repeat(5000));
    assert!(refused(&pattern).contains("longer than"));
    // Nothing of this may panic, whatever comes of it.
    for odd in [
        "\\",
        "\"",
        "'",
        "$",
        "ENV \\",
        "ENV a=\\",
        "EXPOSE -",
        "EXPOSE :::",
        "CMD [",
        "é",
        "ONBUILD é",
        "\u{0}",
        "HEALTHCHECK --",
        "ENV é=ü$é${é%ü}",
    ] {
        let _ = config(&[odd]);
    }
}
