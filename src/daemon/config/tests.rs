use super::*;

fn root() -> Environment {
    Environment {
        root: true,
        groups: "root:x:0:\nstaff:x:50:ann\ndocker:x:998:ann,bob\nbroken\n".into(),
        config_file: "/nonexistent/daemon.json".into(),
        ..Environment::default()
    }
}

fn user() -> Environment {
    Environment {
        runtime_dir: Some("/run/user/1000".into()),
        data_home: Some("/home/ann/data".into()),
        home: Some("/home/ann".into()),
        config_file: "/nonexistent/daemon.json".into(),
        ..Environment::default()
    }
}

fn flags(words: &[&str]) -> Flags {
    use crate::daemon::flags::{Cli, Command};
    use clap::Parser;
    match Cli::try_parse_from([&["loadline", "serve"], words].concat()).unwrap().command {
        Command::Serve(flags) => *flags,
        other => panic!("{other:?}"),
    }
}

fn load(words: &[&str]) -> Result<Config> {
    Config::load(&flags(words), &root())
}

fn refusal(words: &[&str]) -> String {
    load(words).unwrap_err().public().to_owned()
}

fn with_file(text: &str, words: &[&str]) -> Result<Config> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("daemon.json");
    std::fs::write(&path, text).unwrap();
    Config::load(&flags(&[&["--config-file", path.to_str().unwrap()], words].concat()), &root())
}

#[test]
fn root_has_its_places() {
    let config = load(&[]).unwrap();
    assert_eq!(config.sockets, [Path::new("/run/loadline.sock")]);
    assert_eq!(config.data_root, Path::new("/var/lib/loadline"));
    assert_eq!(config.log_level, LogLevel::Info);
    assert_eq!((config.max_concurrent_downloads.get(), config.max_concurrent_uploads.get()), (3, 5));
}

#[test]
fn a_user_has_the_places_of_the_xdg_specification() {
    let config = Config::load(&flags(&[]), &user()).unwrap();
    assert_eq!(config.sockets, [Path::new("/run/user/1000/loadline.sock")]);
    assert_eq!(config.data_root, Path::new("/home/ann/data/loadline"));
    let config = Config::load(&flags(&[]), &Environment { data_home: None, ..user() }).unwrap();
    assert_eq!(config.data_root, Path::new("/home/ann/.local/share/loadline"));
}

#[test]
fn a_missing_place_is_an_error_that_says_what_to_give() {
    let error = Config::load(&flags(&[]), &Environment { runtime_dir: None, ..user() }).unwrap_err();
    assert!(error.public().contains("XDG_RUNTIME_DIR") && error.public().contains("--host"), "{error}");
    let error = Config::load(&flags(&[]), &Environment { data_home: None, home: None, ..user() }).unwrap_err();
    assert!(error.public().contains("--data-root"), "{error}");
    let elsewhere = Environment { config_file: "/nonexistent".into(), ..Environment::default() };
    Config::load(&flags(&["-H", "unix:///tmp/a", "--data-root", "/tmp/d"]), &elsewhere).unwrap();
}

#[test]
fn hosts_are_unix_sockets() {
    let config = load(&["-H", "unix:///run/a.sock", "--host", "unix://", "-H", "unix:///run/a.sock"]).unwrap();
    assert_eq!(config.sockets, [Path::new("/run/a.sock"), Path::new("/run/loadline.sock")]);
    for (host, expected) in [
        ("tcp://127.0.0.1:2375", "tcp:// is not supported yet"),
        ("fd://", "fd:// is not supported yet"),
        ("/run/a.sock", "write unix:///path/to/socket"),
        ("npipe:////./pipe/docker", "write unix:///path/to/socket"),
        ("", "write unix:///path/to/socket"),
        ("unix:///run/", "a directory"),
    ] {
        assert!(refusal(&["-H", host]).contains(expected), "{host}");
    }
}

#[test]
fn the_group_is_docker_where_it_exists() {
    let group = |words: &[&str]| load(words).unwrap().group;
    assert_eq!(group(&[]), Some(SocketGroup { name: "docker".into(), gid: 998, required: false }));
    assert_eq!(group(&["--group", "staff"]).unwrap().gid, 50);
    assert_eq!(group(&["-G", "1234"]).unwrap().gid, 1234);
    assert_eq!(group(&["--group", ""]), None);
    assert_eq!(Config::load(&flags(&[]), &user()).unwrap().group, None);
    assert!(refusal(&["--group", "nobody-knows"]).starts_with(r#"group "nobody-knows" does not exist: give --group"#));
    assert!(refusal(&["--group", "4294967295"]).starts_with(r#"group "4294967295" does not exist"#));
}

#[test]
fn the_log_level_yields_to_debug() {
    assert_eq!(load(&["--log-level", "fatal"]).unwrap().log_level, LogLevel::Fatal);
    assert_eq!(load(&["-l", "error", "-D"]).unwrap().log_level, LogLevel::Debug);
    assert_eq!(load(&["--debug=false", "-l", "warn"]).unwrap().log_level, LogLevel::Warn);
    assert!(refusal(&["--log-level", "loud"]).contains("loud"));
}

#[test]
fn the_file_fills_what_flags_leave_open() {
    let config =
        with_file(r#"{"data-root": "/d", "debug": true, "max-concurrent-uploads": 9}"#, &["-H", "unix:///s"]).unwrap();
    assert_eq!(config.data_root, Path::new("/d"));
    assert_eq!((config.log_level, config.max_concurrent_uploads.get()), (LogLevel::Debug, 9));
    assert_eq!(config.sockets, [Path::new("/s")]);
}

#[test]
fn a_setting_in_both_places_is_a_conflict() {
    let error =
        with_file(r#"{"hosts": ["unix:///a"], "debug": true}"#, &["-H", "unix:///b", "-D", "-l", "info"]).unwrap_err();
    let expected = r#"hosts (flag: ["unix:///b"], file: ["unix:///a"]), debug (flag: true, file: true)"#;
    assert!(error.public().ends_with(expected), "{error}");
    let mirrors = r#"{"registry-mirrors": ["https://ann:secret@m.example"]}"#;
    let error = with_file(mirrors, &["--registry-mirror", "https://m.example"]).unwrap_err();
    assert!(error.public().contains("registry-mirrors") && !error.public().contains("secret"), "{error}");
}

#[test]
fn an_explicit_file_must_exist_and_is_named_in_errors() {
    let error = refusal(&["--config-file", "/nonexistent/other.json"]);
    assert_eq!(error, "/nonexistent/other.json: no such configuration file");
    let error = with_file(r#"{"colour": "red"}"#, &[]).unwrap_err();
    assert!(error.public().contains(r#"daemon.json: unknown key: "colour". The keys are hosts, "#), "{error}");
}

#[test]
fn insecure_registries_are_hosts_or_networks() {
    let good = ["localhost", "registry.example:5000", "10.0.0.0/8", "fd00::/8", "[::1]:5000", "127.0.0.1:5000"];
    let words: Vec<&str> = good.iter().flat_map(|registry| ["--insecure-registry", registry]).collect();
    let read: Vec<String> = load(&words).unwrap().insecure_registries.iter().map(ToString::to_string).collect();
    assert_eq!(read, good);
    for bad in ["a/b", "http://", "http://a/b", "10.0.0.0/33", "", "a b", "u:p@a", ":5000", "a:99999", "a:port"] {
        assert!(refusal(&["--insecure-registry", bad]).starts_with("invalid insecure registry"), "{bad}");
    }
}

#[test]
fn a_scheme_before_an_insecure_registry_is_left_out_with_a_warning() {
    let words = ["--insecure-registry", "http://reg.example:5000", "--insecure-registry", "HTTPS://10.0.0.0/8"];
    let config = load(&words).unwrap();
    let read: Vec<String> = config.insecure_registries.iter().map(ToString::to_string).collect();
    assert_eq!(read, ["reg.example:5000", "10.0.0.0/8"]);
    assert_eq!(config.warnings.len(), 2);
    assert!(config.warnings[0].contains("without a scheme"), "{:?}", config.warnings);
}

#[test]
fn the_configuration_of_dockerd_starts_the_daemon_with_one_warning() {
    let file = r#"{"storage-driver": "overlay2", "log-driver": "json-file", "bip": "10.9.0.1/24", "debug": false,
        "insecure-registries": ["http://reg.example"], "exec-opts": [], "registry-mirrors": ["https://m.example/v2"]}"#;
    let config = with_file(file, &[]).unwrap();
    assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
    assert!(config.warnings[0].ends_with("are ignored: bip, exec-opts, log-driver, storage-driver"));
}

#[test]
fn proxies_of_the_settings_go_before_those_of_the_environment() {
    let proxies = |words: &[&str]| {
        let of_environment =
            Proxies { http: Some("http://e:1".into()), https: Some("http://e:2".into()), none: Some("e".into()) };
        Config::load(&flags(words), &Environment { proxies: of_environment, ..root() }).map(|config| config.proxies)
    };
    let own = proxies(&["--http-proxy", "http://a:b@p:3128", "--no-proxy", "x,y"]).unwrap();
    let expected =
        Proxies { http: Some("http://a:b@p:3128".into()), https: Some("http://e:2".into()), none: Some("x,y".into()) };
    assert_eq!(own, expected);
    assert_eq!(proxies(&["--https-proxy", "p:3128"]).unwrap().https.as_deref(), Some("http://p:3128"));
    let file = r#"{"proxies": {"http-proxy": "http://p", "no-proxy": "z"}}"#;
    let config = with_file(file, &[]).unwrap();
    assert_eq!((config.proxies.http.as_deref(), config.proxies.none.as_deref()), (Some("http://p"), Some("z")));
    let both = with_file(file, &["--http-proxy", "http://u:secret@q"]).unwrap_err();
    assert!(both.public().contains("http-proxy") && !both.public().contains("secret"), "{both}");
    for bad in ["ftp://p", "http://", "http://u:secret@", "a b"] {
        let error = refusal(&["--http-proxy", bad]);
        assert!(error.starts_with("invalid http-proxy") && !error.contains("secret"), "{bad}: {error}");
    }
}

#[test]
fn token_services_are_a_registry_and_a_host() {
    let config = load(&["--registry-token-service", "reg.example=auth.cloud.test:8443"]).unwrap();
    assert_eq!(config.registry_token_services[0].to_string(), "reg.example=auth.cloud.test:8443");
    assert!(refusal(&["--registry-token-service", "reg.example"]).ends_with("write REGISTRY=HOST"));
}

#[test]
fn mirrors_are_urls_that_end_with_a_slash() {
    let config =
        load(&["--registry-mirror", "https://m.example", "--registry-mirror", "http://10.0.0.1:5000/hub/"]).unwrap();
    assert_eq!(config.registry_mirrors, ["https://m.example/", "http://10.0.0.1:5000/hub/"]);
    for bad in ["m.example", "ftp://m.example", "https://", "https://m.example?x=1", "https://m.example/#f", ""] {
        assert!(refusal(&["--registry-mirror", bad]).starts_with("invalid registry mirror"), "{bad}");
    }
    assert!(!refusal(&["--registry-mirror", "https://ann:secret@m.example"]).contains("secret"));
}

#[test]
fn limits_of_transfers_are_at_least_one() {
    assert_eq!(refusal(&["--max-concurrent-downloads", "0"]), "max-concurrent-downloads must be at least 1");
    assert_eq!(load(&["--max-concurrent-uploads", "1"]).unwrap().max_concurrent_uploads.get(), 1);
}

#[test]
fn the_size_of_packed_blobs_is_bounded() {
    assert_eq!(load(&[]).unwrap().max_packed_blob_size, 16384);
    for size in [0, 65536] {
        assert_eq!(load(&["--max-packed-blob-size", &size.to_string()]).unwrap().max_packed_blob_size, size);
    }
    assert_eq!(refusal(&["--max-packed-blob-size", "65537"]), "max-packed-blob-size must be at most 65536");
}

#[test]
fn certificates_of_registries_are_where_docker_keeps_them_or_elsewhere() {
    assert_eq!(load(&[]).unwrap().registry_certs_dir, Path::new("/etc/docker/certs.d"));
    assert_eq!(load(&["--registry-certs-dir", "/certs"]).unwrap().registry_certs_dir, Path::new("/certs"));
    let file = r#"{"registry-certs-dir": "/certs"}"#;
    assert_eq!(with_file(file, &[]).unwrap().registry_certs_dir, Path::new("/certs"));
    assert!(with_file(file, &["--registry-certs-dir", "/other"]).unwrap_err().public().contains("registry-certs-dir"));
    let error = with_file(r#"{"registry-certs-dir": ""}"#, &[]).unwrap_err();
    assert_eq!(error.public(), "registry-certs-dir must not be empty");
}
